/** Sigstore bundles beside an image: one JSON document with statement, signature and what vouches for the key. */
import type { Bundle } from "@sigstore/bundle";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../oci/image.ts";
import { isManifestType, parseJson, parseManifest } from "../oci/schema.ts";
import type { Repository } from "../repository.ts";
import { signPredicate, statementMediaType } from "./claim.ts";
import { fetchBlob } from "./fetch-blob.ts";

const bundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const bundleTypePattern = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v\d+\.\d+\+json|\+json(?:;.*)?)$/;
const emptyType = "application/vnd.oci.empty.v1+json";
const predicateKey = "dev.sigstore.bundle.predicateType";
const maxBundleBytes = 4 * 1024 * 1024;
/** More are not looked at: each costs requests and a computation. */
const maxBundles = 1000;

/** What a signature over a statement is taken of (DSSE, "Pre-Authentication Encoding"). */
export function preAuthEncoding(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** A bundle as JSON from a signed statement. `certificate` is DER; without it, `hint` names the key. */
export async function writeBundle(parts: {
  readonly statement: Buffer;
  readonly signature: Buffer;
  readonly hint?: string;
  readonly certificate?: Buffer;
  /** Entries of a transparency log, as JSON of a bundle has them. */
  readonly tlogEntries?: readonly object[];
}): Promise<Buffer> {
  const { bundleToJSON, toDSSEBundle } = await import("@sigstore/bundle");
  const bundle = toDSSEBundle({
    artifact: parts.statement,
    artifactType: statementMediaType,
    signature: parts.signature,
    ...(parts.certificate ? { certificate: parts.certificate } : { keyHint: parts.hint ?? "" }),
  });
  // The hint belongs to the verification material; inside the envelope it is not expected.
  for (const signature of bundle.content.dsseEnvelope.signatures) signature.keyid = "";
  const json = bundleToJSON(bundle);
  const tlogEntries = parts.tlogEntries ?? [];
  return Buffer.from(JSON.stringify({ ...json, verificationMaterial: { ...json.verificationMaterial, tlogEntries } }));
}

/** Throws REG_SIGNATURE for what is no bundle around one signature. */
export async function parseBundle(bytes: Uint8Array): Promise<Bundle> {
  const json = parseJson(bytes, maxBundleBytes, "REG_SIGNATURE", "the signature's bundle");
  return bundleOf(json);
}

/** The same of JSON. */
export async function bundleOf(json: object): Promise<Bundle> {
  const { bundleFromJSON } = await import("@sigstore/bundle");
  try {
    return bundleFromJSON(json);
  } catch (cause) {
    throw new WbuildError("REG_SIGNATURE", "the signature's bundle is malformed", { cause });
  }
}

/** Puts a bundle beside the image that it is about, as an artifact that refers to it. */
export async function attachBundle(repository: Repository, subject: Descriptor, bundle: Buffer): Promise<Descriptor> {
  const empty = Buffer.from("{}");
  const config = { mediaType: emptyType, digest: digestOf(empty), size: empty.length };
  const layer = { mediaType: bundleMediaType, digest: digestOf(bundle), size: bundle.length };
  await repository.pushBlob(config, () => one(empty));
  await repository.pushBlob(layer, () => one(bundle));
  const { mediaType, digest, size } = subject;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: bundleMediaType,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      [predicateKey]: signPredicate,
      "org.opencontainers.image.created": new Date().toISOString(),
    },
  };
  return repository.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest);
}

/** What may be bundles with signatures of an image among those that refer to it; each gives its bytes, if it is one. */
export function findBundles(
  repository: Repository,
  referrers: readonly Descriptor[],
): (() => Promise<Uint8Array | undefined>)[] {
  const own = referrers.filter(mayBeSignature);
  if (own.length > maxBundles)
    throw new WbuildError("REG_SIGNATURE", `the image has ${own.length} signatures, too many to check`);
  return own.map((referrer) => async () => {
    const { bytes, mediaType } = await repository.manifest(referrer);
    if (!isManifestType(mediaType)) return undefined;
    const { layers, annotations } = parseManifest(bytes, mediaType);
    const [layer] = layers;
    const isBundle =
      layer !== undefined &&
      bundleTypePattern.test(layer.mediaType) &&
      (annotations?.[predicateKey] ?? signPredicate) === signPredicate;
    return isBundle ? fetchBlob(repository, layer, maxBundleBytes) : undefined;
  });
}

/**
 * Registries and other clients may leave the annotations out of the list; cosign 3, where it keeps the list, also writes the
 * type of the configuration for that of the artifact. The manifest itself is asked then.
 */
function mayBeSignature({ artifactType = emptyType, annotations }: Descriptor): boolean {
  if (artifactType !== emptyType && !bundleTypePattern.test(artifactType)) return false;
  return (annotations?.[predicateKey] ?? signPredicate) === signPredicate;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
