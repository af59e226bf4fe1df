/** Layers of stored images that were left where they were: which they are, where they can be had, and how they come here. */
import { existsSync } from "node:fs";
import { readDiffId } from "../../../layerfs/layer/diff-id.ts";
import type { Descriptor, Layer } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { BlobSource, ConnectionException, LayoutSource, RegistrySource } from "../../../layerfs/store/sources.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import type { Image } from "../../../registry/oci/image.ts";
import { formatName, isLocalOnly, parseReference } from "../../../registry/reference.ts";
import type { OnProgress } from "../../../registry/side-by-side.ts";
import { layersOf } from "./base-image.ts";

/** A layer that is not here, and where it can be had: the best place first. */
export interface LeftLayer extends Layer {
  readonly sources: readonly BlobSource[];
}

/**
 * The layers of images that were left elsewhere, each once. One that is not here and of which nobody knows where it can be
 * had is lost, and not among them. Throws IMG_LAYERS.
 */
export async function leftLayers(store: Store, images: readonly Image[]): Promise<LeftLayer[]> {
  // By both digests: what is right of one image's layer says nothing of another's that claims another diffID for it.
  const left = new Map<string, LeftLayer>();
  for (const { manifest, config } of images) {
    for (const layer of layersOf(manifest, config)) {
      // Of most stores nothing was left anywhere: that is asked first.
      const key = `${layer.blob.digest} ${layer.diffId}`;
      const sources = left.has(key) ? [] : store.sources.find(layer.blob.digest);
      if (sources.length > 0 && !(await isReady(store, layer, sources))) left.set(key, { ...layer, sources });
    }
  }
  return [...left.values()];
}

/** Here, and where its diffID is somebody's mere word, proved. */
export async function isReady(store: Store, { blob, diffId }: Layer, sources: readonly BlobSource[]): Promise<boolean> {
  if ((await store.blobs.has(blob.digest)) !== blob.size) return false;
  return sources.every(({ claimed }) => claimed === undefined) || store.layers.byBlob(blob.digest)?.diffId === diffId;
}

/** Repositories of a registry that are noted to have a blob: who pushes there can have it mounted. */
export function repositoriesWith(store: Store, digest: Digest, registry: string): string[] {
  const isThere = (source: BlobSource): source is RegistrySource => !isLayout(source) && source.registry === registry;
  return store.sources
    .find(digest)
    .filter(isThere)
    .map(({ repository }) => repository);
}

export function isLayout(source: BlobSource): source is LayoutSource {
  return "layout" in source;
}

/** As people would name the place themselves: an image of a registry, or a folder. */
export function placeOf(source: BlobSource): string {
  return isLayout(source) ? source.layout : formatName(parseReference(source.reference), { familiar: true });
}

/** What the store notes of an image's layers; undefined for a name that is on this host alone. Throws REG_REFERENCE. */
export function sourceOf(reference: string, exception?: ConnectionException): RegistrySource | undefined {
  const { registry, repository } = parseReference(reference);
  if (isLocalOnly({ registry })) return undefined;
  return { registry, repository, reference, ...(exception === undefined ? {} : { exception }) };
}

export interface BringWorld {
  readonly store: Store;
  readonly registry: () => Promise<RegistryClient>;
}

export interface BringOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: OnProgress;
}

/**
 * Brings a layer into the store, unless it is there, from the first place that gives it. Throws REG_FETCH and, for a folder,
 * IMG_INCOMPLETE, which name the place and what to try; IMG_LAYERS for a layer that is not what a build cache said; STORE_*.
 */
