/** Layers of stored images that were left in a registry: which they are, where they can be had, and how they come here. */
import { readDiffId } from "../../../layerfs/layer/diff-id.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { BlobSource, ConnectionException } from "../../../layerfs/store/sources.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import type { Image } from "../../../registry/oci/image.ts";
import { formatName, isLocalOnly, parseReference } from "../../../registry/reference.ts";
import { type OnProgress, Slots } from "../../../registry/side-by-side.ts";
import { layersOf } from "./base-image.ts";

/** A layer that is not here, and where it can be had: the best place first. */
export interface LeftLayer extends Layer {
  readonly sources: readonly BlobSource[];
}

/**
 * The layers of images that were left in a registry, each once. One that is not here and of which nobody knows where it can be
 * had is lost, and not among them. Throws IMG_LAYERS.
 */
export async function leftLayers(store: Store, images: readonly Image[]): Promise<LeftLayer[]> {
  const left = new Map<Digest, LeftLayer>();
  for (const { manifest, config } of images) {
    for (const layer of layersOf(manifest, config)) {
      // Of most stores nothing was left anywhere: that is asked first.
      const sources = left.has(layer.blob.digest) ? [] : store.sources.find(layer.blob.digest);
      if (sources.length > 0 && !(await isReady(store, layer, sources)))
        left.set(layer.blob.digest, { ...layer, sources });
    }
  }
  return [...left.values()];
}

/** Here, and where its diffID is somebody's mere word, proved. */
async function isReady(store: Store, { blob, diffId }: Layer, sources: readonly BlobSource[]): Promise<boolean> {
  if ((await store.blobs.has(blob.digest)) !== blob.size) return false;
  return sources.every(({ claimed }) => claimed === undefined) || store.layers.byBlob(blob.digest)?.diffId === diffId;
}

/** Repositories of a registry that are noted to have a blob: who pushes there can have it mounted. */
export function repositoriesWith(store: Store, digest: Digest, registry: string): string[] {
  return store.sources.find(digest).flatMap((source) => (source.registry === registry ? [source.repository] : []));
}

