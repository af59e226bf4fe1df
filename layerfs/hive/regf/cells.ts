/**
 * The bins of a hive taken apart into cells, without an object per cell: one bit for each 8 bytes says whether a cell in
 * use begins there, one number for each cell which reference has led to it. Knows nothing of what cells contain.
 */

import { binsStart } from "./base-block.ts";
import { hex, type Tell } from "./damage.ts";
import { records } from "./layout.ts";

/** "None" where a cell index stands. */
export const noCell = 0xff_ff_ff_ff;

/** In place of a reference: none is at the file's begin. */
const unclaimed = 0;
/** "hbin" */
const binSignature = 0x6e_69_62_68;

/** What `open` and its sisters return for what cannot be read; the reason was told. */
export const unreadable = -1;

export class Cells {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Where the bins end in the file. */
  readonly end: number;
  /** From the begin of a cell to its contents: its size, and in version 1.1 a link to the cell before it. */
  readonly head: number;
  readonly tell: Tell;
  /** For each 8 bytes a bit: a cell in use begins there. */
  readonly #begins: Int32Array;
  /** How many begin before each 32 bits of these. */
  readonly #before: Int32Array;
  /** For each cell in use, in order, the file offset of the reference that claimed it. */
  readonly #owners: Int32Array;
  readonly #memory: ArrayBufferLike;
  readonly #offset: number;
  readonly #shared = new Map<number, Uint8Array>();

  /** Looks at every bin and cell header once; `binsSize` as the base block has it. */
  constructor(bytes: Uint8Array, binsSize: number, minor: number, tell: Tell) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#memory = bytes.buffer;
    this.#offset = bytes.byteOffset;
    this.head = minor === 1 ? 8 : 4;
    this.tell = tell;
    const wanted = binsStart + binsSize;
    if (wanted > bytes.length) {
      const what = `the file ends at ${hex(bytes.length)}, its bins should reach to ${hex(wanted)}`;
      tell({ offset: Math.max(0, bytes.length), record: "base block", what });
    }
    this.end = Math.max(binsStart, Math.min(wanted, bytes.length));
    const words = (this.end >>> 8) + 1;
    this.#begins = new Int32Array(words);
    this.#before = new Int32Array(words);
    this.#mapBins();
    let count = 0;
    for (let word = 0; word < words; word++) {
      this.#before[word] = count;
      count += bitsOf(this.#begins[word] ?? 0);
    }
    this.#owners = new Int32Array(count);
  }

  #beginsAt(slot: number): boolean {
    return (((this.#begins[slot >> 5] ?? 0) >>> (slot & 31)) & 1) !== 0;
  }

  /** Which cell it is, counted from the first. One begins there. */
  #cellAt(slot: number): number {
    const word = slot >> 5;
    return (this.#before[word] ?? 0) + bitsOf((this.#begins[word] ?? 0) & ((1 << (slot & 31)) - 1));
  }

  #mapBins(): void {
    for (let at = binsStart; at < this.end; ) {
      const size = this.#binSize(at);
      // After a bad header the next page may be a good bin again.
      const next = Math.min(this.end, at + (size === unreadable ? 4096 : size));
      if (size !== unreadable) this.#mapCells(at + 32, next);
      at = next;
    }
  }

  #binSize(at: number): number {
    const bad = (what: string) => {
      this.tell({ offset: at, record: "bin", what });
      return unreadable;
    };
    if (at + 32 > this.end) return bad("the bin is cut off");
    if (this.view.getUint32(at, true) !== binSignature) return bad("no bin begins here");
    if (this.view.getUint32(at + 4, true) !== at - binsStart) return bad("the bin says that it is elsewhere");
    const size = this.view.getUint32(at + 8, true);
    if (size === 0 || size % 4096 !== 0) return bad(`the bin's size is ${size}`);
    // A bin that passes the end still has whole cells before it.
    if (at + size > this.end) this.tell({ offset: at, record: "bin", what: "the bin is cut off" });
    return size;
  }

