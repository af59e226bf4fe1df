/** Results of build steps by key. The store knows neither keys nor values; it knows what a row needs to stay whole. */
import { existsSync } from "node:fs";
import type { Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import { isStaleUse } from "./last-use.ts";
import { type Layout, shardedPath } from "./layout.ts";
import type { Session } from "./session.ts";

export interface CacheRow {
  /** As the caller gave it; JSON by custom. */
  readonly value: string;
  readonly createdMs: number;
}

export interface CacheTable {
  /**
   * A row whose content is all there, else undefined: a row that lost something is dropped. Counts as a use.
   * Under a lease what the row keeps stays, also when a collection drops the row.
   */
  get(key: string): CacheRow | undefined;
  /** `keeps`: blobs, or chain IDs of snapshots, that must live as long as the row does. */
  put(key: string, value: string, keeps: readonly Digest[]): void;
  delete(key: string): boolean;
}

interface Row {
  readonly value: string;
  readonly keeps: string;
  readonly created: number;
  readonly used: number;
}

export function cacheOf(db: Database, session: Session, layout: Layout, now: () => number): CacheTable {
  const remove = (key: string) => db.run("DELETE FROM cache WHERE key = ?", key) > 0;
  const isThere = (digest: Digest) =>
    existsSync(shardedPath(layout.blobs, digest)) ||
    db.get("SELECT 1 FROM snapshots WHERE chain_id = ?", digest) !== undefined;
  return {
    get(key) {
      const row = db.get<Row>("SELECT value, keeps, created, used FROM cache WHERE key = ?", key);
      if (row === undefined) return undefined;
      const keeps = JSON.parse(row.keeps) as Digest[];
      if (!session.hold(keeps, () => keeps.every(isThere))) {
        // Only the row that was looked at: another process may have put a whole one meanwhile.
        db.run("DELETE FROM cache WHERE key = ? AND keeps = ? AND created = ?", key, row.keeps, row.created);
        return undefined;
      }
      const ms = now();
      if (isStaleUse(row.used, ms)) db.run("UPDATE cache SET used = ? WHERE key = ?", ms, key);
      return { value: row.value, createdMs: row.created };
    },
    put(key, value, keeps) {
      const ms = now();
      const text = JSON.stringify([...new Set(keeps)]);
      db.run(
        "INSERT OR REPLACE INTO cache (key, value, keeps, created, used) VALUES (?, ?, ?, ?, ?)",
        key,
        value,
        text,
        ms,
        ms,
      );
    },
    delete: remove,
  };
}
