/** Records in a file, read through a window: what is known of each file of a large layer need not be in memory. */
import { decodeRecord, type RecordChange, recordSize } from "../../native/addon/records.ts";
import type { HeldFile } from "../store/held-file.ts";

/** Bytes. Records are asked for in turn, or nearly so; who asks in any order reads so much for each. */
const windowSize = 16 * 1024;

export class RecordFile {
  readonly #file: HeldFile;
  #window = Buffer.alloc(0);
  /** Where the window begins in the file. */
  #from = 0;

  constructor(file: HeldFile) {
    this.#file = file;
  }

  get size(): number {
    return this.#file.size;
  }

  append(records: Uint8Array): void {
    this.#file.append(records);
  }

  /** The record that begins there. Throws LAYER_RECORD for bytes that are none. */
  record(at: number): RecordChange {
    const place = this.#show(at);
    return decodeRecord(this.#window, place);
  }

  /** Where each record begins from there on, and whether it sets an entry. Throws LAYER_RECORD for bytes that are none. */
  *heads(from: number): Generator<{ readonly at: number; readonly isSet: boolean }> {
    for (let at = from; at < this.size; ) {
      const place = this.#show(at);
      const next = at + recordSize(this.#window, place);
      yield { at, isSet: this.#window[place + 4] === 1 };
      at = next;
    }
  }

  /** Has the record that begins there in the window; gives its place there. */
  #show(at: number): number {
    const place = at - this.#from;
    const left = this.#window.length - place;
    if (place >= 0 && left >= 4 && left >= this.#window.readUInt32LE(place)) return place;
    this.#read(at, windowSize);
    const size = this.#window.length < 4 ? 0 : this.#window.readUInt32LE(0);
    // Not past its end: what is no record says any size.
    if (size > this.#window.length) this.#read(at, Math.min(size, this.size - at));
    return 0;
  }

  #read(at: number, size: number): void {
    const window = Buffer.allocUnsafe(size);
    this.#window = window.subarray(0, this.#file.read(window, at));
    this.#from = at;
  }
}
