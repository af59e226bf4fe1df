/** Where blobs can be had that were left where they are. Data alone: who speaks to registries makes use of it. */
import type { Database } from "./database.ts";
import { type Digest, parseDigest } from "./digest.ts";
import type { Session } from "./session.ts";

/** What people allowed of the connection to a registry, for reading from it, in the words of the flags for it. */
export type ConnectionException = "plain-http" | "insecure";

export interface BlobSource {
  /** `host[:port]`. */
  readonly registry: string;
  readonly repository: string;
  /** Full reference of an image there that has the blob: what people would pull. */
  readonly reference: string;
  /** The diffID that somebody gives the blob whose word is no proof (a build cache): to be compared when the blob comes. */
  readonly claimed?: Digest;
  /** Absent: none. */
  readonly exception?: ConnectionException;
}

export interface SourceTable {
  /**
   * The blob can be had there. Stays as long as a name, a cached result or a lease keeps the digest. Of one repository the
   * last reference and exception count; a claim stays one.
   */
  note(blob: Digest, source: BlobSource): void;
  /** The last noted first; [] when nobody has told of one. Says nothing of whether the blob is here. */
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

/** Stores of older versions have no such table, and older versions leave it alone: it is no change of the schema. */
function ensureTable(db: Database): void {
  db.run(`CREATE TABLE IF NOT EXISTS sources (blob TEXT NOT NULL, registry TEXT NOT NULL, repository TEXT NOT NULL,
    reference TEXT NOT NULL, claimed TEXT, noted INTEGER NOT NULL, exception TEXT,
    PRIMARY KEY (blob, registry, repository)) STRICT, WITHOUT ROWID`);
  if (db.get("SELECT 1 FROM pragma_table_info('sources') WHERE name = 'exception'") === undefined)
    db.run("ALTER TABLE sources ADD COLUMN exception TEXT");
}

function hasTable(db: Database): boolean {
  return db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sources'") !== undefined;
}

/** Blobs that somebody noted a source of, each once. */
export function sourcedBlobs(db: Database): Digest[] {
  if (!hasTable(db)) return [];
  return db.all<{ blob: Digest }>("SELECT DISTINCT blob FROM sources ORDER BY blob").map(({ blob }) => blob);
}

export function forgetSources(db: Database, blobs: readonly Digest[]): void {
  for (const blob of blobs) db.run("DELETE FROM sources WHERE blob = ?", blob);
}

export function sourcesOf(db: Database, session: Session, now: () => number): SourceTable {
  let isThere = false;
  let isCurrent = false;
  return {
    note(blob, { registry, repository, reference, claimed, exception }) {
      const digest = parseDigest(blob);
      if (!isCurrent) ensureTable(db);
      isThere = isCurrent = true;
      session.hold([digest], () =>
        db.run(
          `INSERT INTO sources (blob, registry, repository, reference, claimed, noted, exception) VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (blob, registry, repository) DO UPDATE SET reference = excluded.reference,
             exception = excluded.exception, claimed = coalesce(excluded.claimed, sources.claimed), noted = excluded.noted`,
          digest,
          registry,
          repository,
          reference,
          claimed === undefined ? null : parseDigest(claimed),
          now(),
          exception ?? null,
        ),
      );
    },
    find(blob) {
      isThere ||= hasTable(db);
      if (!isThere) return [];
      const look = () =>
        db.all<Row>("SELECT * FROM sources WHERE blob = ? ORDER BY noted DESC, registry, repository", blob);
      // Of most blobs there is none, and nothing to hold: a list of images asks for every layer.
      const rows = look().length === 0 ? [] : session.hold([blob], look);
      return rows.map(({ registry, repository, reference, claimed, exception }) => ({
        ...{ registry, repository, reference },
        ...(claimed === null ? {} : { claimed }),
        ...(exception === "plain-http" || exception === "insecure" ? { exception } : {}),
      }));
    },
  };
}
