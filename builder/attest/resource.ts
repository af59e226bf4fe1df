/** What a build took from outside, as provenance names it: a URI and digests. */
import { type Digest, hexOf } from "../../layerfs/store/digest.ts";
import { imageUrl } from "./purl.ts";

/** in-toto's ResourceDescriptor, and SLSA v0.2's material. */
export interface Resource {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** A base image by what its name meant. Undefined for what is no reference. */
export function imageResource(reference: string, manifest: Digest, platform: string): Resource | undefined {
  const uri = imageUrl(reference, platform);
  return uri === undefined ? undefined : { uri, digest: { sha256: hexOf(manifest) } };
}

/** Each once, in order of their URIs. */
export function distinctResources(resources: readonly Resource[]): Resource[] {
  const found = new Map(resources.map((one) => [JSON.stringify([one.uri, one.digest]), one]));
  return [...found.keys()].sort().map((key) => found.get(key) as Resource);
}
