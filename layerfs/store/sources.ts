/** Where blobs can be had that were left where they are. Data alone: who speaks to registries and reads layouts makes use of it. */
import type { Database } from "./database.ts";
import { type Digest, parseDigest } from "./digest.ts";
import type { Session } from "./session.ts";

/** What people allowed of the connection to a registry, for reading from it, in the words of the flags for it. */
export type ConnectionException = "plain-http" | "insecure";

interface Claimed {
  /** The diffID that somebody gives the blob whose word is no proof (a build cache): to be compared when the blob comes. */
  readonly claimed?: Digest;
}

export interface RegistrySource extends Claimed {
  /** `host[:port]`. */
  readonly registry: string;
  readonly repository: string;
  /** Full reference of an image there that has the blob: what people would pull. */
  readonly reference: string;
  /** Absent: none. */
  readonly exception?: ConnectionException;
}

export interface LayoutSource extends Claimed {
  /** Absolute path of a folder that is an OCI layout. */
  readonly layout: string;
}

export type BlobSource = RegistrySource | LayoutSource;

export interface SourceTable {
  /**
   * The blob can be had there. Stays as long as a name, a cached result or a lease keeps the digest. Of one repository the
   * last reference and exception count; a claim stays one. Another repository or layout is one more place.
   */
  note(blob: Digest, source: BlobSource): void;
  /**
   * Layouts, which need no network, then repositories, the last noted first; [] when nobody has told of one. Says nothing of
   * whether the blob is here.
   */
  find(blob: Digest): BlobSource[];
}

interface Row {
  readonly registry: string;
  readonly repository: string;
  readonly reference: string;
  readonly claimed: Digest | null;
  /** Absent where the table was made before there was such a column. */
  readonly exception?: string | null;
}

interface LayoutRow {
  readonly folder: string;
  readonly claimed: Digest | null;
}

const tables = ["sources", "layout_sources"] as const;

/** Stores of older versions have no such tables, and older versions leave them alone: they are no change of the schema. */
function ensureTables(db: Database): void {
  db.run(`CREATE TABLE IF NOT EXISTS sources (blob TEXT NOT NULL, registry TEXT NOT NULL, repository TEXT NOT NULL,
    reference TEXT NOT NULL, claimed TEXT, noted INTEGER NOT NULL, exception TEXT,
    PRIMARY KEY (blob, registry, repository)) STRICT, WITHOUT ROWID`);
  if (db.get("SELECT 1 FROM pragma_table_info('sources') WHERE name = 'exception'") === undefined)
    db.run("ALTER TABLE sources ADD COLUMN exception TEXT");
  db.run(`CREATE TABLE IF NOT EXISTS layout_sources (blob TEXT NOT NULL, folder TEXT NOT NULL, claimed TEXT,
    noted INTEGER NOT NULL, PRIMARY KEY (blob, folder)) STRICT, WITHOUT ROWID`);
}

/** Those of the tables that the store has. */
function tablesOf(db: Database): (typeof tables)[number][] {
  const names = db.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('sources', 'layout_sources')",
  );
  return tables.filter((table) => names.some(({ name }) => name === table));
}

/** Blobs that somebody noted a source of, each once. */
export function sourcedBlobs(db: Database): Digest[] {
  const all = tablesOf(db).flatMap((table) => db.all<{ blob: Digest }>(`SELECT DISTINCT blob FROM ${table}`));
  return [...new Set(all.map(({ blob }) => blob))].sort();
}

export function forgetSources(db: Database, blobs: readonly Digest[]): void {
  for (const table of blobs.length === 0 ? [] : tablesOf(db))
    for (const blob of blobs) db.run(`DELETE FROM ${table} WHERE blob = ?`, blob);
}

export function sourcesOf(db: Database, session: Session, now: () => number): SourceTable {
  let isCurrent = false;
  // What another process makes meanwhile is found, too: only what is there stays so.
  let known: readonly string[] = [];
  const has = (table: (typeof tables)[number]) => {
    if (known.length < tables.length) known = tablesOf(db);
    return known.includes(table);
  };
  const repositories = (blob: Digest): RegistrySource[] => {
    if (!has("sources")) return [];
    const rows = db.all<Row>("SELECT * FROM sources WHERE blob = ? ORDER BY noted DESC, registry, repository", blob);
    return rows.map(({ registry, repository, reference, claimed, exception }) => ({
      ...{ registry, repository, reference },
      ...claim(claimed),
      ...(exception === "plain-http" || exception === "insecure" ? { exception } : {}),
    }));
  };
  const layouts = (blob: Digest): LayoutSource[] => {
    if (!has("layout_sources")) return [];
    const rows = db.all<LayoutRow>("SELECT * FROM layout_sources WHERE blob = ? ORDER BY noted DESC, folder", blob);
    return rows.map(({ folder, claimed }) => ({ layout: folder, ...claim(claimed) }));
  };
  return {
    note(blob, source) {
      const digest = parseDigest(blob);
      const claimed = source.claimed === undefined ? null : parseDigest(source.claimed);
      if (!isCurrent) ensureTables(db);
      isCurrent = true;
      session.hold([digest], () =>
        "layout" in source
          ? noteLayout(db, digest, source.layout, claimed, now())
          : noteRepository(db, digest, source, claimed, now()),
      );
    },
    find(blob) {
      const look = () => [...layouts(blob), ...repositories(blob)];
      // Of most blobs there is none, and nothing to hold: a list of images asks for every layer.
      return look().length === 0 ? [] : session.hold([blob], look);
    },
  };
}

function claim(claimed: Digest | null): Claimed {
  return claimed === null ? {} : { claimed };
}

function noteLayout(db: Database, blob: Digest, folder: string, claimed: Digest | null, noted: number): void {
  db.run(
    `INSERT INTO layout_sources (blob, folder, claimed, noted) VALUES (?, ?, ?, ?)
     ON CONFLICT (blob, folder) DO UPDATE SET
       claimed = coalesce(excluded.claimed, layout_sources.claimed), noted = excluded.noted`,
    blob,
    folder,
    claimed,
    noted,
  );
}

function noteRepository(
  db: Database,
  blob: Digest,
  { registry, repository, reference, exception }: RegistrySource,
  claimed: Digest | null,
  noted: number,
): void {
  db.run(
    `INSERT INTO sources (blob, registry, repository, reference, claimed, noted, exception) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (blob, registry, repository) DO UPDATE SET reference = excluded.reference,
       exception = excluded.exception, claimed = coalesce(excluded.claimed, sources.claimed), noted = excluded.noted`,
    blob,
    registry,
    repository,
    reference,
    claimed,
    noted,
    exception ?? null,
  );
}
