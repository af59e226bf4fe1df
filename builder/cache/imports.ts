/** Results that were read from several places, as the solver looks for them; and which of their blobs proved to be lost. */
import { readDiffId } from "../../layerfs/layer/diff-id.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { BlobSource, ConnectionException } from "../../layerfs/store/sources.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { Slots } from "../../registry/side-by-side.ts";
import { sourceOf } from "../image/stored/left-layers.ts";
import type { CachedLayer, ImportedResults } from "../solve/cache.ts";
import type { RemoteBlob } from "../steps/stack.ts";
import type { ReadRecord } from "./config.ts";
import { passing } from "./passing.ts";
import { type CachePlace, wrongDiffId } from "./place.ts";

export interface ImportsWorld {
  readonly store: Pick<Store, "blobs" | "layers">;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
  /** See BuildCacheWorld. */
  readonly exception?: ConnectionException | undefined;
}

/** Downloads at a time. */
const concurrency = 4;

interface NamedPlace {
  readonly name: string;
  readonly place: CachePlace;
}

export class Imports implements ImportedResults {
  readonly #world: ImportsWorld;
  readonly #ops = new Set<Digest>();
  readonly #found = new Map<Digest, CachedLayer & { readonly remote: RemoteBlob }>();
  readonly #places = new Map<Digest, NamedPlace[]>();
  readonly #fetching = new Map<Digest, Promise<void>>();
  readonly #lasting = new Map<Digest, Promise<BlobSource | undefined>>();
  /** What proved not to have a blob, or not the one that was promised, is not asked for it again. */
  readonly #useless = new Map<Digest, Set<CachePlace>>();
  readonly #slots = new Slots(concurrency);
  readonly #lost = new Set<Digest>();
  readonly #records: (ReadRecord & { readonly remote: RemoteBlob })[] = [];

  constructor(world: ImportsWorld) {
    this.#world = world;
  }

  /** How many blobs were found lost so far: who sees it grow solves again. */
  get lost(): number {
    return this.#lost.size;
  }

  /** Of several results of one key the first one counts. `name` is how people know the place. */
  add(records: readonly ReadRecord[], name: string, place: CachePlace): void {
    for (const record of records) {
      const { op, keys, layer, createdMs, definition } = record;
      this.#ops.add(op);
      const places = this.#places.get(layer.blob.digest) ?? [];
      this.#places.set(layer.blob.digest, places);
      if (!places.some((other) => other.place === place)) places.push({ name, place });
      const remote = this.#remote(layer, place.reference);
      this.#records.push({ ...record, remote });
      for (const key of keys) if (!this.#found.has(key)) this.#found.set(key, { layer, createdMs, definition, remote });
    }
  }

  /** All that was read, the sources in their order. */
  records(): readonly (ReadRecord & { readonly remote: RemoteBlob })[] {
    return this.#records;
  }

  knows(op: Digest): boolean {
    return this.#ops.has(op);
  }

  find(key: Digest): (CachedLayer & { readonly remote: RemoteBlob }) | undefined {
    const found = this.#found.get(key);
    return found && !this.#lost.has(found.layer.blob.digest) ? found : undefined;
  }

  forget(blob: Digest): void {
    this.#lost.add(blob);
  }

  #remote(layer: Layer, reference: string | undefined): RemoteBlob {
    return {
      ...(reference === undefined ? {} : { reference }),
      fetch: () => this.#fetch(layer),
      check: () => this.#check(layer),
      pass: () => this.#pass(layer),
      lasting: () => once(this.#lasting, layer.blob.digest, () => this.#findLasting(layer)),
    };
  }

  /** Resolves when no transfer is going on any more, whatever became of them. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#fetching.values());
  }

  #fetch(layer: Layer): Promise<void> {
    return once(this.#fetching, layer.blob.digest, () =>
      this.#slots.use(async () => {
        this.#world.signal.throwIfAborted();
        await this.#bring(layer);
      }),
    );
  }

  async #bring(layer: Layer): Promise<void> {
    const { blobs, layers } = this.#world.store;
    const { blob, diffId } = layer;
    const isHere = (await blobs.has(blob.digest)) === blob.size;
    if (isHere && layers.byBlob(blob.digest)?.diffId === diffId) return;
    await this.#tryPlaces(blob.digest, async (place) => {
      if (!isHere) await place.fetch(blob, blobs);
      await this.#prove(layer);
    });
  }

  /**
   * Attack: a cache gives a layer the diffID of another. Nobody would notice before somebody unpacks the image, far from here.
   */
  async #prove(layer: Layer): Promise<void> {
    const { store, signal } = this.#world;
    const { blob, diffId } = layer;
    const found = await readDiffId(store.blobs.open(blob), signal);
    if (found.diffId === diffId) return store.layers.record(layer, { uncompressedSize: found.uncompressedSize });
    throw wrongDiffId(diffId);
  }

