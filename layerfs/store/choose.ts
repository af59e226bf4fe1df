/** Which of the store's things go: a pure function from what is there, what is needed and what was asked. */
import type { Digest } from "./digest.ts";
import type { CacheKeep, SnapshotRow, StoredFile } from "./inventory.ts";

/** With no option only garbage goes: what no name, no cache row and no running process needs. */
export interface CollectOptions {
  /** Drops build cache and snapshots, least recently used first, until the store is no bigger than this. */
  readonly keepStorageBytes?: number;
  /** Milliseconds since 1970: only what was last used before. Alone it drops all such build cache and snapshots. */
  readonly until?: number;
  /** Drops all build cache and all snapshots that nobody uses now. */
  readonly all?: boolean;
  /** Tells what would go. */
  readonly dryRun?: boolean;
}

export interface Candidates {
  /** Digests and chain IDs that living processes use. */
  readonly held: ReadonlySet<string>;
  readonly refs: readonly { readonly keeps: readonly Digest[] }[];
  readonly cache: readonly CacheKeep[];
  readonly snapshots: readonly SnapshotRow[];
  readonly layers: readonly { readonly blob: Digest; readonly diff_id: Digest }[];
  readonly blobs: ReadonlyMap<Digest, StoredFile>;
  readonly indexes: ReadonlyMap<Digest, StoredFile>;
  /** Names of the folders that snapshots have, those without a row included. */
  readonly folders: readonly string[];
}

export interface Victims {
  readonly cache: readonly CacheKeep[];
  readonly snapshots: readonly SnapshotRow[];
  /** Folders without a row. */
  readonly folders: readonly string[];
  readonly blobs: readonly Digest[];
  /** Blobs whose layer rows go. */
  readonly layers: readonly Digest[];
  /** diffIDs whose indexes go. */
  readonly indexes: readonly Digest[];
  readonly keptBytes: number;
}

type Item = { readonly used: number } & ({ readonly row: CacheKeep } | { readonly snapshot: SnapshotRow });

export function chooseVictims(all: Candidates, options: CollectOptions): Victims {
  const needs = new Map<Digest, number>();
  const need = (digests: readonly Digest[], by: number) => {
    for (const digest of digests) needs.set(digest, (needs.get(digest) ?? 0) + by);
  };
  for (const row of [...all.refs, ...all.cache]) need(row.keeps, 1);
  const isNeeded = (digest: Digest) => (needs.get(digest) ?? 0) > 0 || all.held.has(digest);
  const isOld = (ms: number) => options.until === undefined || ms < options.until;

  const cache = new Set<CacheKeep>();
  const snapshots = new Set<SnapshotRow>();
  const orphaned = new Set<Digest>();
  for (const [digest, file] of all.blobs) if (!isNeeded(digest) && isOld(file.mtimeMs)) orphaned.add(digest);

  const diffIdsWithBlob = () => {
    const there = all.layers.filter((layer) => all.blobs.has(layer.blob) || all.held.has(layer.blob));
    return new Set(there.filter((layer) => !orphaned.has(layer.blob)).map((layer) => layer.diff_id));
  };
  /** An unpacked layer that could not be found by any image or cache row again. */
  const dropStray = () => {
    const living = diffIdsWithBlob();
    for (const row of all.snapshots)
      if (!living.has(row.diff_id) && !isNeeded(row.chain_id) && isOld(row.used)) snapshots.add(row);
  };
  dropStray();

  const sizes = { blobs: 0, snapshots: 0 };
  for (const [digest, file] of all.blobs) if (!orphaned.has(digest)) sizes.blobs += file.bytes;
  for (const row of all.snapshots) if (!snapshots.has(row)) sizes.snapshots += row.bytes ?? 0;

  const wantsMore = () =>
    options.keepStorageBytes !== undefined
      ? sizes.blobs + sizes.snapshots > options.keepStorageBytes
      : options.all === true || options.until !== undefined;

  const dropRow = (row: CacheKeep) => {
    cache.add(row);
    need(row.keeps, -1);
    for (const digest of row.keeps) {
      const file = all.blobs.get(digest);
      if (file === undefined || isNeeded(digest) || orphaned.has(digest)) continue;
      orphaned.add(digest);
      sizes.blobs -= file.bytes;
    }
  };
  // Of the same age snapshots go first: they are unpacked again in less time than a step runs.
  const items: Item[] = [
    ...all.snapshots.map((snapshot) => ({ used: snapshot.used, snapshot })),
    ...all.cache.map((row) => ({ used: row.used, row })),
  ].sort((a, b) => a.used - b.used);
  // Twice: a snapshot that a cache row needed becomes free with it.
  for (let round = 0; round < 2; round++) {
    for (const item of items) {
      if (!wantsMore()) break;
      if (!isOld(item.used)) continue;
      if ("row" in item) {
        if (!cache.has(item.row)) dropRow(item.row);
      } else if (!snapshots.has(item.snapshot) && !isNeeded(item.snapshot.chain_id)) {
        snapshots.add(item.snapshot);
        sizes.snapshots -= item.snapshot.bytes ?? 0;
      }
    }
  }
  dropStray();

  const living = diffIdsWithBlob();
  for (const row of all.snapshots) if (!snapshots.has(row)) living.add(row.diff_id);
  const indexes = [...all.indexes].filter(([diffId]) => !living.has(diffId) && !all.held.has(diffId));
  const known = new Set(all.snapshots.map((row) => row.folder));
  const gone = new Set(indexes.map(([diffId]) => diffId));
  let keptBytes = 0;
  for (const [digest, file] of all.blobs) if (!orphaned.has(digest)) keptBytes += file.bytes;
  for (const [diffId, file] of all.indexes) if (!gone.has(diffId)) keptBytes += file.bytes;
  for (const row of all.snapshots) if (!snapshots.has(row)) keptBytes += row.bytes ?? 0;
  return {
    cache: [...cache],
    snapshots: [...snapshots],
    folders: all.folders.filter((name) => !known.has(name)),
    blobs: [...orphaned],
    layers: all.layers
      .filter((layer) => orphaned.has(layer.blob) || (!all.blobs.has(layer.blob) && !all.held.has(layer.blob)))
      .map((layer) => layer.blob),
    indexes: [...gone],
    keptBytes,
  };
}
