/** Content digests as the OCI image specification writes them ("Descriptors", section Digests). Only sha256 is stored. */
import { hashBytes } from "../../native/addon/hash.ts";
import { WbuildError } from "../../native/error.ts";

export type Digest = `sha256:${string}`;

const shape = /^sha256:[0-9a-f]{64}$/;

/** Narrows foreign text to a digest without throwing. */
export function isDigest(text: string): text is Digest {
  return shape.test(text);
}

/** Checks foreign text. Throws STORE_DIGEST_SYNTAX: a digest becomes a path, so `sha256:../../x` must never pass. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new WbuildError("STORE_DIGEST_SYNTAX", `not a sha256 digest: ${JSON.stringify(text.slice(0, 100))}`);
}

/** Digest of bytes that are already in memory. */
export function digestOf(bytes: string | Uint8Array): Digest {
  return `sha256:${hashBytes(typeof bytes === "string" ? Buffer.from(bytes) : bytes)}`;
}

/** The 64 hexadecimal digits, as used in file names. */
export function hexOf(digest: Digest): string {
  return digest.slice("sha256:".length);
}
