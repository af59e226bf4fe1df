/** Writes the values of a key: `vk`, data in place, in a cell or in segments, and the list. */

import type { HiveValue } from "../key.ts";
import { compareNames } from "../upcase.ts";
import type { CellWriter } from "./cell-writer.ts";
import { noCell } from "./cells.ts";
import { db, inPlace, segmentLength, vk, vkField, vkFlag } from "./layout.ts";
import { isLatin, writeName } from "./names.ts";
import { indexOf } from "./security-ring.ts";

const maxName = 16_383;
/** Of data in versions without `db`. */
const maxPlain = 1 << 20;
const maxSegments = 0xffff;

export interface WrittenValues {
  /** File offset of the list's contents. */
  readonly list: number;
  /** In bytes as UTF-16. */
  readonly longestName: number;
  readonly longestData: number;
}

export class ValueWriter {
  readonly #cells: CellWriter;
  readonly #minor: number;
  readonly #differencing: boolean;
  readonly #refuse: (what: string) => never;

  constructor(
    cells: CellWriter,
    form: { readonly minor: number; readonly differencing: boolean },
    refuse: (what: string) => never,
  ) {
    this.#cells = cells;
    this.#minor = form.minor;
    this.#differencing = form.differencing;
    this.#refuse = refuse;
  }

  /** At least one value; in order of their names. */
  write(values: readonly HiveValue[]): WrittenValues {
    const sorted = inOrder(values);
    const list = this.#cells.allocate(4 * sorted.length);
    let longestName = 0;
    let longestData = 0;
    for (let index = 0; index < sorted.length; index++) {
      const value = sorted[index] as HiveValue;
      longestName = Math.max(longestName, value.name.length * 2);
      longestData = Math.max(longestData, value.data.length);
      const at = this.#writeValue(value);
      this.#cells.view.setUint32(list + 4 * index, indexOf(at), true);
    }
    return { list, longestName, longestData };
  }

  #writeValue(value: HiveValue): number {
    const { name, data } = value;
    if (name.length > maxName) this.#refuse(`a value's name has ${name.length} units, at most ${maxName} fit`);
    const cells = this.#cells;
    const latin = isLatin(name);
    const length = latin ? name.length : name.length * 2;
    const at = cells.allocate(vkField.name + length);
    writeName(cells.bytes, at + vkField.name, name, latin);
    const view = cells.view;
    view.setUint16(at, vk, true);
    view.setUint16(at + vkField.nameLength, length, true);
    const latinFlag = latin && length > 0 ? vkFlag.latin : 0;
    if (value.tombstone === true) {
      if (!this.#differencing) this.#refuse(`only a differencing hive can say that the value "${name}" is deleted`);
      view.setUint32(at + vkField.data, noCell, true);
      view.setUint16(at + vkField.flags, latinFlag | vkFlag.tombstone, true);
      return at;
    }
    view.setUint32(at + vkField.type, value.type, true);
    view.setUint16(at + vkField.flags, latinFlag, true);
    if (data.length <= 4) {
      view.setUint32(at + vkField.size, (inPlace | data.length) >>> 0, true);
      for (let index = 0; index < data.length; index++) view.setUint8(at + vkField.data + index, data[index] ?? 0);
      return at;
    }
    view.setUint32(at + vkField.size, data.length, true);
    const stored = this.#writeData(name, data);
    cells.view.setUint32(at + vkField.data, indexOf(stored), true);
    return at;
  }

  #writeData(name: string, data: Uint8Array): number {
    const cells = this.#cells;
    if (data.length <= segmentLength) return cells.store(data);
    if (this.#minor <= 3) {
      if (data.length <= maxPlain) return cells.store(data);
      this.#refuse(`the value "${name}" has ${data.length} bytes, version 1.3 takes ${maxPlain}`);
    }
    const count = Math.ceil(data.length / segmentLength);
    if (count > maxSegments) this.#refuse(`the value "${name}" has ${data.length} bytes`);
    const at = cells.allocate(8);
    const list = cells.allocate(4 * count);
    for (let index = 0; index < count; index++) {
      // The last one takes a whole segment's room too, as in Windows' hives: some readers look at the cell for its length.
      const segment = cells.allocate(segmentLength);
      cells.bytes.set(data.subarray(index * segmentLength, (index + 1) * segmentLength), segment);
      cells.view.setUint32(list + 4 * index, indexOf(segment), true);
    }
    cells.view.setUint16(at, db, true);
    cells.view.setUint16(at + 2, count, true);
    cells.view.setUint32(at + 4, indexOf(list), true);
    return at;
  }
}

function inOrder(values: readonly HiveValue[]): readonly HiveValue[] {
  let ordered = true;
  for (let index = 1; index < values.length && ordered; index++) {
    ordered = compareNames((values[index - 1] as HiveValue).name, (values[index] as HiveValue).name) < 0;
  }
  if (ordered) return values;
  const sorted = [...values].sort((a, b) => compareNames(a.name, b.name));
  for (let index = 1; index < sorted.length; index++) {
    const name = (sorted[index] as HiveValue).name;
    if (compareNames((sorted[index - 1] as HiveValue).name, name) === 0) throw new Error(`two values ${name}`);
  }
  return sorted;
}
