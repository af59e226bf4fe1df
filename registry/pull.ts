/** From a registry into a store: which image a name means, its manifest, and configuration and layers side by side. */
import type { BlobStore } from "../layerfs/store/blob-store.ts";
import type { Descriptor, Layer } from "../layerfs/store/descriptor.ts";
import { type Digest, digestOf } from "../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../native/error.ts";
import type { RegistryClient } from "./client.ts";
import { fromWhoHasIt } from "./from-who-has-it.ts";
import { artifactTypeOf, type ImageConfig, type Manifest } from "./oci/image.ts";
import { isIndexType, isManifestType, maxConfigBytes, parseConfig, parseIndex, parseManifest } from "./oci/schema.ts";
import type { Reference } from "./reference.ts";
import type { FetchedManifest, Repository } from "./repository.ts";
import { distinct, type OnProgress, reported, sideBySide, withoutBytes } from "./side-by-side.ts";

/** Where pulled content goes. */
export type PullStore = BlobStore;

/** Picks one image of an index; undefined when none fits. May throw an error of its own. */
export type Choose = (manifests: readonly Descriptor[]) => Descriptor | undefined;

export interface ResolveOptions {
  readonly choose: Choose;
  readonly signal?: AbortSignal;
}

export interface FetchOptions {
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

export interface PullOptions extends ResolveOptions, FetchOptions {
  /** Downloads at a time; default 4. */
  readonly concurrency?: number;
  /** Manifest and configuration alone: the caller knows of the layers from then on, and where they are. */
  readonly lazy?: boolean;
}

/** An image as a registry has it, before any of its layers were fetched. */
export interface ResolvedImage {
  /** The manifest of the image for one platform. */
  readonly descriptor: Descriptor;
  /** What the name itself means: the same manifest, or the index that it was chosen from. */
  readonly named: FetchedManifest;
  readonly manifest: FetchedManifest & { readonly content: Manifest };
  readonly config: FetchedManifest & { readonly content: ImageConfig };
  /** Bottom first. */
  readonly layers: readonly Layer[];
}

export interface PulledImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
}

const defaultConcurrency = 4;
/** An index that names an index is legal; a tower of them is an attack. */
const maxIndexDepth = 3;

/**
 * Fetches manifest and configuration only, for builds that may never need the layers. Nothing is stored.
 * Throws REG_NOT_FOUND, REG_PLATFORM (lists what there is), REG_MANIFEST, REG_CONFIG, REG_DIGEST_MISMATCH.
 */
export async function resolveImage(
  repository: Repository,
  tagOrDigest: string,
  options: ResolveOptions,
): Promise<ResolvedImage> {
  return withConfig(repository, await findManifest(repository, tagOrDigest, options), options.signal);
}

type FoundManifest = Pick<ResolvedImage, "named" | "manifest">;

async function findManifest(
  repository: Repository,
  tagOrDigest: string,
  { choose }: ResolveOptions,
): Promise<FoundManifest> {
  const named = await repository.manifest(tagOrDigest);
  const image = await chosen(repository, named, choose, 0);
  if (!isManifestType(image.mediaType)) throw noImage(repository, image.mediaType);
  const content = parseManifest(image.bytes, image.mediaType);
  const artifactType = artifactTypeOf(content);
  if (artifactType !== undefined) throw noImage(repository, artifactType);
  return { named, manifest: { ...image, content } };
}

/** Told before anything is fetched of it, and before its parts are called a damaged image. */
function noImage({ registry, name }: Repository, type: string): WbuildError {
  return new WbuildError("REG_MANIFEST", `${registry}/${name} is no container image but ${type.slice(0, 100)}`, {
    facts: { type: type.slice(0, 100) },
    hint: "`wbuild copy` takes artifacts from place to place as they are; `wbuild manifest show` tells what is in one",
  });
}

async function withConfig(
  repository: Repository,
  { named, manifest }: FoundManifest,
  signal: AbortSignal | undefined,
  known?: BlobStore,
): Promise<ResolvedImage> {
  const config = await fetchConfig(repository, manifest.content.config, signal, known);
  const diffIds = config.content.rootfs.diff_ids;
  const blobs = manifest.content.layers;
  if (diffIds.length !== blobs.length)
    throw new WbuildError(
      "REG_MANIFEST",
      `the manifest of ${repository.registry}/${repository.name} has ${blobs.length} layers, its configuration ${diffIds.length}`,
      { facts: { layers: blobs.length, diffIds: diffIds.length } },
    );
  const layers = blobs.map((blob, i) => ({ blob, diffId: diffIds[i] as Digest }));
  return { descriptor: manifest.descriptor, named, manifest, config, layers };
}

/** Brings a whole image into a store, or with `lazy` all but its layers, byte for byte. Throws what resolveImage and fetchBlob throw. */
export async function pullImage(
  client: RegistryClient,
  reference: Reference,
  into: PullStore,
  options: PullOptions,
): Promise<PulledImage> {
  const repository = client.repository(reference);
  const found = await findManifest(repository, reference.digest ?? reference.tag ?? "latest", options);
  const { config, layers } = found.manifest.content;
  let image!: ResolvedImage;
  const blobs = [config, ...(options.lazy ? [] : distinct(layers))];
  await sideBySide(blobs, options.concurrency ?? defaultConcurrency, options.signal, async (blob, signal) => {
    if (blob !== config) return fetchBlob(repository, blob, into, { ...options, signal });
    image = await withConfig(repository, found, signal, into);
    await store(image.config, into);
  });
  // The manifest comes last: a store that has it has all that it names, or was told to do without.
  await store(image.manifest, into);
  return {
    descriptor: image.descriptor,
    manifest: image.manifest.content,
    config: image.config.content,
    layers: image.layers,
  };
}

