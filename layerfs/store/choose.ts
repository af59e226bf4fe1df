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
  /** Only what steps mount as their cache, or everything but that. Alone it drops all cache mounts that nobody uses now. */
  readonly only?: "cache mounts" | "all but cache mounts";
  /** Tells what would go. */
  readonly dryRun?: boolean;
}

export interface Candidates {
  /** Digests and chain IDs that living processes use. */
  readonly held: ReadonlySet<string>;
  readonly refs: readonly { readonly keeps: readonly Digest[] }[];
  readonly cache: readonly CacheKeep[];
  /** True of what the store has not, looked for now: the lists of files are older than the rows. */
  readonly isLost?: (digest: Digest) => boolean;
  readonly snapshots: readonly SnapshotRow[];
  readonly layers: readonly { readonly blob: Digest; readonly diff_id: Digest }[];
  readonly blobs: ReadonlyMap<Digest, StoredFile>;
  readonly indexes: ReadonlyMap<Digest, StoredFile>;
  /** Blobs of which it is noted where they can be had. */
  readonly sourced?: readonly Digest[];
  /** Those that nobody uses now; of leftovers without a row `used` is 0. */
  readonly cacheMounts?: readonly FreeCacheMount[];
  /** Names of the folders that snapshots have, those without a row included. */
  readonly folders: readonly string[];
}

export interface FreeCacheMount {
  readonly name: string;
  readonly used: number;
  readonly bytes: number;
}

export interface Victims {
  readonly cacheMounts: readonly FreeCacheMount[];
  readonly cache: readonly CacheKeep[];
  readonly snapshots: readonly SnapshotRow[];
  /** Folders without a row. */
  readonly folders: readonly string[];
  readonly blobs: readonly Digest[];
  /** Blobs whose layer rows go. */
  readonly layers: readonly Digest[];
  /** diffIDs whose indexes go. */
  readonly indexes: readonly Digest[];
  /** Blobs of which nobody needs to know any more where they can be had. */
  readonly sources: readonly Digest[];
  readonly keptBytes: number;
}

type Item = { readonly used: number } & (
  | { readonly row: CacheKeep }
  | { readonly snapshot: SnapshotRow }
  | { readonly mount: FreeCacheMount }
);

/** A collection that may take cache mounts alone. */
function chooseCacheMounts(all: Candidates, options: CollectOptions): Victims {
  const mounts = (all.cacheMounts ?? []).toSorted((a, b) => a.used - b.used);
  let bytes = mounts.reduce((sum, mount) => sum + mount.bytes, 0);
  const gone: FreeCacheMount[] = [];
  for (const mount of mounts) {
    if (options.keepStorageBytes !== undefined && bytes <= options.keepStorageBytes) break;
    if (options.until !== undefined && mount.used >= options.until) continue;
    gone.push(mount);
    bytes -= mount.bytes;
  }
  const nothing = { cache: [], snapshots: [], folders: [], blobs: [], layers: [], indexes: [], sources: [] };
  return { ...nothing, cacheMounts: gone, keptBytes: bytes };
}

export function chooseVictims(all: Candidates, options: CollectOptions): Victims {
  if (options.only === "cache mounts") return chooseCacheMounts(all, options);
  const mounts = options.only === "all but cache mounts" ? [] : (all.cacheMounts ?? []);
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

  // A blob that came after the list was made, by somebody who was killed since, is in no list, and there.
  const hasBlob = ({ blob }: { readonly blob: Digest }) =>
    all.blobs.has(blob) || all.held.has(blob) || all.isLost?.(blob) === false;
  const diffIdsWithBlob = () => {
    const there = all.layers.filter(hasBlob);
    return new Set(there.filter((layer) => !orphaned.has(layer.blob)).map((layer) => layer.diff_id));
  };
  /** An unpacked layer that could not be found by any image or cache row again. */
  const dropStray = () => {
    const living = diffIdsWithBlob();
    for (const row of all.snapshots)
      if (!living.has(row.diff_id) && !isNeeded(row.chain_id) && isOld(row.used)) snapshots.add(row);
  };
  dropStray();

  const cacheMounts = new Set<FreeCacheMount>();
  const sizes = { blobs: 0, snapshots: 0, mounts: mounts.reduce((sum, mount) => sum + mount.bytes, 0) };
  for (const [digest, file] of all.blobs) if (!orphaned.has(digest)) sizes.blobs += file.bytes;
  for (const row of all.snapshots) if (!snapshots.has(row)) sizes.snapshots += row.bytes ?? 0;

  const wantsMore = () =>
    options.keepStorageBytes !== undefined
      ? sizes.blobs + sizes.snapshots + sizes.mounts > options.keepStorageBytes
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
  const { isLost } = all;
  if (isLost) for (const row of all.cache) if (row.keeps.some(isLost)) dropRow(row);
  // Of the same age snapshots go first: they are unpacked again in less time than a step runs.
  const items: Item[] = [
    ...all.snapshots.map((snapshot) => ({ used: snapshot.used, snapshot })),
    ...all.cache.map((row) => ({ used: row.used, row })),
    ...mounts.map((mount) => ({ used: mount.used, mount })),
  ].sort((a, b) => a.used - b.used);
  // Twice: a snapshot that a cache row needed becomes free with it.
  for (let round = 0; round < 2; round++) {
    for (const item of items) {
      if (!wantsMore()) break;
      if (!isOld(item.used)) continue;
      if ("mount" in item) {
        if (!cacheMounts.has(item.mount)) sizes.mounts -= item.mount.bytes;
        cacheMounts.add(item.mount);
      } else if ("row" in item) {
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
  for (const mount of mounts) if (!cacheMounts.has(mount)) keptBytes += mount.bytes;
  return {
    cacheMounts: [...cacheMounts],
    cache: [...cache],
    snapshots: [...snapshots],
    folders: all.folders.filter((name) => !known.has(name)),
    blobs: [...orphaned],
    layers: all.layers.filter((layer) => orphaned.has(layer.blob) || !hasBlob(layer)).map((layer) => layer.blob),
    indexes: [...gone],
    sources: (all.sourced ?? []).filter((digest) => !isNeeded(digest)),
    keptBytes,
  };
}