  /** From the first place that has it. Who has begun to give it, and then fails, cannot be replaced: then the layer is lost. */
  async *#pass(layer: Layer): AsyncGenerator<Uint8Array> {
    const { digest } = layer.blob;
    let failure: unknown;
    let hasBegun = false;
    for (const one of this.#placesOf(digest)) {
      try {
        for await (const part of passing(one.place.open(layer.blob), layer, one.name, this.#world.signal)) {
          hasBegun = true;
          yield part;
        }
        return;
      } catch (error) {
        failure ??= error;
        this.#passOver(digest, one, error);
        if (hasBegun) break;
      }
    }
    throw this.#lose(digest, failure);
  }

  async #check({ blob }: Layer): Promise<void> {
    if ((await this.#world.store.blobs.has(blob.digest)) === blob.size) return;
    await this.#tryPlaces(blob.digest, (place) => expectIn(place, blob));
  }

  /** Of places that stay, the first that has it now: a record may be older than what it names. */
  async #findLasting({ blob, diffId }: Layer): Promise<BlobSource | undefined> {
    for (const one of this.#placesOf(blob.digest)) {
      const source = this.#sourceOf(one.place);
      if (source === undefined) continue;
      try {
        await expectIn(one.place, blob);
        // Nobody has compared the layer with its diffID: whoever brings it later does.
        return { ...source, claimed: diffId };
      } catch (error) {
        this.#passOver(blob.digest, one, error);
      }
    }
    return undefined;
  }

  #sourceOf({ reference, layout }: CachePlace): BlobSource | undefined {
    if (layout !== undefined) return { layout };
    return reference === undefined ? undefined : sourceOf(reference, this.#world.exception);
  }

  #placesOf(digest: Digest): NamedPlace[] {
    const useless = this.#useless.get(digest);
    return (this.#places.get(digest) ?? []).filter(({ place }) => useless?.has(place) !== true);
  }

  /** On to the next place. Throws what is no fault of this one. */
  #passOver(digest: Digest, { name, place }: NamedPlace, error: unknown): void {
    const { signal, warn } = this.#world;
    signal.throwIfAborted();
    // The store's own troubles, such as a full disk, are no fault of the cache.
    if (isWbuildError(error) && isOurs(error.code)) throw error;
    this.#useless.set(digest, (this.#useless.get(digest) ?? new Set()).add(place));
    const why = error instanceof Error ? error.message : String(error);
    if (!this.#lost.has(digest)) warn(`layer ${digest} of the cache ${name} cannot be used: ${why}`);
  }

  /** The first place that serves. Throws CACHE_LOST when none does; from then on the result counts as never known. */
  async #tryPlaces(digest: Digest, work: (place: CachePlace) => Promise<void>): Promise<void> {
    let failure: unknown;
    for (const one of this.#placesOf(digest)) {
      try {
        return await work(one.place);
      } catch (error) {
        failure ??= error;
        this.#passOver(digest, one, error);
      }
    }
    throw this.#lose(digest, failure);
  }

  #lose(digest: Digest, cause: unknown): WbuildError {
    this.#lost.add(digest);
    return new WbuildError("CACHE_LOST", `the cache has lost layer ${digest}`, { facts: { digest }, cause });
  }
}

function isOurs(code: string): boolean {
  return code.startsWith("STORE_") && code !== "STORE_DIGEST_MISMATCH" && code !== "STORE_SIZE_MISMATCH";
}

async function expectIn(place: CachePlace, blob: Descriptor): Promise<void> {
  if (await place.has(blob)) return;
  throw new WbuildError("CACHE_LOST", "it is not there any more", { facts: { digest: blob.digest } });
}

function once<T>(made: Map<Digest, Promise<T>>, digest: Digest, make: () => Promise<T>): Promise<T> {
  const known = made.get(digest) ?? make();
  made.set(digest, known);
  return known;
}
