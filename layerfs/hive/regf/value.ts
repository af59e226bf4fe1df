/** Values of a regf file: the list, `vk`, and data in place, in a cell, or in the segments of a `db`. */

import type { HiveValue } from "../key.ts";
import { type Cells, noCell, unreadable } from "./cells.ts";
import { db, inPlace, nkField, segmentLength, vk, vkField, vkFlag } from "./layout.ts";
import { readName } from "./names.ts";

const none: readonly never[] = [];
const empty = new Uint8Array(0);

/** Contents of the value cells of the key at `key`. Each is at least a `vk` long. */
export function valueCells(cells: Cells, key: number): readonly number[] {
  const { view } = cells;
  const count = view.getUint32(key + nkField.values, true);
  if (count === 0) return none;
  const list = cells.open(key + nkField.valueList, "nk", 4);
  if (list === unreadable) return none;
  const room = Math.min(count, cells.length(list) >> 2);
  if (room < count) {
    cells.tell({
      offset: list,
      record: "value list",
      what: `it should have ${count} entries and has room for ${room}`,
    });
  }
  const found: number[] = [];
  for (let index = 0; index < room; index++) {
    const at = cells.open(list + 4 * index, "value list", vkField.name);
    if (at === unreadable) continue;
    if (view.getUint16(at, true) === vk) found.push(at);
    else cells.tell({ offset: at, record: "vk", what: "it is no value" });
  }
  return found;
}

/** Undefined (and told) when the name cannot be read. */
export function valueName(cells: Cells, at: number): string | undefined {
  const { view } = cells;
  const length = view.getUint16(at + vkField.nameLength, true);
  const latin = (view.getUint16(at + vkField.flags, true) & vkFlag.latin) !== 0;
  if (vkField.name + length <= cells.length(at) && (latin || length % 2 === 0)) {
    return readName(cells.bytes, at + vkField.name, length, latin);
  }
  cells.tell({ offset: at, record: "vk", what: "its name passes the end of its cell or has half a UTF-16 unit" });
  return undefined;
}

/** The value at `at`; undefined (and told) when its name or its data cannot be read. */
export function readValue(cells: Cells, at: number, layered: boolean): HiveValue | undefined {
  const name = valueName(cells, at);
  if (name === undefined) return undefined;
  if (layered && (cells.view.getUint16(at + vkField.flags, true) & vkFlag.tombstone) !== 0) {
    return { name, type: 0, data: empty, tombstone: true };
  }
  const data = readData(cells, at);
  return data === undefined ? undefined : { name, type: cells.view.getUint32(at + vkField.type, true), data };
}

function readData(cells: Cells, at: number): Uint8Array | undefined {
  const size = cells.view.getUint32(at + vkField.size, true);
  if (size >= inPlace) {
    const length = size - inPlace;
    if (length <= 4) return cells.part(at + vkField.data, length);
    cells.tell({ offset: at, record: "vk", what: `it says that ${length} bytes lie in place of four` });
    return undefined;
  }
  if (size === 0) return empty;
  const from = at + vkField.data;
  const data = cells.open(from, "vk", Math.min(size, 8));
  if (data === unreadable) return undefined;
  const room = cells.length(data);
  // A cell large enough is plain, whatever it begins with: data is not looked into.
  if (size <= room) return cells.part(data, size);
  if (size > segmentLength && cells.view.getUint16(data, true) === db) return readSegments(cells, data, size);
  cells.tell({ offset: data, record: "data", what: `it should have ${size} bytes and has ${room}` });
  return undefined;
}

/** `db`: a list of segments, each 16,344 bytes but the last. */
function readSegments(cells: Cells, at: number, size: number): Uint8Array | undefined {
  const count = cells.view.getUint16(at + 2, true);
  const list = cells.view.getUint32(at + 4, true) === noCell ? unreadable : cells.open(at + 4, "db", 4 * count);
  if (count !== Math.ceil(size / segmentLength)) {
    cells.tell({ offset: at, record: "db", what: `${count} segments cannot hold ${size} bytes` });
    return undefined;
  }
  if (list === unreadable) return undefined;
  const segments: number[] = [];
  for (let index = 0; index < count; index++) {
    const length = Math.min(segmentLength, size - index * segmentLength);
    const segment = cells.open(list + 4 * index, "db", length);
    if (segment === unreadable) return undefined;
    segments.push(segment);
  }
  // Only now, that all is known to be there, is memory taken for it.
  const data = new Uint8Array(size);
  for (const [index, segment] of segments.entries()) {
    const length = Math.min(segmentLength, size - index * segmentLength);
    data.set(cells.part(segment, length), index * segmentLength);
  }
  return data;
}
