/** Refs: human names for descriptors. A ref is a root of the store: what it keeps is never collected. */
import type { Database } from "./database.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import type { Session } from "./session.ts";

export interface Ref {
  readonly name: string;
  readonly descriptor: Descriptor;
  /** Every blob that the name needs: manifests, configuration, layers. Chain IDs keep snapshots. */
  readonly keeps: readonly Digest[];
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** Names are opaque text: full references, as `registry/` writes them. */
export interface Refs {
  /** Under a lease, what the ref keeps stays also when somebody else deletes the ref. */
  get(name: string): Ref | undefined;
  /** Makes or moves the name; the last one who sets it wins. The descriptor's own digest is always kept. */
  set(name: string, descriptor: Descriptor, keeps: readonly Digest[]): void;
  /** False when there was none. Content goes with the next collection, unless something else keeps it. */
  delete(name: string): boolean;
  /** In byte order of the names. */
  list(): Ref[];
}

interface Row {
  readonly name: string;
  readonly descriptor: string;
  readonly keeps: string;
  readonly created: number;
  readonly updated: number;
}

function fromRow(row: Row): Ref {
  return {
    name: row.name,
    descriptor: JSON.parse(row.descriptor) as Descriptor,
    keeps: JSON.parse(row.keeps) as Digest[],
    createdMs: row.created,
    updatedMs: row.updated,
  };
}

export function refsOf(db: Database, session: Session, now: () => number): Refs {
  const find = (name: string) => db.get<Row>("SELECT * FROM refs WHERE name = ?", name);
  return {
    get(name) {
      const row = find(name);
      if (row === undefined) return undefined;
      const ref = fromRow(row);
      session.hold(ref.keeps, () => undefined);
      return ref;
    },
    set(name, descriptor, keeps) {
      const wanted = JSON.stringify([...new Set([descriptor.digest, ...keeps])]);
      const text = JSON.stringify(descriptor);
      const old = find(name);
      // Saying the same again costs no write: a cached build ends here.
      if (old?.descriptor === text && old.keeps === wanted) return;
      const ms = now();
      db.run(
        `INSERT INTO refs (name, descriptor, keeps, created, updated) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET descriptor = excluded.descriptor, keeps = excluded.keeps, updated = excluded.updated`,
        name,
        text,
        wanted,
        ms,
        ms,
      );
    },
    delete: (name) => db.run("DELETE FROM refs WHERE name = ?", name) > 0,
    list: () => db.all<Row>("SELECT * FROM refs ORDER BY name").map(fromRow),
  };
}