  #mapCells(from: number, end: number): void {
    const view = this.view;
    const begins = this.#begins;
    for (let at = from; at + 4 <= end; ) {
      const size = view.getInt32(at, true);
      const length = size < 0 ? -size : size;
      if (length < 8 || (length & 7) !== 0 || at + length > end) {
        this.tell({
          offset: at,
          record: "cell",
          what: `the cell's size is ${size}, ${end - at} bytes before the end of its bin`,
        });
        at = this.#nextRecord(at + 8, end);
        continue;
      }
      if (size < 0) begins[at >> 8] = (begins[at >> 8] ?? 0) | (1 << ((at >> 3) & 31));
      at += length;
    }
  }

  /** Where, behind a broken size, a cell begins that looks like a record. Data cells before it cannot be told apart. */
  #nextRecord(from: number, end: number): number {
    for (let at = from; at + 8 <= end; at += 8) {
      const length = -this.view.getInt32(at, true);
      if (length < 8 || (length & 7) !== 0 || at + length > end) continue;
      if (at + this.head + 2 <= end && records.has(this.view.getUint16(at + this.head, true))) return at;
    }
    return end;
  }

  /**
   * The file offset of the contents of the cell whose index stands at file offset `from`, with at least `least` bytes.
   * A cell belongs to the first reference that asks for it: every other one is damage. Attack: one subtree, list or
   * value linked from thousands of places, which makes a small file an endless tree.
   */
  open(from: number, record: string, least: number): number {
    const at = this.openShared(from, record, least);
    if (at === unreadable) return unreadable;
    const cell = this.#cellAt((at - this.head) >> 3);
    const owner = this.#owners[cell];
    if (owner === unclaimed) this.#owners[cell] = from;
    else if (owner !== from) {
      this.tell({ offset: from, record, what: `it points at a cell that ${hex(owner ?? 0)} has already` });
      return unreadable;
    }
    return at;
  }

  /** As `open`, for cells that many may point at. */
  openShared(from: number, record: string, least: number): number {
    const index = this.view.getUint32(from, true);
    const at = binsStart + index;
    if ((index & 7) !== 0 || at >= this.end || !this.#beginsAt(at >> 3)) {
      this.tell({ offset: from, record, what: `it points at ${hex(index)}, where no cell in use begins` });
      return unreadable;
    }
    const contents = at + this.head;
    if (this.length(contents) < least) {
      this.tell({
        offset: at,
        record,
        what: `the cell has ${this.length(contents)} bytes, at least ${least} are needed`,
      });
      return unreadable;
    }
    return contents;
  }

  /** Bytes of contents of an open cell. */
  length(contents: number): number {
    return -this.view.getInt32(contents - this.head, true) - this.head;
  }

  /** A view of `length` bytes; the caller knows that they are in a cell. */
  part(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + at, length);
  }

  /** What the shared cell at the index at file offset `from` is read as: once a cell, whoever points at it. */
  shared(from: number, read: (cells: Cells, at: number) => Uint8Array | undefined): Uint8Array | undefined {
    const index = this.view.getUint32(from, true);
    const known = this.#shared.get(index);
    if (known !== undefined) return known;
    const at = this.openShared(from, "sk", 20);
    const part = at === unreadable ? undefined : read(this, at);
    if (part !== undefined) this.#shared.set(index, part);
    return part;
  }

  /** Takes a shared cell for `from`, when nobody has it; for what counts which cells are in use. */
  claim(contents: number, from: number): void {
    const cell = this.#cellAt((contents - this.head) >> 3);
    if (this.#owners[cell] === unclaimed) this.#owners[cell] = from;
  }

  /** File offsets of the cells in use that no reference has led to. */
  *unreferenced(): Generator<number> {
    let cell = 0;
    for (let slot = 0; slot <= this.end >>> 3; slot++) {
      if (this.#beginsAt(slot) && this.#owners[cell++] === unclaimed) yield slot * 8;
    }
  }
}

/** How many of 32 bits are set: by pairs, by fours, by bytes, and those added up. */
function bitsOf(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x55_55_55_55);
  const fours = (pairs & 0x33_33_33_33) + ((pairs >>> 2) & 0x33_33_33_33);
  return Math.imul((fours + (fours >>> 4)) & 0x0f_0f_0f_0f, 0x01_01_01_01) >>> 24;
}
