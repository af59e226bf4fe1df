/** What lies in the store's folders, with sizes. Only looks; deciding what goes is collect.ts. */
import { execFile } from "node:child_process";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type CacheMountRow, cacheMountRows } from "./cache-mounts.ts";
import type { Database } from "./database.ts";
import { type Digest, isDigest } from "./digest.ts";
import { isMissing, storeError } from "./failure.ts";
import type { Layout } from "./layout.ts";

export interface StoredFile {
  readonly bytes: number;
  readonly mtimeMs: number;
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw storeError(cause, "list a folder of the store", folder);
  }
}

/** The files of a folder of shards (`ab/abcd…`), by digest. Whatever is named otherwise is not ours and left alone. */
export async function listShards(folder: string): Promise<Map<Digest, StoredFile>> {
  const found = new Map<Digest, StoredFile>();
  for (const shard of await names(folder)) {
    const files = await names(join(folder, shard));
    const stats = await Promise.all(files.map((name) => lstatIfThere(join(folder, shard, name))));
    for (const [i, name] of files.entries()) {
      const digest = `sha256:${name}`;
      const file = stats[i];
      if (file?.isFile() && isDigest(digest)) found.set(digest, { bytes: file.size, mtimeMs: file.mtimeMs });
    }
  }
  return found;
}

async function lstatIfThere(path: string) {
  try {
    return await lstat(path);
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw storeError(cause, "look at a file of the store", path);
  }
}

export interface TempItem {
  readonly name: string;
  readonly session: string;
  readonly mtimeMs: number;
}

/** Unfinished files and folders, each with the session that made it. */
export async function listTemp(layout: Layout): Promise<TempItem[]> {
  const items: TempItem[] = [];
  for (const name of await names(layout.temp)) {
    const found = await lstatIfThere(join(layout.temp, name));
    if (found !== undefined) items.push({ name, session: name.split("-")[0] ?? "", mtimeMs: found.mtimeMs });
  }
  return items;
}

export const listSnapshotFolders = (layout: Layout): Promise<string[]> => names(layout.snapshots);

/** Bytes on disk of each path with all below it; 0 for what is gone or cannot be looked into. */
export async function measure(paths: readonly string[]): Promise<number[]> {
  const sizes = new Map<string, number>();
  for (let at = 0; at < paths.length; at += 500) {
    // `du` counts a hard-linked file once, does not follow links and reads a tree several times faster than we could.
    const args = ["-sk", "--", ...paths.slice(at, at + 500)];
    const output = await promisify(execFile)("du", args, { env: { ...process.env, LC_ALL: "C" }, maxBuffer: 16 << 20 })
      .then((result) => result.stdout)
      .catch((cause: { stdout?: string }) => cause.stdout ?? "");
    for (const line of output.split("\n")) {
      const match = /^(\d+)\t(.*)$/.exec(line);
      if (match?.[2] !== undefined) sizes.set(match[2], Number(match[1]) * 1024);
    }
  }
  return paths.map((path) => sizes.get(path) ?? 0);
}

export interface SnapshotRow {
  readonly chain_id: Digest;
  readonly folder: string;
  readonly diff_id: Digest;
  readonly created: number;
  readonly used: number;
  readonly bytes: number | null;
}

export const snapshotRows = (db: Database): SnapshotRow[] =>
  db.all<SnapshotRow>("SELECT chain_id, folder, diff_id, created, used, bytes FROM snapshots");

/** Measures snapshots that nobody has measured yet; an unpacked layer does not change any more. */
export async function measureSnapshots(db: Database, layout: Layout): Promise<void> {
  const rows = snapshotRows(db).filter((row) => row.bytes === null);
  const sizes = await measure(rows.map((row) => join(layout.snapshots, row.folder)));
  if (rows.length === 0) return;
  db.transaction(() => {
    for (const [i, row] of rows.entries()) {
      db.run(
        "UPDATE snapshots SET bytes = ? WHERE chain_id = ? AND folder = ?",
        sizes[i] ?? 0,
        row.chain_id,
        row.folder,
      );
    }
  });
}

export interface MeasuredCacheMount {
  readonly name: string;
  /** Absent: a folder that a killed process left without a row. */
  readonly row?: CacheMountRow;
  readonly bytes: number;
}

/** Unlike unpacked layers they change: each look measures them anew. */
export async function listCacheMounts(db: Database, layout: Layout): Promise<MeasuredCacheMount[]> {
  const folders = await names(layout.cacheMounts);
  const sizes = await measure(folders.map((name) => join(layout.cacheMounts, name)));
  const rows = new Map(cacheMountRows(db).map((row) => [row.folder, row]));
  return folders.map((name, i) => {
    const row = rows.get(name);
    return { name, bytes: sizes[i] ?? 0, ...(row === undefined ? {} : { row }) };
  });
}

export interface CacheKeep {
  readonly key: string;
  readonly keeps: readonly Digest[];
  readonly created: number;
  readonly used: number;
}

export function cacheRows(db: Database): CacheKeep[] {
  const rows = db.all<{ key: string; keeps: string; created: number; used: number }>(
    "SELECT key, keeps, created, used FROM cache",
  );
  return rows.map((row) => ({ ...row, keeps: JSON.parse(row.keeps) as Digest[] }));
}

export const refKeeps = (db: Database): { name: string; keeps: Digest[]; created: number; updated: number }[] =>
  db
    .all<{ name: string; keeps: string; created: number; updated: number }>(
      "SELECT name, keeps, created, updated FROM refs ORDER BY name",
    )
    .map((row) => ({ ...row, keeps: JSON.parse(row.keeps) as Digest[] }));
