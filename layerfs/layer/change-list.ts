/** Changes as records, some 100 bytes each outside of V8's heap: lists of a whole layer that are gone through more than once. */
import { decodeRecord, RecordWriter } from "../../native/addon/records.ts";
import type { Change } from "./entry.ts";

/** What a list of changes can be asked for; an array is one. Entries may be new objects each time. */
export interface Changes extends Iterable<Change> {
  readonly length: number;
  at(index: number): Change | undefined;
  /** Those that set nothing, where they can be told without decoding the others. */
  marks?(): Iterable<Change>;
}

const chunkSize = 1 << 20;

/** Contents are left out, digests and PAX records stay. */
export class ChangeList implements Changes {
  readonly #writer = new RecordWriter(chunkSize);
  readonly #chunks: Buffer[] = [];
  /** The chunk of each change, and its place there. */
  #places = new Int32Array(1024);
  #length = 0;
  readonly #marks: number[] = [];

  get length(): number {
    return this.#length;
  }

  add(change: Change): void {
    if (2 * this.#length === this.#places.length) {
      const bigger = new Int32Array(this.#places.length * 2);
      bigger.set(this.#places);
      this.#places = bigger;
    }
    this.#places[2 * this.#length] = this.#chunks.length;
    this.#places[2 * this.#length + 1] = this.#writer.length;
    this.#length++;
    if (change.kind === "set") this.#writer.addSet(change.entry);
    else {
      this.#writer.addMark(change.kind, change.path);
      this.#marks.push(this.#length - 1);
    }
    if (this.#writer.length >= chunkSize - chunkSize / 16) this.#chunks.push(this.#writer.take());
  }

  at(index: number): Change | undefined {
    if (!(index >= 0 && index < this.#length)) return undefined;
    const chunk = this.#chunks[this.#places[2 * index] ?? 0] ?? this.#writer.written();
    return decodeRecord(chunk, this.#places[2 * index + 1] ?? 0);
  }

  *marks(): Generator<Change> {
    for (const index of this.#marks) {
      const change = this.at(index);
      if (change !== undefined) yield change;
    }
  }

  *[Symbol.iterator](): Generator<Change> {
    for (let i = 0; i < this.#length; i++) {
      const change = this.at(i);
      if (change !== undefined) yield change;
    }
  }
}
