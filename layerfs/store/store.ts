/** The door of the store: blobs, names, layers, snapshots, build cache, shared by any number of processes. */
import type { BlobFiles } from "./blob-store.ts";
import { type CacheTable, cacheOf } from "./cache.ts";
import { type CacheMounts, cacheMountsOf } from "./cache-mounts.ts";
import type { CollectOptions } from "./choose.ts";
import { type CollectReport, collect } from "./collect.ts";
import { Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import { DiskBlobs } from "./disk-blobs.ts";
import { type FactTable, factsOf } from "./facts.ts";
import { storeError } from "./failure.ts";
import { type LayerTable, layersOf } from "./layers.ts";
import { layoutOf } from "./layout.ts";
import { type Refs, refsOf } from "./refs.ts";
import { type Lease, Session } from "./session.ts";
import { SnapshotFolders, type Snapshots } from "./snapshots.ts";
import { type SourceTable, sourcesOf } from "./sources.ts";
import { startUpkeep } from "./upkeep.ts";
import { type Usage, usageOf } from "./usage.ts";
import { type VerifyReport, verifyBlobs } from "./verify.ts";

export interface Store extends Disposable {
  /** The folder as it was named: $WBUILD_HOME. */
  readonly home: string;
  readonly blobs: BlobFiles;
  readonly refs: Refs;
  readonly layers: LayerTable;
  readonly sources: SourceTable;
  readonly snapshots: Snapshots;
  readonly cache: CacheTable;
  readonly cacheMounts: CacheMounts;
  readonly facts: FactTable;
  /** Until it is disposed, nothing that this store puts, finds or reserves is collected by anyone. Leases nest. */
  lease(): Lease;
  /** Removes what nothing keeps, and of the build cache and the snapshots what the options say. */
  collect(options?: CollectOptions): Promise<CollectReport>;
  usage(): Promise<Usage>;
  /**
   * Reads every blob (or `only` these) and compares it with its name. With `remove`, damaged ones go. Without `only` it also
   * tells what names keep that is not here.
   */
  verify(options?: { remove?: boolean; only?: readonly Digest[] }): Promise<VerifyReport>;
}

export interface StoreOptions {
  /** The clock, milliseconds since 1970. */
  readonly now?: () => number;
  /** False: leftovers of killed processes wait for the next `collect`. */
  readonly upkeep?: boolean;
}

/**
 * Opens the store of a home folder; makes it when it is not there. Cheap: a file is opened, nothing is read.
 * Throws STORE_VERSION (made by a newer wbuild), STORE_DENIED, STORE_FULL, STORE_CORRUPT, STORE_BUSY.
 */
export function openStore(home: string, options: StoreOptions = {}): Store {
  const now = options.now ?? Date.now;
  const layout = layoutOf(home);
  const db = new Database(layout);
  const session = new Session(layout);
  const blobs = new DiskBlobs(layout, session);
  const snapshots = new SnapshotFolders(db, session, layout, now);
  const upkeep = options.upkeep === false ? undefined : startUpkeep(db, layout, now());
  return {
    home,
    blobs,
    refs: refsOf(db, session, now),
    layers: layersOf(db, session, layout, blobs, now),
    sources: sourcesOf(db, session, now),
    snapshots,
    cache: cacheOf(db, session, layout, now),
    cacheMounts: cacheMountsOf(db, session, layout, now),
    facts: factsOf(db, now),
    lease: () => session.lease(),
    collect: async (what = {}) => {
      try {
        return await collect(db, layout, what);
      } catch (cause) {
        throw storeError(cause, "collect garbage", layout.root);
      }
    },
    usage: () => usageOf(db, layout),
    verify: (what = {}) => verifyBlobs(db, layout, blobs, what.remove === true, what.only),
    [Symbol.dispose]: () => {
      upkeep?.stop();
      db[Symbol.dispose]();
    },
  };
}
