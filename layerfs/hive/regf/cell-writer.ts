/** Gives out cells of a hive that is being written: bins of one page, larger ones for what needs them, little left over. */

import { WbuildError } from "../../../native/error.ts";
import { binsStart } from "./base-block.ts";

const page = 4096;
const binHeader = 32;
/** Rests of bins that are still looked into for a cell that does not fit the current bin. */
const keptRests = 16;

interface Rest {
  at: number;
  length: number;
}

export class CellWriter {
  bytes = Buffer.alloc(64 * 1024);
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  /** Where the bins end so far. */
  end = binsStart;
  #current: Rest = { at: 0, length: 0 };
  #rests: Rest[] = [];

  /**
   * A zero-filled cell of `length` bytes of contents; returns their file offset. `bytes` and `view` may be others
   * afterwards. Throws HIVE_LIMIT at 2 GiB.
   */
  allocate(length: number): number {
    const size = (length + 4 + 7) & ~7;
    const rest = size <= this.#current.length ? this.#current : (this.#fitting(size) ?? this.#newBin(size));
    const at = rest.at;
    rest.at += size;
    rest.length -= size;
    this.view.setInt32(at, -size, true);
    return at + 4;
  }

  /** A cell with these contents. */
  store(contents: Uint8Array): number {
    const at = this.allocate(contents.length);
    this.bytes.set(contents, at);
    return at;
  }

  #fitting(size: number): Rest | undefined {
    for (const rest of this.#rests) if (size <= rest.length) return rest;
    return undefined;
  }

  #newBin(size: number): Rest {
    const length = Math.ceil((binHeader + size) / page) * page;
    const at = this.end;
    this.#grow(at + length);
    this.end = at + length;
    this.view.setUint32(at, 0x6e_69_62_68, true);
    this.view.setUint32(at + 4, at - binsStart, true);
    this.view.setUint32(at + 8, length, true);
    const rest = { at: at + binHeader, length: length - binHeader };
    if (length > page) {
      // What is behind a large cell serves small ones; the current bin goes on.
      this.#keep(rest);
    } else {
      this.#keep(this.#current);
      this.#current = rest;
    }
    return rest;
  }

  #keep(rest: Rest): void {
    this.#rests.push(rest);
    if (this.#rests.length <= keptRests) return;
    let smallest = 0;
    for (let index = 1; index < keptRests; index++) {
      if ((this.#rests[index]?.length ?? 0) < (this.#rests[smallest]?.length ?? 0)) smallest = index;
    }
    for (const dropped of this.#rests.splice(smallest, 1)) this.#free(dropped);
  }

  #free(rest: Rest): void {
    if (rest.length > 0) this.view.setInt32(rest.at, rest.length, true);
  }

  #grow(needed: number): void {
    if (needed >= 2 ** 31) throw new WbuildError("HIVE_LIMIT", "the hive would be larger than 2 GiB");
    if (needed <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.min(2 ** 31, Math.max(needed, this.bytes.length * 4)));
    this.bytes.copy(grown, 0, 0, this.end);
    this.bytes = grown;
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.byteLength);
  }

  /** Writes what is free as free cells. The file's bytes. */
  finish(): Buffer {
    for (const rest of [this.#current, ...this.#rests]) this.#free(rest);
    this.#rests = [];
    return this.bytes.subarray(0, this.end);
  }
}
