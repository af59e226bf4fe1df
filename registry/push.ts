/** From a store to a registry, byte for byte: blobs side by side, then the configuration, then the manifest that names them. */
import type { BlobStore } from "../layerfs/store/blob-store.ts";
import type { Descriptor } from "../layerfs/store/descriptor.ts";
import type { Digest } from "../layerfs/store/digest.ts";
import { WbuildError } from "../native/error.ts";
import type { RegistryClient } from "./client.ts";
import { isForeign } from "./oci/image.ts";
import { isIndexType, isManifestType, maxManifestBytes, parseIndex, parseManifest } from "./oci/schema.ts";
import { labelOf } from "./pull.ts";
import type { Reference } from "./reference.ts";
import type { Repository } from "./repository.ts";
import { distinct, type OnProgress, reported, sideBySide } from "./side-by-side.ts";

export interface PushOptions {
  /** Repositories of the same registry that are known to hold a blob. */
  readonly mountFrom?: (digest: Digest) => readonly string[];
  /** Fetches a blob that the store lacks; asked for only when the registry lacks it, too. */
  readonly bring?: (blob: Descriptor) => Promise<void>;
  /** Sends foreign layers (see isForeign) too; without it, their descriptors alone. */
  readonly allowNondistributable?: boolean;
  readonly onProgress?: OnProgress;
  /** Uploads at a time; default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

export interface PushResult {
  readonly descriptor: Descriptor;
  /** How many blobs went which way. */
  readonly sent: number;
  readonly mounted: number;
  readonly present: number;
  /** Foreign layers whose bytes stay where their descriptors say. */
  readonly leftOut: number;
}

const defaultConcurrency = 4;
const maxIndexDepth = 3;

/**
 * Pushes an image or an index with all its images, and tags it. Throws REG_INCOMPLETE when the store lacks a part,
 * and what Repository.pushBlob and pushManifest throw.
 */
export async function pushImage(
  client: RegistryClient,
  descriptor: Descriptor,
  reference: Reference,
  from: BlobStore,
  options: PushOptions = {},
): Promise<PushResult> {
  const repository = client.repository(reference, { isTarget: true });
  const counts = { sent: 0, mounted: 0, present: 0, leftOut: 0 };
  await pushTree(repository, descriptor, reference.tag, from, options, counts, 0);
  return { descriptor, ...counts };
}

type Counts = Record<"sent" | "mounted" | "present" | "leftOut", number>;

async function pushTree(
  repository: Repository,
  descriptor: Descriptor,
  tag: string | undefined,
  from: BlobStore,
  options: PushOptions,
  counts: Counts,
  depth: number,
): Promise<void> {
  const bytes = await readManifest(descriptor, from);
  if (isIndexType(descriptor.mediaType) && depth < maxIndexDepth) {
    // Children first: registries refuse an index that names what they do not have.
    for (const child of parseIndex(bytes, descriptor.mediaType).manifests)
      await pushTree(repository, child, undefined, from, options, counts, depth + 1);
  } else if (isManifestType(descriptor.mediaType)) {
    const { layers, config } = parseManifest(bytes, descriptor.mediaType);
    const limit = options.concurrency ?? defaultConcurrency;
    await sideBySide(distinct(layers), limit, options.signal, (blob, signal) =>
      pushBlob(repository, blob, from, { ...options, signal }, counts),
    );
    await pushBlob(repository, config, from, options, counts);
  } else if (isIndexType(descriptor.mediaType)) {
    throw new WbuildError(
      "REG_MANIFEST",
      `the image to push to ${repository.registry} has indexes in indexes in indexes`,
    );
  }
  // What is neither is carried as it is: whether it can be used is a question for those who know its type.
  await repository.pushManifest(bytes, descriptor.mediaType, tag);
}

async function pushBlob(
  repository: Repository,
  blob: Descriptor,
  from: BlobStore,
  options: PushOptions,
  counts: Counts,
): Promise<void> {
  const { onProgress, signal } = options;
  const event = { digest: blob.digest, label: labelOf(blob.digest), total: blob.size };
  // Layers that only their maker may serve stay with their maker; a registry needs just their descriptor.
  if (isForeign(blob) && options.allowNondistributable !== true) {
    counts.leftOut++;
    onProgress?.({ ...event, done: blob.size });
    return;
  }
  const isHere = async () => (await from.has(blob.digest)) !== undefined;
  // A blob that was never fetched (a lazily resolved base) may be there already, or in another repository.
  if (!options.bring && !(await isHere()) && !(await isElsewhere(repository, blob, options))) throw incomplete(blob);
  const bytes = async function* (at: number) {
    if (!(await isHere())) await options.bring?.(blob);
    if (!(await isHere())) throw incomplete(blob);
    yield* from.open(blob, { from: at });
  };
  const openAt = (at: number) => (onProgress ? reported(bytes(at), event, onProgress, at) : bytes(at));
  const how = await repository.pushBlob(blob, () => openAt(0), {
    openAt,
    mountFrom: options.mountFrom?.(blob.digest) ?? [],
    ...(signal ? { signal } : {}),
  });
  counts[how]++;
  if (how !== "sent") onProgress?.({ ...event, done: blob.size });
}

function incomplete({ digest }: Descriptor): WbuildError {
  return new WbuildError("REG_INCOMPLETE", `blob ${digest} of the image is not in the store`, {
    facts: { digest },
    hint: "pull or build the image again",
  });
}

async function isElsewhere(repository: Repository, blob: Descriptor, options: PushOptions): Promise<boolean> {
  return (options.mountFrom?.(blob.digest).length ?? 0) > 0 || (await repository.hasBlob(blob.digest));
}

async function readManifest(descriptor: Descriptor, from: BlobStore): Promise<Uint8Array> {
  if ((await from.has(descriptor.digest)) === undefined)
    throw new WbuildError("REG_INCOMPLETE", `manifest ${descriptor.digest} is not in the store`, {
      facts: { digest: descriptor.digest },
      hint: "pull the image for the platforms that it names",
    });
  if (descriptor.size > maxManifestBytes)
    throw new WbuildError(
      "REG_MANIFEST",
      `manifest ${descriptor.digest} has ${descriptor.size} bytes, too many for a registry`,
    );
  const parts: Uint8Array[] = [];
  for await (const part of from.open(descriptor)) parts.push(part);
  return Buffer.concat(parts);
}
