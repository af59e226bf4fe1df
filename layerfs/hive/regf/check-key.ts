/** The part of the check that walks the keys: counts, order, hashes, longest fields, layers, and each value. */

import { compareNames } from "../upcase.ts";
import { type Cells, noCell, unreadable } from "./cells.ts";
import type { Finding } from "./damage.ts";
import { keyName } from "./key-node.ts";
import {
  inheritClassBit,
  leastPredefined,
  lf,
  lh,
  maxDepth,
  nkField,
  nkFlag,
  notPredefined,
  ri,
  vkField,
  vkFlag,
} from "./layout.ts";
import { nameHash, nameHint } from "./names.ts";
import { indexOf } from "./security-ring.ts";
import { subkeyCells } from "./subkey-list.ts";
import { readValue, valueCells, valueName } from "./value.ts";

const tombstone = 1;
const supersedeTree = 3;

/** Walks all keys; returns how many point at each security record, by the file offset of its contents. */
export function checkKeys(
  cells: Cells,
  root: number,
  layered: boolean,
  tell: (finding: Finding) => void,
): ReadonlyMap<number, number> {
  const walk = new KeyWalk(cells, layered, tell);
  walk.check(root, undefined);
  return walk.uses;
}

class KeyWalk {
  readonly uses = new Map<number, number>();
  readonly #cells: Cells;
  readonly #layered: boolean;
  readonly #tell: (finding: Finding) => void;
  readonly #path: string[] = [];

  constructor(cells: Cells, layered: boolean, tell: (finding: Finding) => void) {
    this.#cells = cells;
    this.#layered = layered;
    this.#tell = tell;
  }

  /** `parent`: contents of the key above. */
  check(at: number, parent: number | undefined): void {
    const name = keyName(this.#cells, at, parent === undefined);
    if (name === undefined) return;
    if (parent !== undefined) this.#path.push(name);
    const { view } = this.#cells;
    if (parent !== undefined && view.getUint32(at + nkField.parent, true) !== indexOf(parent)) {
      this.#bad(at, "it names another key as its parent");
    }
    const isRoot = (view.getUint16(at + nkField.flags, true) & nkFlag.root) !== 0;
    if (isRoot !== (parent === undefined))
      this.#bad(at, isRoot ? "it says that it is a root" : "its root flag is missing");
    if (name.length > 255) this.#bad(at, `its name has ${name.length} units`);
    this.#checkLayer(at, parent);
    this.#checkClass(at);
    this.#checkSecurity(at);
    this.#checkValues(at);
    if (this.#path.length < maxDepth) this.#checkSubkeys(at);
    else this.#bad(at, `it is more than ${maxDepth} levels deep`);
    if (parent !== undefined) this.#path.pop();
  }

  #checkLayer(at: number, parent: number | undefined): void {
    const { view } = this.#cells;
    const byte = view.getUint8(at + nkField.layer);
    if (!this.#layered) {
      if (byte !== 0) this.#bad(at, `its layer byte is ${byte} in a hive without layers`);
      return;
    }
    if ((byte & ~(inheritClassBit | 3)) !== 0)
      this.#bad(at, `its layer byte has unknown bits: ${byte}`, "nk", "layer bits");
    const semantics = byte & 3;
    const has = (field: number) => view.getUint32(at + field, true) !== 0;
    if (
      semantics === tombstone &&
      (has(nkField.subkeys) || has(nkField.values) || view.getUint16(at + nkField.classLength, true) > 0)
    ) {
      this.#bad(at, "it says that the key is deleted and has contents", "nk", "tombstone");
    }
    if (parent === undefined || (view.getUint8(parent + nkField.layer) & 3) !== supersedeTree) return;
    if (semantics !== supersedeTree && semantics !== tombstone)
      this.#bad(at, "it merges below a key that replaces its tree", "nk", "supersede");
  }

  #checkClass(at: number): void {
    const { view } = this.#cells;
    const length = view.getUint16(at + nkField.classLength, true);
    if (view.getUint32(at + nkField.className, true) === noCell) {
      if (length > 0) this.#bad(at, "its class is missing");
    } else if (length > 0) this.#cells.open(at + nkField.className, "class", length);
  }

