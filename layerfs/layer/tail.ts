/** Tail: a file that somebody else is writing, read from its start while it grows. A push sends a layer this way. */
import { open } from "node:fs/promises";

const pieceSize = 1 << 18;
const ringSize = 4;

export class Tail implements AsyncIterable<Uint8Array> {
  #path: string;
  #safe = 0;
  #state: "growing" | "ended" | "failed" = "growing";
  #error: unknown;
  #waiting: (() => void)[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** So many bytes are safely in the file. */
  grow(bytes: number): void {
    if (bytes <= this.#safe) return;
    this.#safe = bytes;
    this.#wake();
  }

  /** The file has all its bytes and lies at `path` now. */
  end(bytes: number, path: string): void {
    this.#safe = bytes;
    this.#path = path;
    this.#state = "ended";
    this.#wake();
  }

  /** No more will come: readers throw this error. */
  fail(error: unknown): void {
    this.#error = error;
    this.#state = "failed";
    this.#wake();
  }

  /**
   * The bytes from the first to the last, as soon as they are there. May be asked for again. A piece's bytes stay as they
   * are until three more pieces were taken: with fresh memory for each, a layer of 400 MB left 40 MB of it lying around.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let at = 0;
    let turn = 0;
    const ring = Array.from({ length: ringSize }, () => Buffer.allocUnsafeSlow(pieceSize));
    while (this.#safe === 0 && this.#state === "growing") await this.#change();
    const file = await this.#open();
    try {
      for (;;) {
        if (this.#state === "failed") throw this.#error;
        if (at < this.#safe) {
          const piece = ring[turn++ % ring.length] as Buffer;
          const { bytesRead } = await file.read(piece, 0, Math.min(pieceSize, this.#safe - at), at);
          if (bytesRead === 0) throw new Error(`${this.#path} lost bytes while it was read`);
          at += bytesRead;
          yield piece.subarray(0, bytesRead);
        } else if (this.#state === "ended") return;
        else await this.#change();
      }
    } finally {
      await file.close();
    }
  }

  /** The file may be renamed between our look at its name and the open: then the new name is tried. */
  async #open() {
    const path = this.#path;
    try {
      return await open(path, "r");
    } catch (error) {
      const moved = await this.#place();
      if (moved === path) throw error;
      return await open(moved, "r");
    }
  }

  /** Where the finished file lies. */
  async #place(): Promise<string> {
    while (this.#state === "growing") await this.#change();
    if (this.#state === "failed") throw this.#error;
    return this.#path;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
