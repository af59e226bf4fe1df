/** Changes as records, outside of V8's heap or in a file: lists of a whole layer that are gone through more than once. */
import { decodeRecord, RecordWriter } from "../../native/addon/records.ts";
import type { HeldFile } from "../store/held-file.ts";
import type { Change } from "./entry.ts";
import { withRoom } from "./name-table.ts";
import { RecordFile } from "./record-file.ts";

/** What a list of changes can be asked for; an array is one. Entries may be new objects each time. */
export interface Changes extends Iterable<Change> {
  readonly length: number;
  at(index: number): Change | undefined;
  /** Those that set nothing, where they can be told without decoding the others. */
  marks?(): Iterable<Change>;
}

/** Bytes that wait for being written. */
const chunkSize = 256 * 1024;

/** Records whose places are known. */
abstract class PlacedChanges implements Changes {
  #places = new Int32Array(1024);
  #length = 0;
  readonly #marks: number[] = [];

  protected abstract record(place: number): Change;

  protected note(place: number, isMark: boolean): void {
    this.#places = withRoom(this.#places, this.#length);
    this.#places[this.#length] = place;
    if (isMark) this.#marks.push(this.#length);
    this.#length++;
  }

  get length(): number {
    return this.#length;
  }

  at(index: number): Change | undefined {
    return index >= 0 && index < this.#length ? this.record(this.#places[index] ?? 0) : undefined;
  }

  *marks(): Generator<Change> {
    for (const index of this.#marks) yield this.record(this.#places[index] ?? 0);
  }

  *[Symbol.iterator](): Generator<Change> {
    for (let i = 0; i < this.#length; i++) yield this.record(this.#places[i] ?? 0);
  }
}

/** A list that is added to. Contents are left out, digests and PAX records stay. What is too much for memory goes to the file. */
export class ChangeList extends PlacedChanges {
  readonly #file: RecordFile;
  readonly #writer = new RecordWriter(chunkSize);

  constructor(scratch: HeldFile) {
    super();
    this.#file = new RecordFile(scratch);
  }

  add(change: Change): void {
    this.note(this.#file.size + this.#writer.length, change.kind !== "set");
    if (change.kind === "set") this.#writer.addSet(change.entry);
    else this.#writer.addMark(change.kind, change.path);
    if (this.#writer.length >= chunkSize - chunkSize / 16) this.#file.append(this.#writer.take());
  }

  protected override record(place: number): Change {
    const { size } = this.#file;
    return place < size ? this.#file.record(place) : decodeRecord(this.#writer.written(), place - size);
  }
}

/** The records of a file from a place on. Throws LAYER_RECORD for bytes that are none. */
export class FileChanges extends PlacedChanges {
  readonly #file: RecordFile;

  constructor(file: HeldFile, from: number) {
    super();
    this.#file = new RecordFile(file);
    for (const { at, isSet } of this.#file.heads(from)) this.note(at, !isSet);
  }

  protected override record(place: number): Change {
    return this.#file.record(place);
  }
}
