/** One key of a regf file, read where it lies (`nk` and what it points at; section numbers of the specification's key node). */

import type { HiveKey, HiveValue, LayerSemantics } from "../key.ts";
import { compareNames, sameName, upcase } from "../upcase.ts";
import { type Cells, noCell, unreadable } from "./cells.ts";
import {
  contentFlags,
  inheritClassBit,
  layers,
  leastPredefined,
  maxDepth,
  nk,
  nkField,
  nkFlag,
  notPredefined,
  sk,
} from "./layout.ts";
import { readName } from "./names.ts";
import { subkeyCells } from "./subkey-list.ts";
import { readValue, valueCells, valueName } from "./value.ts";

export interface OpenHive {
  readonly cells: Cells;
  /** Byte 13 of `nk` and bit 1 of a value's flags mean something. */
  readonly layered: boolean;
}

const none: readonly never[] = [];
/** Up to this many, looking at each is cheaper than a map. */
const few = 16;

function byName<Named extends { readonly name: string }>(all: readonly Named[]): ReadonlyMap<string, Named> {
  return new Map(all.map((each) => [upcase(each.name), each]));
}

export class RegfKey implements HiveKey {
  readonly name: string;
  readonly #hive: OpenHive;
  readonly #at: number;
  readonly #depth: number;
  /** Made by the first look for a name, where there is more than a few to look at. */
  #valuesByName: ReadonlyMap<string, HiveValue> | undefined;
  #subkeysByName: ReadonlyMap<string, HiveKey> | undefined;

  private constructor(hive: OpenHive, at: number, name: string, depth: number) {
    this.#hive = hive;
    this.#at = at;
    this.name = name;
    this.#depth = depth;
  }

  /** The root, from the contents of its cell; undefined when that is no key. */
  static open(hive: OpenHive, at: number): RegfKey | undefined {
    const name = keyName(hive.cells, at, true);
    return name === undefined ? undefined : new RegfKey(hive, at, name, 1);
  }

  get lastWrite(): bigint {
    return this.#hive.cells.view.getBigUint64(this.#at + nkField.lastWrite, true);
  }

  get flags(): number {
    const flags = this.#u16(nkField.flags) & contentFlags;
    // Every root is "no delete"; it says nothing.
    return this.#depth === 1 ? flags & ~nkFlag.noDelete : flags;
  }

  get userFlags(): number {
    return this.#hive.cells.view.getUint8(this.#at + nkField.userFlags);
  }

