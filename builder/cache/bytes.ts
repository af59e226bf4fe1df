/** Small foreign documents as one piece of memory. */
import { WbuildError } from "../../native/error.ts";

/** Throws CACHE_CONFIG past the limit (bytes). */
export async function readBytesOf(bytes: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of bytes) {
    size += part.length;
    if (size > limit) throw new WbuildError("CACHE_CONFIG", `it has more than ${limit} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
