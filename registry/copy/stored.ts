/** Content of a store as a source and as a target of copies. Names are the caller's business. */
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { maxManifestBytes } from "../oci/schema.ts";
import type { FetchedManifest } from "../repository.ts";
import type { CopySource, CopyTarget } from "./place.ts";

export interface StoreSourceOptions {
  /** Fetches a blob that was left elsewhere; asked for only when the target lacks it, too. Passes over all others. */
  readonly bring?: (blob: Descriptor) => Promise<void>;
  readonly repositoryOf?: NonNullable<CopySource["repositoryOf"]>;
}

/** `named` is what the name means there. */
export function storeSource(
  blobs: BlobStore,
  place: string,
  named: Descriptor,
  { bring, repositoryOf }: StoreSourceOptions = {},
): CopySource {
  const required = async (blob: Descriptor) => {
    if ((await blobs.has(blob.digest)) === blob.size) return;
    throw new WbuildError("REG_INCOMPLETE", `${place} lacks ${blob.digest}`, {
      facts: { digest: blob.digest },
      hint: "choose one of its images with --platform, or pull or build it again",
    });
  };
  const manifest = async (which: Descriptor): Promise<FetchedManifest> => {
    await required(which);
    if (which.size > maxManifestBytes)
      throw new WbuildError("REG_MANIFEST", `manifest ${which.digest} of ${place} is too large`);
    const parts: Uint8Array[] = [];
    for await (const part of blobs.open(which)) parts.push(part);
    return { bytes: Buffer.concat(parts), mediaType: which.mediaType, descriptor: which };
  };
  return {
    place,
    named: () => manifest(named),
    manifest,
    ...(repositoryOf ? { repositoryOf } : {}),
    async *blob(blob, from) {
      await bring?.(blob);
      await required(blob);
      yield* blobs.open(blob, ...(from > 0 ? [{ from }] : []));
    },
  };
}

/** `name` is called when everything is there, with what the name must keep. */
export function storeTarget(
  blobs: BlobStore,
  place: string,
  name: (image: Descriptor, keeps: readonly Digest[]) => void,
): CopyTarget {
  const keeps = new Set<Digest>();
  let named: Descriptor | undefined;
  return {
    place,
    takesReferrers: false,
    // What has a name may have lost parts, and these are looked for without any round trip.
    state: async () => "absent",
    async putBlob(blob, open, { signal }) {
      const { digest, size, mediaType } = blob;
      keeps.add(digest);
      if ((await blobs.has(digest)) === size) return "present";
      // What came before a connection broke is kept by a store that can, for this copy or the next one.
      if (blobs.fetch) await blobs.fetch(blob, open, { signal });
      else await blobs.put(open(), { mediaType, digest, size });
      return "sent";
    },
    async putManifest({ bytes, mediaType, descriptor }, role) {
      keeps.add(descriptor.digest);
      await blobs.put(bytes, { mediaType, digest: descriptor.digest, size: bytes.length });
      if (role === "named") named = { mediaType, digest: descriptor.digest, size: bytes.length };
    },
    async finish() {
      if (named) name(named, [...keeps]);
    },
    async abort() {},
  };
}
