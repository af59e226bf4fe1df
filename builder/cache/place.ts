/** A place that holds a build cache: read once at the start of a build, written at its end. One file a kind of place. */
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import type { ReadRecord } from "./config.ts";

export interface CachePlace {
  /** Of which image of a registry its blobs are, for mounting. */
  readonly reference?: string;
  /** Absolute path of the layout that its blobs are in. A place that is neither here nor in a registry does not outlast the build. */
  readonly layout?: string;
  /** Brings a blob into a store, which checks it. */
  fetch(blob: Descriptor, into: BlobStore): Promise<void>;
  /** The bytes of a blob, compared with nothing. */
  open(blob: Descriptor): AsyncIterable<Uint8Array>;
  has(blob: Descriptor): Promise<boolean>;
}

export interface ReadCache {
  readonly place: CachePlace;
  readonly records: readonly ReadRecord[];
  /** It holds a cache, but of another builder. */
  readonly isForeign: boolean;
}

export interface CacheWriter {
  /** Brings a layer's blob there unless it is there. `open` may be called again; `reference` names an image that has it. */
  layer(blob: Descriptor, open: () => AsyncIterable<Uint8Array>, reference?: string): Promise<void>;
  /** Last: makes the configuration, and so the layers, be found. */
  finish(config: Uint8Array, layers: readonly Layer[]): Promise<void>;
}

/** What a cache says of a layer is not so. */
export function wrongDiffId(diffId: Digest): WbuildError {
  return new WbuildError("CACHE_LOST", `its diffID is not ${diffId}, as the cache says`, { facts: { diffId } });
}
