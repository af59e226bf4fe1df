/** Garbage collection: decides in one locked moment what goes, moves it aside, and removes it in its own time. */
import { randomBytes } from "node:crypto";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { lockCacheMount } from "./cache-mounts.ts";
import { type Candidates, type CollectOptions, chooseVictims, type FreeCacheMount, type Victims } from "./choose.ts";
import type { Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import { factLimit, forgetFacts } from "./facts.ts";
import { isMissing, storeError } from "./failure.ts";
import {
  cacheRows,
  listCacheMounts,
  listShards,
  listSnapshotFolders,
  listTemp,
  type MeasuredCacheMount,
  measure,
  measureSnapshots,
  refKeeps,
  snapshotRows,
  type TempItem,
} from "./inventory.ts";
import { type Layout, shardedPath } from "./layout.ts";
import { isKeptPartial } from "./partial.ts";
import { removeTree, removeTrees } from "./remove-tree.ts";
import { gated, type LiveSessions, liveSessions } from "./session.ts";
import { forgetSources, sourcedBlobs } from "./sources.ts";

export interface Removed {
  readonly kind: "blob" | "index" | "snapshot" | "cache" | "cache mount" | "temp";
  /** Digest, chain ID, cache key, or name of the temporary file. */
  readonly id: string;
  readonly bytes: number;
}

export interface CollectReport {
  readonly removed: readonly Removed[];
  readonly freedBytes: number;
  /** Blobs, indexes and snapshots that stay. */
  readonly keptBytes: number;
}

/** A half-made database of a killed first run; younger ones may still be in the making. */
const staleMs = 3_600_000;

/**
 * Takes what nobody needs from the store, and more where the options say so (see choose.ts). Any number of processes may use
 * the store meanwhile. Throws STORE_* as the database and the file system do.
 */
export async function collect(db: Database, layout: Layout, options: CollectOptions): Promise<CollectReport> {
  // The slow part, without any lock: what is put meanwhile is not in these lists and so cannot go.
  const blobs = await listShards(layout.blobs);
  const indexes = await listShards(layout.indexes);
  const folders = await listSnapshotFolders(layout);
  const temp = options.only === "cache mounts" ? [] : await listTemp(layout);
  const mounts = await listCacheMounts(db, layout);
  await measureSnapshots(db, layout);
  const trash: string[] = [];
  const { victims, leftovers } = gated(layout, "exclusive", () => {
    const live = liveSessions(layout);
    const cacheMounts = freeCacheMounts(layout, mounts);
    const gather = (): Victims =>
      chooseVictims({ ...candidates(db, layout, live, { blobs, indexes, folders }), cacheMounts }, options);
    const leftovers = temp.filter((item) => isLeftover(item, live));
    if (options.dryRun === true) return { victims: gather(), leftovers };
    // Durable, or a power cut could bring back rows whose content is gone.
    const victims = db.transaction(() => {
      const chosen = gather();
      dropRows(db, chosen);
      return chosen;
    }, true);
    for (const path of victimPaths(layout, victims)) moveAside(layout, path, trash);
    return { victims, leftovers };
  });
  const leftoverPaths = leftovers.map((item) => join(layout.temp, item.name));
  const orphanPaths = victims.folders.map((name) => join(layout.snapshots, name));
  const sizes = await measure(leftoverPaths);
  // Without a row a folder has no measure yet; by now it lies aside, unless this is a dry run.
  const orphanSizes = await measure(
    options.dryRun === true ? orphanPaths : trash.slice(trash.length - orphanPaths.length),
  );
  if (options.dryRun !== true) await removeTrees([...trash, ...leftoverPaths]);
  const removed: Removed[] = [
    ...victims.cache.map((row): Removed => ({ kind: "cache", id: row.key, bytes: 0 })),
    ...victims.snapshots.map((row): Removed => ({ kind: "snapshot", id: row.chain_id, bytes: row.bytes ?? 0 })),
    ...victims.cacheMounts.map(({ name, bytes }): Removed => ({ kind: "cache mount", id: name, bytes })),
    ...victims.folders.map((id, i): Removed => ({ kind: "snapshot", id, bytes: orphanSizes[i] ?? 0 })),
    ...victims.blobs.map((id): Removed => ({ kind: "blob", id, bytes: blobs.get(id)?.bytes ?? 0 })),
    ...victims.indexes.map((id): Removed => ({ kind: "index", id, bytes: indexes.get(id)?.bytes ?? 0 })),
    ...leftovers.map((item, i): Removed => ({ kind: "temp", id: item.name, bytes: sizes[i] ?? 0 })),
  ];
  return { removed, freedBytes: removed.reduce((sum, item) => sum + item.bytes, 0), keptBytes: victims.keptBytes };
}

/** With the gate locked nobody begins to use one: what can be locked now stays free until the collection has moved it. */
export function freeCacheMounts(layout: Layout, mounts: readonly MeasuredCacheMount[]): FreeCacheMount[] {
  return mounts.flatMap(({ name, row, bytes }) => {
    const lock = tryLock(layout, name);
    lock?.release();
    return lock === undefined ? [] : [{ name, used: row?.used ?? 0, bytes }];
  });
}

/** Undefined also for what another collection has just moved away. */
function tryLock(layout: Layout, name: string): { release(): void } | undefined {
  try {
    return lockCacheMount(layout, name, "exclusive");
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw storeError(cause, "look whether a cache mount is in use", join(layout.cacheMounts, name));
  }
}

function candidates(
  db: Database,
  layout: Layout,
  live: LiveSessions,
  { blobs, indexes, folders }: Pick<Candidates, "blobs" | "indexes" | "folders">,
): Candidates {
  const snapshots = snapshotRows(db);
  const chains = new Set<string>(snapshots.map((row) => row.chain_id));
  return {
    held: live.held,
    refs: refKeeps(db),
    cache: cacheRows(db),
    // The list of blobs is older than the rows: what it lacks is looked for again.
    isLost: (digest) => !blobs.has(digest) && !chains.has(digest) && !existsSync(shardedPath(layout.blobs, digest)),
    snapshots,
    layers: db.all<{ blob: Digest; diff_id: Digest }>("SELECT blob, diff_id FROM layers"),
    blobs,
    indexes,
    sourced: sourcedBlobs(db),
    folders,
  };
}

function dropRows(db: Database, victims: Victims): void {
  for (const row of victims.cache) db.run("DELETE FROM cache WHERE key = ?", row.key);
  for (const row of victims.snapshots) db.run("DELETE FROM snapshots WHERE chain_id = ?", row.chain_id);
  for (const { name } of victims.cacheMounts) db.run("DELETE FROM cache_mounts WHERE folder = ?", name);
  for (const blob of victims.layers) db.run("DELETE FROM layers WHERE blob = ?", blob);
  forgetSources(db, victims.sources);
  for (const diffId of victims.indexes) db.run("DELETE FROM indexes WHERE diff_id = ?", diffId);
  forgetFacts(db, factLimit);
}

function victimPaths(layout: Layout, victims: Victims): string[] {
  return [
    ...victims.blobs.map((digest) => shardedPath(layout.blobs, digest)),
    ...victims.indexes.map((digest) => shardedPath(layout.indexes, digest)),
    ...victims.cacheMounts.map(({ name }) => join(layout.cacheMounts, name)),
    ...victims.snapshots.map((row) => join(layout.snapshots, row.folder)),
    ...victims.folders.map((name) => join(layout.snapshots, name)),
  ];
}

/**
 * A rename is quick enough for the locked moment, removing is not. And it is the only safe way: once the lock is gone,
 * somebody may put the same blob again, under the same path.
 */
function moveAside(layout: Layout, path: string, trash: string[]): void {
  const aside = join(layout.temp, `trash-${randomBytes(8).toString("hex")}`);
  try {
    renameSync(path, aside);
  } catch (cause) {
    if (!isMissing(cause)) throw storeError(cause, "move garbage aside", path);
  }
  trash.push(aside);
}

function isLeftover(item: TempItem, live: LiveSessions): boolean {
  if (isKeptPartial(item.name, item.mtimeMs, Date.now())) return false;
  if (item.session === "db") return Date.now() - item.mtimeMs > staleMs;
  return !live.ids.has(item.session);
}

/** Only what killed processes left in the temporary folder; `stopped` is asked between two removals. */
export async function removeLeftovers(layout: Layout, stopped: () => boolean): Promise<void> {
  const temp = await listTemp(layout);
  if (stopped()) return;
  const live = gated(layout, "exclusive", () => liveSessions(layout));
  for (const item of temp) {
    if (stopped()) return;
    if (isLeftover(item, live)) await removeTree(join(layout.temp, item.name));
  }
}
