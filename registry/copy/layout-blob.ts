/** Single blobs of an OCI layout in a folder, for who knows their digests: looked for, and brought into a store. */
import { join } from "node:path";
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { blobPath } from "../archive/layout.ts";
import type { FetchOptions } from "../pull.ts";
import { labelOf } from "../pull.ts";
import { reported } from "../side-by-side.ts";
import { fileOf, sizeOf } from "./layout.ts";

/** As a file of its size: nobody has read it. */
export async function isInLayout(folder: string, blob: Descriptor): Promise<boolean> {
  return (await sizeOf(join(folder, blobPath(blob)))) === blob.size;
}

/**
 * Brings a blob into the store unless it is there. Throws REG_INCOMPLETE when the layout lacks it, REG_DIGEST_MISMATCH when it is
 * something else, and the signal's reason.
 */
export async function fetchFromLayout(
  folder: string,
  blob: Descriptor,
  into: BlobStore,
  { signal, onProgress }: FetchOptions = {},
): Promise<void> {
  const { digest, mediaType, size } = blob;
  const openAt = (from: number) => {
    const bytes = until(fileOf(folder, blob, from), signal);
    return onProgress ? reported(bytes, { digest, label: labelOf(digest), total: size }, onProgress, from) : bytes;
  };
  try {
    if (into.fetch) await into.fetch(blob, openAt, { signal });
    else await into.put(openAt(0), { mediaType, digest, size });
  } catch (error) {
    if (!isWbuildError(error, "STORE_DIGEST_MISMATCH") && !isWbuildError(error, "STORE_SIZE_MISMATCH")) throw error;
    throw new WbuildError(
      "REG_DIGEST_MISMATCH",
      `${folder} has wrong content under ${digest}; nothing of it was kept`,
      {
        facts: { path: folder, expected: digest },
        hint: "the folder is damaged, or something else was written into it",
        cause: error,
      },
    );
  }
}

/** A disk that is slow (a share of another machine) keeps nobody waiting who has given up. */
async function* until(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const part of bytes) {
    signal?.throwIfAborted();
    yield part;
  }
}
