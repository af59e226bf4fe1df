/** A small blob as one piece of memory. */
import { WbuildError } from "../../../native/error.ts";

/** Manifests and configs; what claims to be one and is larger is an attack on memory. */
const largest = 8 * 1024 * 1024;

/** All bytes of a stream. Throws IMG_TOO_LARGE past 8 MiB. */
export async function readBytes(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > largest)
      throw new WbuildError("IMG_TOO_LARGE", "a manifest or image configuration is larger than 8 MiB");
    parts.push(part);
  }
  return Buffer.concat(parts);
}
