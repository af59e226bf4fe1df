/** The index of the store: one SQLite file that any number of processes share. Knows tables, not what they mean. */
import { closeSync, existsSync, linkSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import BetterSqlite, { type Database as Sqlite, type Statement } from "better-sqlite3";
import { randomHex } from "../../native/addon/hash.ts";
import { distFolder } from "../../native/addon/load.ts";
import { WbuildError } from "../../native/error.ts";
import { storeError } from "./failure.ts";
import { type Layout, makeFolders } from "./layout.ts";

/** Raised with every change of the tables. An older program refuses a newer file. */
const schemaVersion = 1;

/** How long one process waits for another's transaction. They take milliseconds; the rest is for a loaded machine. */
const busyMs = 30_000;

const schema = `
CREATE TABLE refs (name TEXT PRIMARY KEY, descriptor TEXT NOT NULL, keeps TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE layers (blob TEXT PRIMARY KEY, diff_id TEXT NOT NULL, descriptor TEXT NOT NULL,
  uncompressed INTEGER NOT NULL, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX layers_by_diff_id ON layers (diff_id);
CREATE TABLE indexes (diff_id TEXT PRIMARY KEY, size INTEGER NOT NULL, digest TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (chain_id TEXT PRIMARY KEY, folder TEXT NOT NULL UNIQUE, diff_id TEXT NOT NULL, parent TEXT,
  created INTEGER NOT NULL, used INTEGER NOT NULL, bytes INTEGER, boot TEXT) STRICT, WITHOUT ROWID;
CREATE INDEX snapshots_by_diff_id ON snapshots (diff_id);
CREATE TABLE cache (key TEXT PRIMARY KEY, value TEXT NOT NULL, keeps TEXT NOT NULL,
  created INTEGER NOT NULL, used INTEGER NOT NULL) STRICT;
CREATE TABLE facts (key TEXT PRIMARY KEY, value ANY NOT NULL, used INTEGER NOT NULL) STRICT;
CREATE INDEX facts_by_use ON facts (used);
PRAGMA user_version = ${schemaVersion};
`;

function openFile(path: string): Sqlite {
  const binding = join(distFolder(), "better_sqlite3.node");
  return new BetterSqlite(path, {
    fileMustExist: true,
    timeout: busyMs,
    ...(existsSync(binding) ? { nativeBinding: binding } : {}),
  });
}

/**
 * Makes the file beside its place and links it there, so that nobody ever sees a database without its tables and
 * two first users cannot get in each other's way: the slower one finds the file and drops its own.
 */
function createFile(layout: Layout): void {
  const path = join(layout.temp, `db-${randomHex(8)}`);
  try {
    // Empty, but only its owner's; SQLite gives its log and its shared memory the same mode.
    closeSync(openSync(path, "wx", 0o600));
    const fresh = openFile(path);
    try {
      fresh.pragma("journal_mode = WAL");
      fresh.exec(`BEGIN; ${schema} COMMIT;`);
    } finally {
      fresh.close();
    }
    linkSync(path, layout.database);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "EEXIST") throw cause;
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
  }
}

type Value = string | number | Uint8Array | null;

/** Prepared statements on one connection; failures of SQLite come out as STORE_* errors. */
export class Database implements Disposable {
  readonly #sqlite: Sqlite;
  readonly #path: string;
  readonly #statements = new Map<string, Statement>();

  /** The folders exist. Throws STORE_VERSION for a newer schema, STORE_CORRUPT, STORE_DENIED, STORE_FULL. */
  constructor(layout: Layout) {
    this.#path = layout.database;
    try {
      if (!existsSync(layout.database)) {
        makeFolders(layout);
        createFile(layout);
      }
      this.#sqlite = openFile(layout.database);
      const version = this.#sqlite.pragma("user_version", { simple: true });
      if (typeof version !== "number" || version > schemaVersion) {
        this.#sqlite.close();
        throw new WbuildError("STORE_VERSION", `the store ${layout.root} was made by a newer wbuild`, {
          facts: { path: layout.root, expected: schemaVersion, found: version },
          hint: "update wbuild, or set WBUILD_HOME to another folder",
        });
      }
      // The file is a write-ahead log's, so NORMAL risks no damage: a power cut may only lose the newest rows.
      this.#sqlite.pragma("synchronous = NORMAL");
    } catch (cause) {
      throw storeError(cause, "open the store's index", layout.database);
    }
  }

  #prepare(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Changes rows; gives how many. */
  run(sql: string, ...values: readonly Value[]): number {
    try {
      return this.#prepare(sql).run(...values).changes;
    } catch (cause) {
      throw storeError(cause, "write to the store's index", this.#path);
    }
  }

  /** The first row. The caller names the shape: rows are our own, the tables are STRICT. */
  get<T>(sql: string, ...values: readonly Value[]): T | undefined {
    try {
      return this.#prepare(sql).get(...values) as T | undefined;
    } catch (cause) {
      throw storeError(cause, "read the store's index", this.#path);
    }
  }

  all<T>(sql: string, ...values: readonly Value[]): T[] {
    try {
      return this.#prepare(sql).all(...values) as T[];
    } catch (cause) {
      throw storeError(cause, "read the store's index", this.#path);
    }
  }

  /** All or nothing, against every other process. `durable` also survives a power cut from the moment it returns. */
  transaction<T>(work: () => T, durable = false): T {
    try {
      if (durable) this.#sqlite.pragma("synchronous = FULL");
      return this.#sqlite.transaction(work).immediate();
    } catch (cause) {
      throw storeError(cause, "write to the store's index", this.#path);
    } finally {
      if (durable) this.#sqlite.pragma("synchronous = NORMAL");
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#sqlite.close();
  }
}
