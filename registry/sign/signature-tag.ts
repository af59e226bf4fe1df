/**
 * Signatures as cosign keeps them: a manifest whose layers are signed claims, each with its signature as an annotation. It
 * has a tag made of the image's digest, or refers to the image.
 */
import * as v from "valibot";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf, hexOf } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { type Manifest, mediaTypes } from "../oci/image.ts";
import { isManifestType, parseManifest } from "../oci/schema.ts";
import type { Repository } from "../repository.ts";
import { maxClaimBytes } from "./claim.ts";
import { fetchBlob } from "./fetch-blob.ts";

export const claimMediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Type of the configuration of a manifest that refers to its image. */
const artifactMediaType = "application/vnd.dev.cosign.artifact.sig.v1+json";
const signatureKey = "dev.cosignproject.cosign/signature";
const certificateKey = "dev.sigstore.cosign/certificate";
const chainKey = "dev.sigstore.cosign/chain";
const logKey = "dev.sigstore.cosign/bundle";

/** More of them are not looked at: each costs a request and a computation. */
const maxSignatures = 1000;
/** How often a list that others overwrote is written again. */
const maxRounds = 8;

/** An entry of the transparency log, as cosign keeps it beside a signature. Numbers are as the log gave them. */
export interface LogEntry {
  /** Base64 of the log's own bytes, which the promise is about. */
  readonly body: string;
  /** Seconds since 1970. */
  readonly integratedTime: number;
  readonly logIndex: number;
  /** Hexadecimal. */
  readonly logID: string;
  /** Base64: the log's signature over the rest. */
  readonly signedEntryTimestamp: string;
}

export interface TagSignature {
  readonly claim: Uint8Array;
  readonly signature: Buffer;
  /** PEM of the certificate that vouches for the key. */
  readonly certificate?: string;
  /** PEM of those above it. */
  readonly chain?: string;
  readonly logEntry?: LogEntry;
}

const logSchema = v.object({
  SignedEntryTimestamp: v.string(),
  Payload: v.object({
    body: v.string(),
    integratedTime: v.pipe(v.number(), v.safeInteger()),
    logIndex: v.pipe(v.number(), v.safeInteger()),
    logID: v.pipe(v.string(), v.regex(/^[0-9a-f]{1,128}$/)),
  }),
});

