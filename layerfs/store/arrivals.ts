/** Blobs on their way into the store, read while they come: who unpacks a layer need not wait for its last byte. */
import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Digest } from "./digest.ts";
import { isMissing, storeError } from "./failure.ts";

const chunkBytes = 1024 * 1024;

/** What has come is written by a thread that tells nobody: how long until a reader looks again. */
const writingMs = 20;

export class Arrivals {
  readonly #running = new Map<Digest, Arrival>();
  readonly #awaited = new Map<Digest, Set<() => void>>();

  /** A file that is being filled with a blob from now on; some of it may stand there already. To be ended, whatever happens. */
  begin(digest: Digest, path: string): Arrival {
    const arrival = new Arrival(path, () => {
      if (this.#running.get(digest) === arrival) this.#running.delete(digest);
    });
    this.#running.set(digest, arrival);
    for (const wake of this.#awaited.get(digest) ?? []) wake();
    return arrival;
  }

  /**
   * The bytes of a blob that `coming` brings, unverified, from the first one on; undefined when this process has nothing to read
   * along, because the blob was here or somebody else brings it. They end where the transfer ends, also where it fails, so only
   * `coming` tells whether they were the blob. Reading them throws STORE_*.
   */
  async follow(digest: Digest, coming: Promise<unknown>): Promise<AsyncIterable<Uint8Array> | undefined> {
    if (!this.#running.has(digest)) await this.#begun(digest, coming);
    return this.#running.get(digest)?.read(coming);
  }

  async #begun(digest: Digest, coming: Promise<unknown>): Promise<void> {
    const waiting = this.#awaited.get(digest) ?? new Set();
    this.#awaited.set(digest, waiting);
    let wake = () => {};
    const begun = new Promise<void>((resolve) => {
      wake = resolve;
    });
    waiting.add(wake);
    try {
      await Promise.race([begun, coming.catch(() => {})]);
    } finally {
      waiting.delete(wake);
      if (waiting.size === 0) this.#awaited.delete(digest);
    }
  }
}

export class Arrival {
  readonly path: string;
  readonly #onEnd: () => void;
  readonly #readers = new Set<() => void>();
  #size = 0;
  #hasEnded = false;

  constructor(path: string, onEnd: () => void) {
    this.path = path;
    this.#onEnd = onEnd;
  }

  /** So many bytes are in the file, or will be in a moment. */
  grew(size: number): void {
    this.#size = size;
    this.#wake();
  }

  /** Nothing more comes, and what came is in the file. */
  end(): void {
    this.#hasEnded = true;
    this.#onEnd();
    this.#wake();
  }

  async #open(): Promise<FileHandle | undefined> {
    try {
      return await open(this.path, "r");
    } catch (cause) {
      if (isMissing(cause)) return undefined;
      throw storeError(cause, "read a blob", this.path);
    }
  }

  #wake(): void {
    for (const wake of this.#readers) wake();
  }

  /** Opens nothing before it is read from, and ends also when `coming` fails. Each chunk is the reader's. Throws STORE_*. */
  async *read(coming: Promise<unknown>): AsyncGenerator<Uint8Array> {
    await using file = await this.#open();
    // It ended meanwhile, and its file has got the blob's name.
    if (file === undefined) return;
    let wake = () => {};
    const look = () => wake();
    let isGivenUp = false;
    // Who waits for it may give up before the transfer does.
    coming.catch(() => {
      isGivenUp = true;
      look();
    });
    this.#readers.add(look);
    try {
      let empty: Buffer | undefined;
      for (let at = 0; ; ) {
        // What grows from here on is not missed, and what ended before this has nothing left to give when nothing is found.
        const isLast = this.#hasEnded || isGivenUp;
        const grown = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const buffer = empty ?? Buffer.allocUnsafeSlow(chunkBytes);
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at).catch((cause: unknown) => {
          throw storeError(cause, "read a blob", this.path);
        });
        at += bytesRead;
        empty = bytesRead === 0 ? buffer : undefined;
        if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
        else if (isLast) return;
        else await (at < this.#size ? Promise.race([grown, delay(writingMs)]) : grown);
      }
    } finally {
      this.#readers.delete(look);
    }
  }
}