  get layer(): LayerSemantics {
    return layers[this.#layerByte() & 3] ?? "merge";
  }

  get inheritClass(): boolean {
    return (this.#layerByte() & inheritClassBit) !== 0;
  }

  /** What a predefined key stands for is kept in place of its number of values. */
  get predefinedHandle(): number | undefined {
    const handle = this.#u32(nkField.values);
    return this.#isPredefined() && handle >= leastPredefined ? handle : undefined;
  }

  get className(): Uint8Array | undefined {
    const cells = this.#hive.cells;
    const length = this.#u16(nkField.classLength);
    if (length === 0 || this.#u32(nkField.className) === noCell) return undefined;
    const at = cells.open(this.#at + nkField.className, "class", length);
    return at === unreadable ? undefined : cells.part(at, length);
  }

  get security(): Uint8Array | undefined {
    if (this.#u32(nkField.security) === noCell) return undefined;
    return this.#hive.cells.shared(this.#at + nkField.security, readSecurity);
  }

  values(): readonly HiveValue[] {
    const { cells, layered } = this.#hive;
    const found = this.#valueCells();
    if (found.length === 0) return none;
    const values: HiveValue[] = [];
    for (const at of found) {
      const value = readValue(cells, at, layered);
      if (value !== undefined) values.push(value);
    }
    return withoutDoubles(values, (name) => this.#tellDouble(name));
  }

  value(name: string): HiveValue | undefined {
    if (this.#valuesByName !== undefined) return this.#valuesByName.get(upcase(name));
    const { cells, layered } = this.#hive;
    const found = this.#valueCells();
    if (found.length > few) {
      this.#valuesByName = byName(this.values());
      return this.#valuesByName.get(upcase(name));
    }
    for (const at of found) {
      const own = valueName(cells, at);
      if (own === undefined || !sameName(own, name)) continue;
      const value = readValue(cells, at, layered);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  subkeys(): readonly HiveKey[] {
    const cells = this.#hive.cells;
    const found = subkeyCells(cells, this.#at);
    if (found.length === 0) return none;
    if (this.#depth === maxDepth) {
      cells.tell({ offset: this.#at, record: "nk", what: `its subkeys are more than ${maxDepth} levels deep` });
      return none;
    }
    const keys: RegfKey[] = [];
    let inOrder = true;
    for (const at of found) {
      const name = keyName(cells, at, false);
      if (name === undefined) continue;
      const before = keys.at(-1);
      if (before !== undefined && compareNames(before.name, name) >= 0) inOrder = false;
      keys.push(new RegfKey(this.#hive, at, name, this.#depth + 1));
    }
    if (inOrder) return keys;
    // Order is for finding; what is out of it is still there. (Our table of letters may differ from the writer's, too.)
    keys.sort((a, b) => compareNames(a.name, b.name));
    return keys.filter((key, index) => {
      const before = keys[index - 1];
      if (before === undefined || !sameName(before.name, key.name)) return true;
      cells.tell({ offset: key.#at, record: "nk", what: "another subkey has this name already" });
      return false;
    });
  }

  subkey(name: string): HiveKey | undefined {
    if (this.#subkeysByName !== undefined) return this.#subkeysByName.get(upcase(name));
    const cells = this.#hive.cells;
    const found = this.#depth === maxDepth ? none : subkeyCells(cells, this.#at);
    if (found.length > few) {
      this.#subkeysByName = byName(this.subkeys());
      return this.#subkeysByName.get(upcase(name));
    }
    for (const at of found) {
      const own = keyName(cells, at, false);
      if (own !== undefined && sameName(own, name)) return new RegfKey(this.#hive, at, own, this.#depth + 1);
    }
    return undefined;
  }

  #valueCells(): readonly number[] {
    const { cells } = this.#hive;
    if (!this.#isPredefined()) return valueCells(cells, this.#at);
    const handle = this.#u32(nkField.values);
    // Attack: one flag hides a key's values from us and from nobody else. No count reaches the numbers of predefined keys.
    if (handle < leastPredefined) cells.tell({ offset: this.#at, record: "nk", what: notPredefined(handle) });
    return none;
  }

  #isPredefined(): boolean {
    return (this.#u16(nkField.flags) & nkFlag.predefined) !== 0;
  }

  #tellDouble(name: string): void {
    this.#hive.cells.tell({
      offset: this.#at,
      record: "value list",
      what: `two values have the name ${JSON.stringify(name)}`,
    });
  }

  #layerByte(): number {
    return this.#hive.layered ? this.#hive.cells.view.getUint8(this.#at + nkField.layer) : 0;
  }

  #u16(at: number): number {
    return this.#hive.cells.view.getUint16(this.#at + at, true);
  }

  #u32(at: number): number {
    return this.#hive.cells.view.getUint32(this.#at + at, true);
  }
}

/** The key's name, undefined (and told) when the cell is no key or its name cannot be one. */
export function keyName(cells: Cells, at: number, isRoot: boolean): string | undefined {
  const { view } = cells;
  if (view.getUint16(at, true) !== nk) return badKey(cells, at, "it is no key");
  const length = view.getUint16(at + nkField.nameLength, true);
  if (nkField.name + length > cells.length(at)) return badKey(cells, at, "its name passes the end of its cell");
  const latin = (view.getUint16(at + nkField.flags, true) & nkFlag.latin) !== 0;
  if (!latin && length % 2 !== 0) return badKey(cells, at, "its name has half a UTF-16 unit");
  const name = readName(cells.bytes, at + nkField.name, length, latin);
  if (isRoot) return name;
  if (name === "") return badKey(cells, at, "it has no name");
  // Attack: a key that is called "a\b" is taken for the key b of a by whatever handles paths.
  if (name.includes("\\")) return badKey(cells, at, "its name contains a backslash");
  return name;
}

/** A function of its own: to make one for each key costs as much as to read its name. */
function badKey(cells: Cells, offset: number, what: string): undefined {
  cells.tell({ offset, record: "nk", what });
  return undefined;
}

/** The descriptor in the `sk` at `at`; undefined (and told) when there is none. */
export function readSecurity(cells: Cells, at: number): Uint8Array | undefined {
  const bad = (what: string) => {
    cells.tell({ offset: at, record: "sk", what });
    return undefined;
  };
  if (cells.length(at) < 20 || cells.view.getUint16(at, true) !== sk) return bad("it is no security record");
  const length = cells.view.getUint32(at + 16, true);
  if (length === 0) return bad("its descriptor is empty");
  return length > cells.length(at) - 20
    ? bad("its descriptor passes the end of its cell")
    : cells.part(at + 20, length);
}

/** Drops values whose name came before. Few keys have more than a handful, so pairs are looked at before a set is made. */
function withoutDoubles(values: HiveValue[], tell: (name: string) => void): readonly HiveValue[] {
  if (values.length < 2 || !hasDoubles(values)) return values;
  const kept: HiveValue[] = [];
  const sorted = values
    .map((value, index) => ({ value, index }))
    .sort((a, b) => compareNames(a.value.name, b.value.name) || a.index - b.index);
  const dropped = new Set<HiveValue>();
  for (const [index, { value }] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before === undefined || !sameName(before.value.name, value.name)) continue;
    tell(value.name);
    dropped.add(value);
  }
  for (const value of values) if (!dropped.has(value)) kept.push(value);
  return kept;
}

function hasDoubles(values: readonly HiveValue[]): boolean {
  if (values.length > 12) return hasDoublesSorted(values);
  for (let index = 1; index < values.length; index++) {
    const name = values[index]?.name ?? "";
    for (let other = 0; other < index; other++) if (sameName(values[other]?.name ?? "", name)) return true;
  }
  return false;
}

function hasDoublesSorted(values: readonly HiveValue[]): boolean {
  const names = values.map((value) => value.name).sort(compareNames);
  return names.some((name, index) => index > 0 && sameName(names[index - 1] ?? "", name));
}
