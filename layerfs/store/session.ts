/**
 * Session: what one process is using right now, told to all others through a locked file. The lock goes with the process,
 * also when it is killed, so nothing has to be repaired: what a dead session left is simply no longer in use.
 */
import { closeSync, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { lockFileSync, tryLockFileSync } from "../../native/addon/addon.ts";
import { randomHex } from "../../native/addon/hash.ts";
import { isMissing, storeError } from "./failure.ts";
import type { Layout } from "./layout.ts";

export type Lease = Disposable;

interface OpenSession {
  readonly id: string;
  readonly file: number;
  readonly path: string;
  readonly lock: { release(): void };
  readonly held: Set<string>;
}

/** Runs work with the store's gate locked. The work must not await: a process would wait for itself. */
export function gated<T>(layout: Layout, mode: "shared" | "exclusive", work: () => T): T {
  let lock: { release(): void };
  try {
    lock = lockFileSync(layout.gate, mode);
  } catch (cause) {
    throw storeError(cause, "lock the store", layout.gate);
  }
  try {
    return work();
  } finally {
    lock.release();
  }
}

export class Session {
  readonly #layout: Layout;
  #users = 0;
  #open: OpenSession | undefined;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Opens the session, or shares it; when its last lease is disposed, it holds nothing any more. */
  lease(): Lease {
    this.#open ??= this.#begin();
    this.#users++;
    let ended = false;
    return {
      [Symbol.dispose]: () => {
        if (ended) return;
        ended = true;
        if (--this.#users === 0) this.#end();
      },
    };
  }

  /** A fresh path in the temporary folder, ending as told. Only while a lease is open. */
  tempPath(ending = ""): string {
    if (this.#open === undefined) throw new Error("a temporary path needs an open lease");
    return join(this.#layout.temp, `${this.#open.id}-${randomHex(8)}${ending}`);
  }

  /**
   * Notes that digests (of blobs, or chain IDs) are in use, then looks at them. In this order and behind the gate, because
   * a collection between looking and noting would take what was just found. Without an open lease it only looks.
   */
  hold<T>(digests: readonly string[], look: () => T): T {
    const open = this.#open;
    if (open === undefined) return look();
    const fresh = digests.filter((digest) => !open.held.has(digest));
    if (fresh.length === 0) return look();
    return gated(this.#layout, "shared", () => {
      try {
        writeSync(open.file, `${fresh.join("\n")}\n`);
      } catch (cause) {
        throw storeError(cause, "note what is in use", open.path);
      }
      for (const digest of fresh) open.held.add(digest);
      return look();
    });
  }

  #begin(): OpenSession {
    const id = randomHex(8);
    const path = join(this.#layout.leases, id);
    // Behind the gate: a collection must not find the file before it is locked and take it for a dead one's.
    return gated(this.#layout, "shared", () => {
      try {
        const file = openSync(path, "ax", 0o600);
        const lock = lockFileSync(path, "exclusive");
        return { id, file, path, lock, held: new Set() };
      } catch (cause) {
        throw storeError(cause, "open a lease", path);
      }
    });
  }

  #end(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    closeSync(open.file);
    try {
      unlinkSync(open.path);
    } catch (cause) {
      if (!isMissing(cause)) throw storeError(cause, "close a lease", open.path);
    } finally {
      open.lock.release();
    }
  }
}

export interface LiveSessions {
  readonly ids: ReadonlySet<string>;
  /** Digests and chain IDs that they use. */
  readonly held: ReadonlySet<string>;
}

/** Which sessions live; drops the files of dead ones. Call it with the gate locked exclusively. */
export function liveSessions(layout: Layout): LiveSessions {
  const ids = new Set<string>();
  const held = new Set<string>();
  for (const id of readdirSync(layout.leases)) {
    const path = join(layout.leases, id);
    try {
      const lock = tryLockFileSync(path, "exclusive");
      if (lock !== undefined) {
        unlinkSync(path);
        lock.release();
        continue;
      }
      ids.add(id);
      for (const line of readFileSync(path, "utf8").split("\n")) if (line !== "") held.add(line);
    } catch (cause) {
      // It ended by itself meanwhile.
      if (!isMissing(cause)) throw storeError(cause, "read a lease", path);
    }
  }
  return { ids, held };
}
