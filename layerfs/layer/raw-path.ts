/**
 * Paths of layers as bytes and as strings: the only door between the two. Bytes that are no UTF-8 pass as lone
 * surrogates U+DC80…U+DCFF, one a byte (as PEP 383 does).
 */
import { nameOfBytes, showName } from "../../native/addon/raw-bytes.ts";

/** The string that native code turns back into exactly these bytes (`bytesOfName`). */
export function fromRawBytes(bytes: Uint8Array): string {
  return nameOfBytes(bytes);
}

/** The path for people: control characters and stray bytes are escaped, so that a hostile name cannot drive a terminal. */
export function showPath(path: string): string {
  return showName(path);
}
