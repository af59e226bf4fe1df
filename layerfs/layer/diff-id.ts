/** What a layer's tar is called (OCI image configuration, "rootfs.diff_ids"): counted from the bytes of its blob. */
import { createHash } from "node:crypto";
import type { Digest } from "../store/digest.ts";
import { decompressStream } from "./compress.ts";

/** Reads a blob to its end. `uncompressedSize` is in bytes. Throws LAYER_* for what cannot be decompressed, and the signal's reason. */
export async function readDiffId(
  blob: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ readonly diffId: Digest; readonly uncompressedSize: number }> {
  const hash = createHash("sha256");
  let uncompressedSize = 0;
  for await (const bytes of decompressStream(blob)) {
    signal.throwIfAborted();
    hash.update(bytes);
    uncompressedSize += bytes.length;
  }
  return { diffId: `sha256:${hash.digest("hex")}`, uncompressedSize };
}
