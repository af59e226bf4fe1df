/** A stream into a file: hashed and written on other threads while the next bytes arrive. */
import type { FileHandle } from "node:fs/promises";
import { DigestStream } from "../../native/addon/digest-stream.ts";
import type { Digest } from "./digest.ts";
import { storeError } from "./failure.ts";

export interface WriteOptions {
  /** Of the file, for what is told of failures. */
  readonly path: string;
  /** Where in the file the first byte goes. */
  readonly at: number;
  /** See BlobStore.fetch. */
  readonly areSpent?: boolean | undefined;
}

/**
 * Writes from byte `at` of the file on, and resolves with the digest of the whole: what stands before `at`, and the stream.
 * `check` sees every chunk first and refuses by throwing; what it refuses is not written. When the stream breaks, all that
 * came before is in the file. Throws what `check` and the stream throw; STORE_FULL and its like for the disk.
 */
export async function writeStream(
  file: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  check: (chunk: Uint8Array) => void,
  { path, at, areSpent }: WriteOptions,
): Promise<Digest> {
  const stream = new DigestStream({ fd: file.fd, at });
  const failed = (cause: unknown) => {
    throw storeError(cause, "write a blob", path);
  };
  try {
    for await (const chunk of bytes) {
      check(chunk);
      await stream.push(chunk, areSpent)?.catch(failed);
    }
  } catch (error) {
    // A disk that fails here, too, is told by the next try; the first failure is the one to tell.
    await stream.finish().catch(() => {});
    throw error;
  }
  return await stream.finish().catch(failed);
}
