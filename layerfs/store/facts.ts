/** Facts: small things that are cheap to know again, such as fingerprints of files. Any of them may be gone tomorrow. */
import type { Database } from "./database.ts";
import { isStaleUse } from "./last-use.ts";

export interface FactTable {
  get(key: string): Uint8Array | string | undefined;
  set(key: string, value: Uint8Array | string): void;
}

/** More than this many are forgotten by a collection, least recently used first. */
export const factLimit = 50_000;

export function factsOf(db: Database, now: () => number): FactTable {
  return {
    get(key) {
      const row = db.get<{ value: string | Uint8Array; used: number }>(
        "SELECT value, used FROM facts WHERE key = ?",
        key,
      );
      if (row === undefined) return undefined;
      const ms = now();
      if (isStaleUse(row.used, ms)) db.run("UPDATE facts SET used = ? WHERE key = ?", ms, key);
      return row.value;
    },
    set(key, value) {
      db.run("INSERT OR REPLACE INTO facts (key, value, used) VALUES (?, ?, ?)", key, value, now());
    },
  };
}

/** Gives how many were forgotten. */
export function forgetFacts(db: Database, limit: number): number {
  return db.run("DELETE FROM facts WHERE key IN (SELECT key FROM facts ORDER BY used DESC LIMIT -1 OFFSET ?)", limit);
}
