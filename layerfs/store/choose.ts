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

/** What goes, and how much stays. With no option that wants more, only what nobody can reach. */
export function chooseVictims(all: Candidates, options: CollectOptions): Victims {
  if (options.only === "cache mounts") return chooseCacheMounts(all, options);
  const choice = new Choice(all, options);
  choice.dropStray();
  choice.dropBroken();
  choice.dropOldest();
  choice.dropStray();
  return choice.victims();
}

/** A collection that may take cache mounts alone. */
function chooseCacheMounts(all: Candidates, options: CollectOptions): Victims {
  const mounts = (all.cacheMounts ?? []).toSorted((a, b) => a.used - b.used);
  let bytes = sum(mounts, (mount) => mount.bytes);
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

/** What was chosen so far: each thing that goes may free others. */
class Choice {
  readonly #all: Candidates;
  readonly #options: CollectOptions;
  readonly #mounts: readonly FreeCacheMount[];
  /** Digest or chain ID → how many names and cache rows that stay need it. */
  readonly #needs = new Map<string, number>();
  readonly #blobs = new Set<Digest>();
  readonly #cache = new Set<CacheKeep>();
  readonly #snapshots = new Set<SnapshotRow>();
  readonly #cacheMounts = new Set<FreeCacheMount>();
  /** Bytes of blobs, snapshots and cache mounts that stay. */
  #bytes = 0;

  constructor(all: Candidates, options: CollectOptions) {
    this.#all = all;
    this.#options = options;
    this.#mounts = options.only === "all but cache mounts" ? [] : (all.cacheMounts ?? []);
    for (const row of [...all.refs, ...all.cache]) this.#need(row.keeps, 1);
    for (const [digest, file] of all.blobs)
      if (!this.#isNeeded(digest) && this.#isOld(file.mtimeMs)) this.#blobs.add(digest);
      else this.#bytes += file.bytes;
    this.#bytes += sum(all.snapshots, (row) => row.bytes ?? 0) + sum(this.#mounts, (mount) => mount.bytes);
  }

  /** Unpacked layers that no image and no cache row could find again. */
  dropStray(): void {
    const living = this.#diffIdsWithBlob();
    for (const row of this.#all.snapshots)
      if (!living.has(row.diff_id) && this.#isOld(row.used)) this.#dropSnapshot(row);
  }

  /** Cache rows of which something is gone from the store: nobody can use them. */
  dropBroken(): void {
    const { isLost, cache } = this.#all;
    if (isLost) for (const row of cache) if (row.keeps.some(isLost)) this.#dropRow(row);
  }

  /** What was not used for longest, until the options are met. */
  dropOldest(): void {
    // Of the same age snapshots go first: they are unpacked again in less time than a step runs.
    const items: Item[] = [
      ...this.#all.snapshots.map((snapshot) => ({ used: snapshot.used, snapshot })),
      ...this.#all.cache.map((row) => ({ used: row.used, row })),
      ...this.#mounts.map((mount) => ({ used: mount.used, mount })),
    ].sort((a, b) => a.used - b.used);
    // Twice: a snapshot that a cache row needed becomes free with it.
    for (const item of [...items, ...items]) {
      if (!this.#wantsMore()) break;
      if (!this.#isOld(item.used)) continue;
      if ("mount" in item) this.#dropMount(item.mount);
      else if ("row" in item) this.#dropRow(item.row);
      else this.#dropSnapshot(item.snapshot);
    }
  }

  victims(): Victims {
    const all = this.#all;
    const living = this.#diffIdsWithBlob();
    for (const row of all.snapshots) if (!this.#snapshots.has(row)) living.add(row.diff_id);
    const isIndexFree = (diffId: Digest) => !living.has(diffId) && !all.held.has(diffId);
    const known = new Set(all.snapshots.map((row) => row.folder));
    return {
      cacheMounts: [...this.#cacheMounts],
      cache: [...this.#cache],
      snapshots: [...this.#snapshots],
      folders: all.folders.filter((name) => !known.has(name)),
      blobs: [...this.#blobs],
      layers: all.layers
        .filter((layer) => this.#blobs.has(layer.blob) || !this.#hasBlob(layer.blob))
        .map((layer) => layer.blob),
      indexes: [...all.indexes.keys()].filter(isIndexFree),
      sources: (all.sourced ?? []).filter((digest) => !this.#isNeeded(digest)),
      keptBytes: this.#bytes + sum(all.indexes, ([diffId, file]) => (isIndexFree(diffId) ? 0 : file.bytes)),
    };
  }

  #need(digests: readonly Digest[], by: number): void {
    for (const digest of digests) this.#needs.set(digest, (this.#needs.get(digest) ?? 0) + by);
  }

  #isNeeded(id: string): boolean {
    return (this.#needs.get(id) ?? 0) > 0 || this.#all.held.has(id);
  }

  #isOld(ms: number): boolean {
    return this.#options.until === undefined || ms < this.#options.until;
  }

  #wantsMore(): boolean {
    const { keepStorageBytes, all, until } = this.#options;
    return keepStorageBytes === undefined ? all === true || until !== undefined : this.#bytes > keepStorageBytes;
  }

  #hasBlob(blob: Digest): boolean {
    // A blob that came after the list was made, by somebody who was killed since, is in no list, and there.
    return this.#all.blobs.has(blob) || this.#all.held.has(blob) || this.#all.isLost?.(blob) === false;
  }

  #diffIdsWithBlob(): Set<Digest> {
    const stays = this.#all.layers.filter(({ blob }) => this.#hasBlob(blob) && !this.#blobs.has(blob));
    return new Set(stays.map((layer) => layer.diff_id));
  }

  #dropRow(row: CacheKeep): void {
    if (this.#cache.has(row)) return;
    this.#cache.add(row);
    this.#need(row.keeps, -1);
    for (const digest of row.keeps) {
      const file = this.#all.blobs.get(digest);
      if (file === undefined || this.#isNeeded(digest) || this.#blobs.has(digest)) continue;
      this.#blobs.add(digest);
      this.#bytes -= file.bytes;
    }
  }

  #dropSnapshot(row: SnapshotRow): void {
    if (this.#snapshots.has(row) || this.#isNeeded(row.chain_id)) return;
    this.#snapshots.add(row);
    this.#bytes -= row.bytes ?? 0;
  }

  #dropMount(mount: FreeCacheMount): void {
    if (this.#cacheMounts.has(mount)) return;
    this.#cacheMounts.add(mount);
    this.#bytes -= mount.bytes;
  }
}

function sum<T>(list: Iterable<T>, of: (each: T) => number): number {
  let total = 0;
  for (const each of list) total += of(each);
  return total;
}