  #checkSecurity(at: number): void {
    const record = this.#cells.openShared(at + nkField.security, "nk", 20);
    if (record === unreadable) return;
    this.uses.set(record, (this.uses.get(record) ?? 0) + 1);
    this.#cells.claim(record, at + nkField.security);
  }

  #checkValues(at: number): void {
    const { view } = this.#cells;
    if ((view.getUint16(at + nkField.flags, true) & nkFlag.predefined) !== 0) {
      const handle = view.getUint32(at + nkField.values, true);
      if (handle < leastPredefined) this.#bad(at, notPredefined(handle));
      return;
    }
    const names: string[] = [];
    let longestName = 0;
    let longestData = 0;
    for (const cell of valueCells(this.#cells, at)) {
      const name = valueName(this.#cells, cell);
      const value = readValue(this.#cells, cell, this.#layered);
      if (name === undefined || value === undefined) continue;
      names.push(name);
      longestName = Math.max(longestName, name.length * 2);
      longestData = Math.max(longestData, value.data.length);
      this.#checkTombstone(cell);
    }
    this.#checkLongest(at, nkField.longestValueName, longestName, "value name");
    this.#checkLongest(at, nkField.longestValue, longestData, "value data");
    names.sort(compareNames);
    for (const [index, name] of names.entries()) {
      if (index > 0 && compareNames(names[index - 1] ?? "", name) === 0)
        this.#bad(at, `two values are called ${JSON.stringify(name)}`);
    }
  }

  #checkTombstone(at: number): void {
    const { view } = this.#cells;
    if ((view.getUint16(at + vkField.flags, true) & vkFlag.tombstone) === 0) return;
    if (!this.#layered) this.#bad(at, "a value is marked as deleted in a hive without layers", "vk");
    else if (view.getUint32(at + vkField.size, true) !== 0 || view.getUint32(at + vkField.type, true) !== 0) {
      this.#bad(at, "a value is marked as deleted and has data or a type", "vk", "tombstone");
    }
  }

  #checkSubkeys(at: number): void {
    const found = subkeyCells(this.#cells, at);
    this.#checkHints(at);
    let longestName = 0;
    let longestClass = 0;
    let before: string | undefined;
    for (const subkey of found) {
      const name = keyName(this.#cells, subkey, false);
      if (name === undefined) continue;
      const order = before === undefined ? -1 : compareNames(before, name);
      if (order >= 0)
        this.#bad(subkey, order === 0 ? "another subkey has this name" : `it stands behind ${JSON.stringify(before)}`);
      before = name;
      longestName = Math.max(longestName, name.length * 2);
      longestClass = Math.max(longestClass, this.#cells.view.getUint16(subkey + nkField.classLength, true));
      this.check(subkey, at);
    }
    // Two bytes here; the other two of the old field are the user flags.
    if (this.#cells.view.getUint16(at + nkField.longestSubkey, true) < longestName)
      this.#short(at, "subkey name", longestName);
    this.#checkLongest(at, nkField.longestClass, longestClass, "subkey class");
  }

  /** The four bytes beside each entry of `lf` and `lh`. */
  #checkHints(at: number): void {
    const { view } = this.#cells;
    if (view.getUint32(at + nkField.subkeys, true) === 0) return;
    const list = this.#cells.open(at + nkField.subkeyList, "nk", 4);
    if (list === unreadable) return;
    if (view.getUint16(list, true) !== ri) {
      this.#checkLeaf(list);
      return;
    }
    const count = Math.min(view.getUint16(list + 2, true), (this.#cells.length(list) - 4) >> 2);
    for (let index = 0; index < count; index++) {
      const leaf = this.#cells.open(list + 4 + 4 * index, "ri", 4);
      if (leaf !== unreadable) this.#checkLeaf(leaf);
    }
  }

  #checkLeaf(leaf: number): void {
    const { view } = this.#cells;
    const signature = view.getUint16(leaf, true);
    if (signature !== lf && signature !== lh) return;
    const count = Math.min(view.getUint16(leaf + 2, true), (this.#cells.length(leaf) - 4) >> 3);
    for (let index = 0; index < count; index++) {
      const entry = leaf + 4 + 8 * index;
      const key = this.#cells.open(entry, "subkey list", nkField.name);
      const name = key === unreadable ? undefined : keyName(this.#cells, key, false);
      if (name === undefined) continue;
      const wanted = signature === lh ? nameHash(name) : nameHint(name);
      if (view.getInt32(entry + 4, true) !== wanted)
        this.#bad(entry, `the hash or hint of ${JSON.stringify(name)} is wrong`, "subkey list");
    }
  }

  /** Windows sizes buffers by these fields. Larger than needed is usual: deletes do not lower them. */
  #checkLongest(at: number, field: number, needed: number, of: string): void {
    if (this.#cells.view.getUint32(at + field, true) < needed) this.#short(at, of, needed);
  }

  #short(at: number, of: string, needed: number): void {
    this.#bad(at, `its longest ${of} is said to be shorter than the ${needed} bytes there are`);
  }

  #bad(offset: number, what: string, record = "nk", about?: Finding["about"]): void {
    this.#tell({ offset, record, what, key: [...this.#path], ...(about === undefined ? {} : { about }) });
  }
}
