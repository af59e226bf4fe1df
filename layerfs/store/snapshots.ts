/** Snapshots: unpacked layers as folders. One row is one layer on a given stack below it, found by its chain ID. */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "./database.ts";
import { type Digest, digestOf, parseDigest } from "./digest.ts";
import { storeError } from "./failure.ts";
import { isStaleUse } from "./last-use.ts";
import type { Layout } from "./layout.ts";
import { removeTree } from "./remove-tree.ts";
import type { Session } from "./session.ts";

export interface ReservedSnapshot extends AsyncDisposable {
  /** Empty, mode 0755; becomes the unpacked layer. */
  readonly folder: string;
  /** Empty, on the same file system; gone when disposed. */
  readonly scratch: string;
  /**
   * Makes the folder findable and gives the path under which it lives from now on; if somebody was faster, theirs,
   * and ours goes when disposed. Both hold the same files, or the chain ID would differ.
   */
  commit(chainId: Digest, diffId: Digest, parentChainId?: Digest): string;
}

export interface Snapshots {
  /** Counts as a use. Under a lease the folder stays. */
  find(chainId: Digest): { readonly folder: string } | undefined;
  reserve(): Promise<ReservedSnapshot>;
  /** ChainID of the OCI image specification ("Layer ChainID"): names a layer together with all below it. */
  chainId(parent: Digest | undefined, diffId: Digest): Digest;
}

/** ChainID(L0) = DiffID(L0); ChainID(L0|…|Ln) = SHA256(ChainID(L0|…|Ln-1) + " " + DiffID(Ln)). */
export function chainId(parent: Digest | undefined, diffId: Digest): Digest {
  return parent === undefined ? parseDigest(diffId) : digestOf(`${parseDigest(parent)} ${parseDigest(diffId)}`);
}

/** Names this boot of the kernel; "" where that cannot be told. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** `snapshots` of the store, and what its upkeep needs. */
export class SnapshotFolders implements Snapshots {
  readonly #db: Database;
  readonly #session: Session;
  readonly #layout: Layout;
  readonly #now: () => number;
  #boot: string | undefined;

  constructor(db: Database, session: Session, layout: Layout, now: () => number) {
    this.#db = db;
    this.#session = session;
    this.#layout = layout;
    this.#now = now;
  }

  readonly chainId = chainId;

  find(chainId: Digest): { readonly folder: string } | undefined {
    this.boot();
    const id = parseDigest(chainId);
    const row = this.#session.hold([id], () =>
      this.#db.get<{ folder: string; used: number }>("SELECT folder, used FROM snapshots WHERE chain_id = ?", id),
    );
    if (row === undefined) return undefined;
    const folder = layerFolder(this.#layout, row.folder);
    if (!isFolder(folder)) {
      this.#db.run("DELETE FROM snapshots WHERE chain_id = ? AND folder = ?", id, row.folder);
      return undefined;
    }
    const ms = this.#now();
    if (isStaleUse(row.used, ms)) this.#db.run("UPDATE snapshots SET used = ? WHERE chain_id = ?", ms, id);
    return { folder };
  }

  async reserve(): Promise<ReservedSnapshot> {
    const lease = this.#session.lease();
    // The layer lies one level down: moving a folder needs the right to write it, and "/" of an image may be 0555.
    const top = this.#session.tempPath();
    const folder = join(top, "layer");
    const scratch = this.#session.tempPath();
    try {
      mkdirSync(top, { mode: 0o700 });
      mkdirSync(folder);
      // It shows as the root folder of the container: the user's umask must not.
      chmodSync(folder, 0o755);
      mkdirSync(scratch, { mode: 0o700 });
    } catch (cause) {
      await Promise.allSettled([removeTree(top), removeTree(scratch)]);
      lease[Symbol.dispose]();
      throw storeError(cause, "make a folder for a layer", top);
    }
    return {
      folder,
      scratch,
      commit: (chainId, diffId, parent) => this.#commit(top, chainId, diffId, parent),
      [Symbol.asyncDispose]: async () => {
        try {
          await Promise.all([removeTree(top), removeTree(scratch)]);
        } finally {
          lease[Symbol.dispose]();
        }
      },
    };
  }

  #commit(made: string, chainId: Digest, diffId: Digest, parent: Digest | undefined): string {
    const id = parseDigest(chainId);
    this.boot();
    const name = randomBytes(8).toString("hex");
    const place = join(this.#layout.snapshots, name);
    let moved = false;
    try {
      // Row and folder change behind the lock of one transaction, where a collection decides, too.
      return this.#session.hold([id], () =>
        this.#db.transaction(() => {
          const row = this.#db.get<{ folder: string }>("SELECT folder FROM snapshots WHERE chain_id = ?", id);
          const theirs = row && layerFolder(this.#layout, row.folder);
          if (theirs !== undefined && isFolder(theirs)) return theirs;
          renameSync(made, place);
          moved = true;
          const ms = this.#now();
          this.#db.run(
            `INSERT OR REPLACE INTO snapshots (chain_id, folder, diff_id, parent, created, used, boot)
             VALUES (?, ?, ?, ?, ?, ?, ?)`,
            id,
            name,
            parseDigest(diffId),
            parent ?? null,
            ms,
            ms,
            this.boot(),
          );
          return layerFolder(this.#layout, name);
        }),
      );
    } catch (cause) {
      if (moved) renameSync(place, made);
      throw storeError(cause, "keep an unpacked layer", place);
    }
  }

  /**
   * Files of unpacked layers are not synced one by one, that would cost more than unpacking them again. So a snapshot
   * that nobody has synced counts only until the next boot: after a power cut its files may be empty.
   */
  boot(): string {
    if (this.#boot === undefined) {
      this.#boot = bootId();
      const stale = "FROM snapshots WHERE boot IS NOT NULL AND boot <> ?";
      if (this.#db.get(`SELECT 1 ${stale} LIMIT 1`, this.#boot)) this.#db.run(`DELETE ${stale}`, this.#boot);
    }
    return this.#boot;
  }
}

function layerFolder(layout: Layout, name: string): string {
  return join(layout.snapshots, name, "layer");
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