/**
 * Brings one blob into the store unless it is there; a store that keeps parts goes on where an earlier try was broken off.
 * Throws REG_NOT_FOUND, REG_DIGEST_MISMATCH, REG_SIZE_MISMATCH.
 */
export async function fetchBlob(
  repository: Repository,
  blob: Descriptor,
  into: PullStore,
  options: FetchOptions = {},
): Promise<void> {
  const { digest, size, mediaType } = blob;
  const { onProgress } = options;
  const event = { digest, label: labelOf(digest), total: size };
  if ((await into.has(digest)) === size) {
    onProgress?.({ ...event, done: size, ...withoutBytes("present") });
    return;
  }
  const openAt = (from: number) => {
    const bytes = repository.blob(blob, from, options.signal);
    return onProgress ? reported(bytes, event, onProgress, from) : bytes;
  };
  try {
    await fromWhoHasIt(repository, digest, async () => {
      // What comes from a socket nobody else has.
      if (into.fetch) await into.fetch(blob, openAt, { areSpent: true, signal: options.signal });
      else await into.put(openAt(0), { mediaType, digest, size });
    });
  } catch (error) {
    throw explained(error, repository, blob);
  }
}

/** The short form of a digest that people know from docker. */
export function labelOf(digest: Digest): string {
  return digest.slice("sha256:".length, "sha256:".length + 12);
}

async function chosen(
  repository: Repository,
  found: FetchedManifest,
  choose: Choose,
  depth: number,
): Promise<FetchedManifest> {
  if (!isIndexType(found.mediaType)) return found;
  if (depth === maxIndexDepth)
    throw new WbuildError(
      "REG_MANIFEST",
      `${repository.registry}/${repository.name} has indexes in indexes in indexes`,
    );
  const { manifests } = parseIndex(found.bytes, found.mediaType);
  const choice = choose(manifests);
  if (!choice) {
    const offered = manifests.map(({ platform }) => describePlatform(platform)).filter((text) => text !== undefined);
    throw new WbuildError(
      "REG_PLATFORM",
      `${repository.registry}/${repository.name} has no image for the platform that is wanted`,
      { facts: { offered }, hint: `it has: ${offered.slice(0, 50).join(", ") || "none that names a platform"}` },
    );
  }
  return chosen(repository, await repository.manifest(choice), choose, depth + 1);
}

function describePlatform(platform: Descriptor["platform"]): string | undefined {
  // Attestations lie beside images under a platform that nobody has.
  if (!platform || platform.os === "unknown") return undefined;
  const { os, architecture, variant, "os.version": version } = platform;
  const text = `${os}/${architecture}${variant ? `/${variant}` : ""}${version ? ` (${version})` : ""}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: foreign text must not steer a terminal
  return text.slice(0, 100).replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}

/** From `known` when it is there: to look at what did not change takes the manifest alone. */
async function fetchConfig(
  repository: Repository,
  blob: Descriptor,
  signal: AbortSignal | undefined,
  known: BlobStore | undefined,
) {
  if (blob.size > maxConfigBytes)
    throw new WbuildError(
      "REG_CONFIG",
      `image configuration has ${blob.size} bytes, more than the ${maxConfigBytes} that are accepted`,
    );
  const bytes = await fromWhoHasIt(repository, blob.digest, async () => {
    const parts: Uint8Array[] = [];
    const isKnown = (await known?.has(blob.digest)) === blob.size;
    for await (const part of known && isKnown ? known.open(blob) : repository.blob(blob, 0, signal)) parts.push(part);
    const found = Buffer.concat(parts);
    if (digestOf(found) !== blob.digest) throw mismatch(repository, blob.digest, undefined);
    return found;
  });
  return { bytes, mediaType: blob.mediaType, descriptor: blob, content: parseConfig(bytes) };
}

async function store({ bytes, mediaType, descriptor }: FetchedManifest, into: PullStore): Promise<void> {
  await into.put(bytes, { mediaType, digest: descriptor.digest, size: bytes.length });
}

/** The store found that content is not what its name says; people want to know whose content that was. */
function explained(error: unknown, repository: Repository, { digest, urls = [] }: Descriptor): unknown {
  const isWrong = isWbuildError(error, "STORE_DIGEST_MISMATCH") || isWbuildError(error, "STORE_SIZE_MISMATCH");
  return isWrong ? mismatch(repository, digest, error, urls.length > 0) : error;
}

function mismatch(repository: Repository, digest: Digest, cause: unknown, hasUrls = false): WbuildError {
  const who = `${repository.registry}/${repository.name}${hasUrls ? ", or an address that the layer itself names," : ""}`;
  return new WbuildError(
    "REG_DIGEST_MISMATCH",
    `${who} sent wrong content for blob ${digest}; nothing of it was kept`,
    {
      facts: { registry: repository.registry, repository: repository.name, expected: digest },
      hint: "try again; if it stays so, the registry is damaged or something on the way changes content",
      cause,
    },
  );
}