/** Where the signatures of a digest are. */
export function signatureTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}.sig`;
}

/** A signature that is fetched when it is looked at: one that is damaged must not hide those beside it. */
export type FindSignature = () => Promise<TagSignature>;

/** All signatures under the tag; none is an empty list. Layers that are no signed claims are passed over. */
export async function readSignatureTag(repository: Repository, digest: Digest): Promise<TagSignature[]> {
  const found: TagSignature[] = [];
  for (const find of await findUnderTag(repository, digest)) found.push(await find());
  return found;
}

/** The same, unfetched. */
export async function findUnderTag(repository: Repository, digest: Digest): Promise<FindSignature[]> {
  const manifest = await readManifest(repository, digest);
  return claimsOf(repository, manifest?.layers ?? []);
}

/** What may be manifests of this form among those that refer to an image; each tells its signatures. */
export function findAmongReferrers(
  repository: Repository,
  referrers: readonly Descriptor[],
): (() => Promise<FindSignature[]>)[] {
  const own = referrers.filter(({ artifactType }) => artifactType === artifactMediaType).slice(0, maxSignatures);
  return own.map((referrer) => async () => {
    const { bytes, mediaType } = await repository.manifest(referrer);
    return isManifestType(mediaType) ? claimsOf(repository, parseManifest(bytes, mediaType).layers) : [];
  });
}

function claimsOf(repository: Repository, layers: readonly Descriptor[]): FindSignature[] {
  const claims = layers.filter(({ mediaType }) => mediaType === claimMediaType);
  if (claims.length > maxSignatures)
    throw new WbuildError("REG_SIGNATURE", `the image has ${claims.length} signatures, too many to check`);
  const fetched = new Map<Digest, Promise<Uint8Array>>();
  return claims.flatMap((layer) => {
    const { [signatureKey]: signature, [certificateKey]: certificate, [chainKey]: chain } = layer.annotations ?? {};
    if (signature === undefined) return [];
    return async () => {
      const claim = fetched.get(layer.digest) ?? fetchBlob(repository, layer, maxClaimBytes);
      fetched.set(layer.digest, claim);
      const logEntry = readLogEntry(layer.annotations?.[logKey]);
      return {
        claim: await claim,
        signature: Buffer.from(signature, "base64"),
        ...(certificate ? { certificate } : {}),
        ...(chain ? { chain } : {}),
        ...(logEntry ? { logEntry } : {}),
      };
    };
  });
}

/**
 * Puts a signature beside those that are there. Who does so at the same moment may overwrite the list: it is looked at
 * again until it has what was added. The protocol has no way to shut out one who read before and writes after that look.
 * Throws REG_UNAVAILABLE when others change it all the time.
 */
export async function addToSignatureTag(
  repository: Repository,
  digest: Digest,
  signature: TagSignature,
): Promise<void> {
  const layer = await pushClaim(repository, signature);
  const text = layer.annotations?.[signatureKey];
  const tag = signatureTag(digest);
  for (let round = 0; round <= maxRounds; round++) {
    const old = await readManifest(repository, digest);
    if (old?.layers.some((one) => one.digest === layer.digest && one.annotations?.[signatureKey] === text)) return;
    if (round === maxRounds) break;
    const layers = [...(old?.layers ?? []), layer];
    const config = await pushConfig(repository, layers, mediaTypes.ociConfig);
    const manifest = { schemaVersion: 2, ...old, mediaType: mediaTypes.ociManifest, config, layers };
    await repository.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest, tag);
  }
  throw new WbuildError(
    "REG_UNAVAILABLE",
    `the signatures under ${repository.registry}/${repository.name}:${tag} are being changed by others`,
    { facts: { registry: repository.registry, repository: repository.name, tag }, hint: "try again" },
  );
}

/** Puts a signature beside an image as a manifest of its own, which refers to it. */
export async function attachSignature(
  repository: Repository,
  { mediaType, digest, size }: Descriptor,
  signature: TagSignature,
): Promise<Descriptor> {
  const layers = [await pushClaim(repository, signature)];
  const config = await pushConfig(repository, layers, artifactMediaType);
  const subject = { mediaType, digest, size };
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers, subject };
  return repository.pushManifest(Buffer.from(JSON.stringify(manifest)), mediaTypes.ociManifest);
}

async function pushClaim(
  repository: Repository,
  { claim, signature, certificate, chain, logEntry }: TagSignature,
): Promise<Descriptor> {
  const layer: Descriptor = {
    mediaType: claimMediaType,
    digest: digestOf(claim),
    size: claim.length,
    annotations: {
      [signatureKey]: signature.toString("base64"),
      ...(certificate === undefined ? {} : { [certificateKey]: certificate }),
      ...(chain === undefined ? {} : { [chainKey]: chain }),
      ...(logEntry === undefined ? {} : { [logKey]: writeLogEntry(logEntry) }),
    },
  };
  await repository.pushBlob(layer, () => one(claim));
  return layer;
}

async function pushConfig(
  repository: Repository,
  layers: readonly Descriptor[],
  mediaType: string,
): Promise<Descriptor> {
  const bytes = Buffer.from(
    JSON.stringify({
      architecture: "",
      config: {},
      created: "0001-01-01T00:00:00Z",
      history: layers.map(() => ({ created: "0001-01-01T00:00:00Z" })),
      os: "",
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
    }),
  );
  const config = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await repository.pushBlob(config, () => one(bytes));
  return config;
}

async function readManifest(repository: Repository, digest: Digest): Promise<Manifest | undefined> {
  try {
    const { bytes, mediaType } = await repository.manifest(signatureTag(digest));
    if (isManifestType(mediaType)) return parseManifest(bytes, mediaType);
  } catch (error) {
    if (isWbuildError(error, "REG_NOT_FOUND")) return undefined;
    throw error;
  }
  throw new WbuildError("REG_SIGNATURE", `tag ${signatureTag(digest)} holds something else than signatures`);
}

/** Undefined when there is none, or one that cannot be read: then nothing vouches for the time. */
function readLogEntry(json: string | undefined): LogEntry | undefined {
  if (json === undefined) return undefined;
  try {
    const found = v.safeParse(logSchema, JSON.parse(json));
    if (!found.success) return undefined;
    return { ...found.output.Payload, signedEntryTimestamp: found.output.SignedEntryTimestamp };
  } catch {
    return undefined;
  }
}

function writeLogEntry({ signedEntryTimestamp, body, integratedTime, logIndex, logID }: LogEntry): string {
  return JSON.stringify({
    SignedEntryTimestamp: signedEntryTimestamp,
    Payload: { body, integratedTime, logIndex, logID },
  });
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
