/** HeldFile: a file that is read by place through one descriptor, whatever becomes of its name. */
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from "node:fs";

/** For those whose owner nobody knows: a tree of many layers has no end that anybody tells. */
const closing = new FinalizationRegistry<number>(closeSync);

export class HeldFile {
  readonly #fd: number;
  #size: number;

  private constructor(fd: number) {
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
    closing.register(this, fd);
  }

  /** A file that is there, for reading. Throws what open throws. */
  static open(path: string): HeldFile {
    return new HeldFile(openSync(path, "r"));
  }

  /** A new file for reading and writing, whose name is gone at once: its bytes go when nobody holds it. Throws what open throws. */
  static scratch(path: string): HeldFile {
    const fd = openSync(path, "wx+", 0o600);
    rmSync(path);
    return new HeldFile(fd);
  }

  get size(): number {
    return this.#size;
  }

  /** Puts the bytes at its end. */
  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const count = writeSync(this.#fd, bytes, done, bytes.length - done, this.#size);
      this.#size += count;
      done += count;
    }
  }

  /** Reads as much from that place as there is and as goes into `into`; gives the number of bytes. */
  read(into: Uint8Array, from: number): number {
    let done = 0;
    while (done < into.length) {
      const count = readSync(this.#fd, into, done, into.length - done, from + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}
