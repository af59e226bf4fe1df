/**
 * Attestations as BuildKit stores them ("Image Attestation Storage"): in-toto statements as layers of a manifest that stands
 * in the image's index beside the manifest that it is about, for a platform that nobody has.
 */
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, hexOf } from "../../layerfs/store/digest.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { putJson } from "../image/output/write-image.ts";

export const inTotoType = "application/vnd.in-toto+json";
const predicateTypeKey = "in-toto.io/predicate-type";
const referenceTypeKey = "vnd.docker.reference.type";
const referenceDigestKey = "vnd.docker.reference.digest";
const artifactType = "application/vnd.docker.attestation.manifest.v1+json";
const emptyType = "application/vnd.oci.empty.v1+json";
const attestationManifest = "attestation-manifest";

/** What is claimed, without of whom. */
export interface Attestation {
  readonly predicateType: string;
  readonly predicate: object;
  /** Its name among the files of an output that is no image. */
  readonly filename: string;
}

export interface InTotoSubject {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly InTotoSubject[];
  readonly predicate: object;
}

export function statementOf(attestation: Attestation, subject: readonly InTotoSubject[]): Statement {
  const { predicateType, predicate } = attestation;
  return { _type: "https://in-toto.io/Statement/v1", predicateType, subject, predicate };
}

/** The subjects of an image: one a name, or `_` for an image without any. `urls` are its package URLs. */
export function imageSubjects(image: Digest, urls: readonly string[]): InTotoSubject[] {
  const digest = { sha256: hexOf(image) };
  return (urls.length === 0 ? ["_"] : urls).map((name) => ({ name, digest }));
}

export interface WrittenAttestations {
  /** As the index names it. */
  readonly descriptor: Descriptor;
  /** Every digest that a ref to the index must keep besides. */
  readonly keeps: readonly Digest[];
}

export interface AttestationStyle {
  /** As an OCI artifact, which registries list as a referrer of the image: `artifactType`, `subject`, an empty configuration. */
  readonly ociArtifact?: boolean;
}

/** Writes statements about one image, and the manifest that holds them, into the store. */
export async function writeAttestations(
  blobs: BlobStore,
  image: Descriptor,
  statements: readonly Statement[],
  { ociArtifact = false }: AttestationStyle = {},
): Promise<WrittenAttestations> {
  const layers: Descriptor[] = [];
  for (const statement of statements) {
    const blob = await putJson(blobs, statement, inTotoType);
    layers.push({ ...blob, annotations: { [predicateTypeKey]: statement.predicateType } });
  }
  const config = ociArtifact
    ? await putJson(blobs, {}, emptyType)
    : await putJson(blobs, configOf(layers), mediaTypes.ociConfig);
  const { mediaType, digest, size } = image;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...(ociArtifact ? { artifactType } : {}),
    config,
    layers,
    ...(ociArtifact ? { subject: { mediaType, digest, size } } : {}),
  };
  const written = await putJson(blobs, manifest, mediaTypes.ociManifest);
  const descriptor: Descriptor = {
    ...written,
    ...(ociArtifact ? { artifactType } : {}),
    annotations: { [referenceDigestKey]: digest, [referenceTypeKey]: attestationManifest },
    platform: { architecture: "unknown", os: "unknown" },
  };
  return { descriptor, keeps: [written.digest, config.digest, ...layers.map((layer) => layer.digest)] };
}

/** An image's configuration in form only. */
function configOf(layers: readonly Descriptor[]) {
  const rootfs = { type: "layers", diff_ids: layers.map(({ digest }) => digest) };
  return { architecture: "unknown", os: "unknown", config: {}, rootfs };
}

/** The attestation manifests of an index, by the image that each is about. */
export function attestationsOf(manifests: readonly Descriptor[], image: Digest): Descriptor[] {
  return manifests.filter(
    ({ annotations }) =>
      annotations?.[referenceTypeKey] === attestationManifest && annotations[referenceDigestKey] === image,
  );
}
