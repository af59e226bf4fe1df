/** Layers of bases: where they are, and how they come here when somebody needs their files. */
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { BlobSource, ConnectionException, LayoutSource, RegistrySource } from "../../../layerfs/store/sources.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import { formatName, parseReference } from "../../../registry/reference.ts";
import { type OnProgress, Slots } from "../../../registry/side-by-side.ts";
import { type BringWorld, bringLayer, isLayout, isReady, sourceOf } from "./left-layers.ts";

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
  fetch(): Promise<void>;
  /** Where it stays, for the store to note; undefined for nowhere. A folder is looked into, registries are believed. */
  lasting(): Promise<BlobSource | undefined>;
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
    const sources = sourcesOfBase(world, reference, layer);
    const inRegistry = sources.find((source): source is RegistrySource => !isLayout(source));
    return {
      reference: inRegistry?.reference ?? reference,
      fetch: () => once(reference, layer),
      lasting: async () => inRegistry ?? firstWith(sources.filter(isLayout), layer),
    };
  };
}

async function firstWith(layouts: readonly LayoutSource[], { blob }: Layer): Promise<LayoutSource | undefined> {
  if (layouts.length === 0) return undefined;
  const { isInLayout } = await import("../../../registry/copy/layout-blob.ts");
  for (const source of layouts) if (await isInLayout(source.layout, blob)) return source;
  return undefined;
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
  const isNamed = (one: BlobSource): one is RegistrySource =>
    !isLayout(one) && one.registry === named.registry && one.repository === named.repository;
  // What was allowed of that place before still is.
  const before = known.find(isNamed)?.exception;
  return [
    { ...(before === undefined ? {} : { exception: before }), ...named },
    ...known.filter((one) => !isNamed(one)),
  ];
}
