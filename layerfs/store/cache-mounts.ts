/**
 * Folders that steps share from build to build (RUN --mount=type=cache), found by an id. Whoever uses one holds a lock on a
 * file beside it, which goes with the process: what nobody has locked may be collected, what somebody has may not.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FileLock, lockFileSync, tryLockFileSync } from "../../native/addon/addon.ts";
import type { Database } from "./database.ts";
import { storeError } from "./failure.ts";
import type { Layout } from "./layout.ts";
import { removeTree } from "./remove-tree.ts";
import { gated, type Session } from "./session.ts";

/** Side by side; each user alone, with a second folder where the first is in use; one after the other. */
export type CacheSharing = "shared" | "private" | "locked";

export interface CacheMountWish {
  /** Equal ids mean the same folder. */
  readonly id: string;
  readonly sharing: CacheSharing;
  /** For people: what `du` says of it. */
  readonly description: string;
  /** Of a folder that is made: permission bits and owner. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Puts into a folder that is made what it begins with. */
  readonly fill?: (folder: string) => Promise<void>;
  /** Ends the waiting for others. */
  readonly signal: AbortSignal;
}

export interface UsedCacheMount extends AsyncDisposable {
  /** Absolute; may be written to until disposed. */
  readonly folder: string;
}

export interface CacheMounts {
  /** Finds or makes the folder, when its sharing says so after waiting for others. Throws STORE_*, the signal's reason, and what `fill` throws. */
  use(wish: CacheMountWish): Promise<UsedCacheMount>;
}

export interface CacheMountRow {
  readonly folder: string;
  readonly id: string;
  readonly description: string;
  readonly created: number;
  readonly used: number;
}

/** How long between two looks at a lock that another process holds. A lock has no queue that an abort could leave. */
const pollMs = 40;

/** Stores of older versions have no such table, and older versions leave it alone: it is no change of the schema. */
function ensureTable(db: Database): void {
  db.run(`CREATE TABLE IF NOT EXISTS cache_mounts (folder TEXT PRIMARY KEY, id TEXT NOT NULL, description TEXT NOT NULL,
    created INTEGER NOT NULL, used INTEGER NOT NULL) STRICT, WITHOUT ROWID`);
}

export function cacheMountRows(db: Database): CacheMountRow[] {
  const there = db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'cache_mounts'");
  return there === undefined ? [] : db.all<CacheMountRow>("SELECT * FROM cache_mounts ORDER BY created, folder");
}

/** The lock of a folder; undefined when it cannot be had now. Call it with the gate locked, so that no collection moves the folder. */
export function lockCacheMount(layout: Layout, name: string, kind: "shared" | "exclusive"): FileLock | undefined {
  return tryLockFileSync(join(layout.cacheMounts, name, "lock"), kind);
}

function giveTo(folder: string, { uid, gid }: CacheMountWish): void {
  if (uid === undefined && gid === undefined) return;
  try {
    chownSync(folder, uid ?? 0, gid ?? 0);
  } catch (cause) {
    // An ordinary user's single id: there is nobody but root, and the folder stays root's.
    if ((cause as NodeJS.ErrnoException).code !== "EINVAL") throw cause;
  }
}

/** The cache mounts of one store. `now` gives milliseconds since 1970. Its methods throw STORE_* as the file system does. */
export function cacheMountsOf(db: Database, session: Session, layout: Layout, now: () => number): CacheMounts {
  const kindOf = (sharing: CacheSharing) => (sharing === "shared" ? "shared" : "exclusive");

  /** A folder that is free for this use; "busy" when there are only others. */
  function find(wish: CacheMountWish): { name: string; lock: FileLock } | "busy" | undefined {
    let busy = false;
    const rows = db.all<CacheMountRow>("SELECT * FROM cache_mounts WHERE id = ? ORDER BY created, folder", wish.id);
    for (const row of rows) {
      if (!statSync(join(layout.cacheMounts, row.folder, "data"), { throwIfNoEntry: false })?.isDirectory()) {
        db.run("DELETE FROM cache_mounts WHERE folder = ?", row.folder);
        continue;
      }
      const lock = lockCacheMount(layout, row.folder, kindOf(wish.sharing));
      if (lock === undefined) {
        busy = true;
        continue;
      }
      db.run("UPDATE cache_mounts SET used = ? WHERE folder = ?", now(), row.folder);
      return { name: row.folder, lock };
    }
    return busy ? "busy" : undefined;
  }

  function used(name: string, lock: FileLock): UsedCacheMount {
    return {
      folder: join(layout.cacheMounts, name, "data"),
      async [Symbol.asyncDispose]() {
        try {
          // Its last use is the end of it: a collection that goes by age counts from here.
          db.run("UPDATE cache_mounts SET used = ? WHERE folder = ?", now(), name);
        } catch {
          // A step that filled the disk fails by itself, and is what people have to hear of.
        } finally {
          lock.release();
        }
      },
    };
  }

  /** Made aside and then moved to its place: nobody ever finds a half-filled one. Undefined when somebody was faster. */
  async function make(wish: CacheMountWish): Promise<UsedCacheMount | undefined> {
    const lease = session.lease();
    const aside = session.tempPath();
    let lock: FileLock | undefined;
    try {
      const data = join(aside, "data");
      mkdirSync(aside, { mode: 0o700 });
      mkdirSync(data);
      chmodSync(data, 0o755);
      await wish.fill?.(data);
      giveTo(data, wish);
      if (wish.mode !== undefined) chmodSync(data, wish.mode);
      // Of a folder that nobody else knows yet.
      const held = lockFileSync(join(aside, "lock"), kindOf(wish.sharing));
      lock = held;
      const name = randomBytes(8).toString("hex");
      const made = gated(layout, "exclusive", () => {
        const rows = db.all<CacheMountRow>("SELECT * FROM cache_mounts WHERE id = ?", wish.id);
        if (rows.length > 0 && wish.sharing !== "private") return undefined;
        mkdirSync(layout.cacheMounts, { recursive: true, mode: 0o700 });
        renameSync(aside, join(layout.cacheMounts, name));
        const ms = now();
        db.run("INSERT INTO cache_mounts VALUES (?, ?, ?, ?, ?)", name, wish.id, wish.description, ms, ms);
        return used(name, held);
      });
      if (made) lock = undefined;
      return made;
    } finally {
      lock?.release();
      await removeTree(aside).catch(() => undefined);
      lease[Symbol.dispose]();
    }
  }

  return {
    async use(wish) {
      try {
        ensureTable(db);
        for (;;) {
          wish.signal.throwIfAborted();
          const found = gated(layout, "shared", () => find(wish));
          if (typeof found === "object") return used(found.name, found.lock);
          if (found === "busy" && wish.sharing !== "private") {
            await delay(pollMs, undefined, { signal: wish.signal });
            continue;
          }
          const made = await make(wish);
          if (made) return made;
        }
      } catch (cause) {
        wish.signal.throwIfAborted();
        throw storeError(cause, "use a cache mount", layout.cacheMounts);
      }
    },
  };
}