/** What the store notes of an image's layers; undefined for a name that is on this host alone. Throws REG_REFERENCE. */
export function sourceOf(reference: string, exception?: ConnectionException): BlobSource | undefined {
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
 * Brings a layer into the store, unless it is there, from the first place that gives it. Throws REG_FETCH, which names the
 * place and what to try; IMG_LAYERS for a layer that is not what a build cache said; STORE_*.
 */
export async function bringLayer(
  layer: LeftLayer,
  { store, registry }: BringWorld,
  { signal, onProgress }: BringOptions,
): Promise<void> {
  const { blob, sources } = layer;
  if (await isReady(store, layer, sources)) return;
  const { fetchBlob } = await import("../../../registry/pull.ts");
  let failure: { readonly source: BlobSource; readonly error: unknown } | undefined;
  for (const source of sources) {
    try {
      const repository = (await registry()).repository(source, { exception: source.exception });
      await fetchBlob(repository, blob, store.blobs, { signal, ...(onProgress ? { onProgress } : {}) });
      return await prove(store, layer, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A full disk is full for the next place, too; and content that is not what it was said to be is so from anywhere.
      if (isWbuildError(error) && (error.code.startsWith("STORE_") || error.code === "IMG_LAYERS")) throw error;
      failure ??= { source, error };
    }
  }
  throw failure === undefined ? new TypeError("a layer that was left nowhere") : unreachable(layer, failure);
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
  { source: { registry, repository, reference }, error }: { readonly source: BlobSource; readonly error: unknown },
): WbuildError {
  const why = error instanceof Error ? error.message : String(error);
  const cause = isWbuildError(error) ? error : undefined;
  const isGone = cause?.code === "REG_NOT_FOUND";
  const advice = isGone
    ? `\`wbuild pull ${reference}\` fetches what that name means now; if it has no such layer any more, build the image again`
    : `\`wbuild pull ${reference}\` fetches what is missing, as soon as the registry gives it`;
  // What the registry says of a login or of a plain connection comes before what else could be tried.
  const hint = cause?.hint === undefined || isGone ? advice : `${cause.hint}; ${advice}`;
  return new WbuildError(
    "REG_FETCH",
    `layer ${blob.digest} was left in ${registry}/${repository}, which does not give it: ${why}`,
    { facts: { registry, repository, digest: blob.digest }, hint, cause: error },
  );
}

export interface BaseWorld extends BringWorld {
  readonly exception?: ConnectionException | undefined;
  /** Tells people of transfers; those with the same title belong together. */
  readonly told?: (
    title: string,
    transfer: (onProgress?: OnProgress) => Promise<void>,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Transfers begin before somebody waits for them: told of each. */
  readonly background?: (transfer: Promise<void>) => void;
}

/** A base's layer: where it is, and how it comes here. */
export interface BaseLayer {
  readonly reference: string;
  readonly source?: BlobSource;
  fetch(): Promise<void>;
}

/** Downloads at a time. */
const concurrency = 4;

/**
 * Layers of bases by the base's full reference; each is brought once however many ask, a few at a time. `exception`: for bases
 * that are named now. `fetch` throws as bringLayer, REG_*.
 */
export function baseLayers(world: BaseWorld, signal: AbortSignal): (reference: string, layer: Layer) => BaseLayer {
  const running = new Map<Digest, Promise<void>>();
  const slots = new Slots(concurrency);
  const { told = (_title, transfer) => transfer() } = world;
  const title = (reference: string) => `fetch ${formatName(parseReference(reference), { familiar: true })}`;
  const once = (reference: string, layer: Layer): Promise<void> => {
    let work = running.get(layer.blob.digest);
    if (!work) {
      work = bringBase(reference, layer, world, signal, (bring) =>
        slots.use(() => told(title(reference), bring, signal)),
      ).catch((error: unknown) => {
        throw isWbuildError(error)
          ? error
          : new WbuildError("REG_FETCH", `cannot fetch a layer of ${reference}`, { cause: error });
      });
      running.set(layer.blob.digest, work);
      world.background?.(work);
    }
    return work;
  };
  return (reference, layer) => {
    const [source] = sourcesOfBase(world, reference, layer);
    return {
      reference: source?.reference ?? reference,
      ...(source === undefined ? {} : { source }),
      fetch: () => once(reference, layer),
    };
  };
}

async function bringBase(
  reference: string,
  layer: Layer,
  world: BaseWorld,
  signal: AbortSignal,
  transfer: (bring: (onProgress?: OnProgress) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { store, registry } = world;
  const { blob } = layer;
  const options = (onProgress?: OnProgress) => ({ signal, ...(onProgress ? { onProgress } : {}) });
  if (store.sources.find(blob.digest).length > 0) {
    const left = { ...layer, sources: sourcesOfBase(world, reference, layer) };
    if (await isReady(store, left, left.sources)) return;
    return transfer((onProgress) => bringLayer(left, world, options(onProgress)));
  }
  if ((await store.blobs.has(blob.digest)) === blob.size) return;
  await transfer(async (onProgress) => {
    const repository = (await registry()).repository(parseReference(reference));
    const { fetchBlob } = await import("../../../registry/pull.ts");
    await fetchBlob(repository, blob, store.blobs, options(onProgress));
  });
}

/**
 * Where a layer of a base can be had. A name that the store itself gives to an image with this layer says nothing of a
 * registry (it may have been built here): there what is noted of the layer counts alone.
 */
function sourcesOfBase({ store, exception }: BaseWorld, reference: string, { blob }: Layer): BlobSource[] {
  const isOwn = store.refs.get(reference)?.keeps.includes(blob.digest) === true;
  const named = isOwn ? undefined : sourceOf(reference, exception);
  const known = store.sources.find(blob.digest);
  if (named === undefined) return known;
  const isNamed = (one: BlobSource) => one.registry === named.registry && one.repository === named.repository;
  // What was allowed of that place before still is.
  const before = known.find(isNamed)?.exception;
  return [
    { ...(before === undefined ? {} : { exception: before }), ...named },
    ...known.filter((one) => !isNamed(one)),
  ];
}
