/** Content of a copy, compared with its name whatever the source has promised. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { openDigester } from "../../layerfs/store/digester.ts";
import { WbuildError } from "../../native/error.ts";
import { maxManifestBytes } from "../oci/schema.ts";
import type { FetchedManifest } from "../repository.ts";
import type { CopySource } from "./place.ts";

/** Manifests are compared here, whatever their place has promised. Throws REG_DIGEST_MISMATCH. */
export function checked(manifest: FetchedManifest, from: CopySource, wanted?: Descriptor): FetchedManifest {
  const digest = digestOf(manifest.bytes);
  const expected = wanted?.digest ?? manifest.descriptor.digest;
  if (digest !== expected) throw mismatch(from.place, expected, "manifest");
  if (manifest.bytes.length > maxManifestBytes)
    throw new WbuildError("REG_MANIFEST", `manifest ${digest} of ${from.place} is too large`);
  return manifest;
}

/**
 * Bytes that have the blob's size and digest, or end with an error before the last of them were given: who sends them on
 * with their length never completes wrong content. From the middle on only the size can be compared; the digest of the
 * whole is then the receiver's to check.
 */
export async function* verified(
  bytes: AsyncIterable<Uint8Array>,
  blob: Descriptor,
  from: number,
  place: string,
): AsyncGenerator<Uint8Array> {
  await using digester = from === 0 ? openDigester(blob.size) : undefined;
  let at = from;
  let held: Uint8Array | undefined;
  for await (const part of bytes) {
    if (part.length === 0) continue;
    at += part.length;
    if (at > blob.size) throw wrongSize(place, blob, at);
    await digester?.update(part);
    if (held) yield held;
    held = part;
  }
  if (at !== blob.size) throw wrongSize(place, blob, at);
  if (digester && (await digester.digest()) !== blob.digest) throw mismatch(place, blob.digest, "blob");
  if (held) yield held;
}

function mismatch(place: string, digest: Digest, what: string): WbuildError {
  return new WbuildError(
    "REG_DIGEST_MISMATCH",
    `${place} gave wrong content for ${what} ${digest}; it was not copied`,
    {
      facts: { place, expected: digest },
      hint: "try again; if it stays so, the source is damaged or something on the way changes content",
    },
  );
}

function wrongSize(place: string, { digest, size }: Descriptor, found: number): WbuildError {
  return new WbuildError("REG_SIZE_MISMATCH", `${place} gave ${found} bytes of blob ${digest}, which has ${size}`, {
    facts: { place, expected: size, found },
  });
}
