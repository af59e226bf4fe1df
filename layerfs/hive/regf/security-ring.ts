/** The `sk` records of a hive that is being written: one for each descriptor, in a ring, with the number of its keys. */

import { binsStart } from "./base-block.ts";
import type { CellWriter } from "./cell-writer.ts";
import { sk } from "./layout.ts";

interface Shared {
  readonly at: number;
  count: number;
}

export class SecurityRing {
  readonly #cells: CellWriter;
  readonly #byContents = new Map<string, Shared>();
  /** Readers give the same object for the same record, so that most lookups need no contents. */
  readonly #byObject = new Map<Uint8Array, Shared>();

  constructor(cells: CellWriter) {
    this.#cells = cells;
  }

  /** The file offset of the contents of the record for one more key with this descriptor. */
  use(descriptor: Uint8Array): number {
    let shared = this.#byObject.get(descriptor);
    if (shared === undefined) {
      const contents = Buffer.from(descriptor.buffer, descriptor.byteOffset, descriptor.length).toString("latin1");
      shared = this.#byContents.get(contents);
      if (shared === undefined) {
        shared = { at: this.#write(descriptor), count: 0 };
        this.#byContents.set(contents, shared);
      }
      this.#byObject.set(descriptor, shared);
    }
    shared.count++;
    return shared.at;
  }

  #write(descriptor: Uint8Array): number {
    const at = this.#cells.allocate(20 + descriptor.length);
    this.#cells.view.setUint16(at, sk, true);
    this.#cells.view.setUint32(at + 16, descriptor.length, true);
    this.#cells.bytes.set(descriptor, at + 20);
    return at;
  }

  /** Closes the ring and writes the counts. */
  finish(): void {
    const ring = [...this.#byContents.values()];
    const view = this.#cells.view;
    for (const [index, { at, count }] of ring.entries()) {
      const next = ring[(index + 1) % ring.length];
      const previous = ring[(index + ring.length - 1) % ring.length];
      view.setUint32(at + 4, indexOf(next?.at ?? at), true);
      view.setUint32(at + 8, indexOf(previous?.at ?? at), true);
      view.setUint32(at + 12, count, true);
    }
  }
}

/** The cell index for the file offset of a cell's contents. */
export function indexOf(contents: number): number {
  return contents - 4 - binsStart;
}
