/**
 * Paths of layers as bytes and as strings: the only door between the two. Bytes that are no UTF-8 pass as lone
 * surrogates U+DC80…U+DCFF, one a byte (as PEP 383 does).
 */
import { bytesOfName, nameOfBytes, showName } from "../../native/addon/raw-bytes.ts";

/** The path's bytes. Throws LAYER_NAME for a string that stands for no bytes (another lone surrogate, a NUL). */
export function toRawBytes(path: string): Buffer {
  return bytesOfName(path);
}

/** The string that `toRawBytes` turns back into exactly these bytes. */
export function fromRawBytes(bytes: Uint8Array): string {
  return nameOfBytes(bytes);
}

/** The path for people: control characters and stray bytes are escaped, so that a hostile name cannot drive a terminal. */
export function showPath(path: string): string {
  return showName(path);
}