export async function bringLayer(layer: LeftLayer, world: BringWorld, options: BringOptions): Promise<void> {
  const { store } = world;
  const { signal } = options;
  const { blob, sources } = layer;
  if (await isReady(store, layer, sources)) return;
  let failure: { readonly source: BlobSource; readonly error: unknown } | undefined;
  for (const source of sources) {
    try {
      await fetchFrom(source, blob, world, options);
      return await prove(store, layer, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A full disk is full for the next place, too; and content that is not what it was said to be is so from anywhere.
      if (isWbuildError(error) && (error.code.startsWith("STORE_") || error.code === "IMG_LAYERS")) throw error;
      // Of several it is a registry that people can do something about.
      if (failure === undefined || (isLayout(failure.source) && !isLayout(source))) failure = { source, error };
    }
  }
  throw failure === undefined ? new TypeError("a layer that was left nowhere") : unreachable(layer, failure);
}

async function fetchFrom(
  source: BlobSource,
  blob: Descriptor,
  { store, registry }: BringWorld,
  { signal, onProgress }: BringOptions,
): Promise<void> {
  const options = { signal, ...(onProgress ? { onProgress } : {}) };
  if (isLayout(source)) {
    const { fetchFromLayout } = await import("../../../registry/copy/layout-blob.ts");
    return fetchFromLayout(source.layout, blob, store.blobs, options);
  }
  const repository = (await registry()).repository(source, { exception: source.exception });
  const { fetchBlob } = await import("../../../registry/pull.ts");
  await fetchBlob(repository, blob, store.blobs, options);
}

/** Attack: a cache gives a layer the diffID of another; who saves or pushes the image would pass that on unread. */
async function prove(store: Store, { blob, diffId, sources }: LeftLayer, signal: AbortSignal): Promise<void> {
  if (sources.every(({ claimed }) => claimed === undefined)) return;
  const found = await readDiffId(store.blobs.open(blob), signal);
  if (found.diffId !== diffId)
    throw new WbuildError(
      "IMG_LAYERS",
      `layer ${blob.digest} is not what a build cache said: its diffID is ${found.diffId}`,
      {
        facts: { digest: blob.digest, expected: diffId, found: found.diffId },
        hint: "build the image again without that cache",
      },
    );
  store.layers.record({ blob, diffId }, { uncompressedSize: found.uncompressedSize });
}

function unreachable(
  { blob }: LeftLayer,
  { source, error }: { readonly source: BlobSource; readonly error: unknown },
): WbuildError {
  if (isLayout(source)) return unreadable(blob, source.layout, error);
  const why = error instanceof Error ? error.message : String(error);
  const { registry, repository } = source;
  const cause = isWbuildError(error) ? error : undefined;
  const isGone = cause?.code === "REG_NOT_FOUND";
  const advice = adviceOn(source, isGone);
  // What the registry says of a login or of a plain connection comes before what else could be tried.
  const hint = cause?.hint === undefined || isGone ? advice : `${cause.hint}; ${advice}`;
  return new WbuildError(
    "REG_FETCH",
    `layer ${blob.digest} was left in ${registry}/${repository}, which does not give it: ${why}`,
    { facts: { registry, repository, digest: blob.digest }, hint, cause: error },
  );
}

function adviceOn({ reference, claimed }: RegistrySource, isGone: boolean): string {
  // A build cache's name is seldom that of an image.
  if (claimed !== undefined)
    return isGone ? "build the image again" : "try again when the registry gives it, or build the image again";
  return isGone
    ? `\`wbuild pull ${reference}\` fetches what that name means now; if it has no such layer any more, build the image again`
    : `\`wbuild pull ${reference}\` fetches what is missing, as soon as the registry gives it`;
}

function unreadable({ digest }: Descriptor, layout: string, error: unknown): WbuildError {
  const isLacking = isWbuildError(error, "REG_INCOMPLETE");
  const lacking = existsSync(layout) ? "it has no such blob, or only a part of it" : "there is no such folder any more";
  const why = isLacking ? lacking : error instanceof Error ? error.message : String(error);
  return new WbuildError(
    "IMG_INCOMPLETE",
    `layer ${digest} was left in the build cache ${layout}, which does not give it: ${why}`,
    {
      facts: { layout, digest },
      hint: "build the image again; without --lazy it does not depend on that folder",
      // Of errors with a code the innermost would count, and that is one of copies.
      ...(isWbuildError(error) ? {} : { cause: error }),
    },
  );
}
