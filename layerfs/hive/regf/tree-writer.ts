/** Writes keys: `nk`, its class, its values and the lists of its subkeys. */

import { WbuildError } from "../../../native/error.ts";
import type { HiveKey } from "../key.ts";
import { compareNames } from "../upcase.ts";
import type { CellWriter } from "./cell-writer.ts";
import { noCell } from "./cells.ts";
import {
  contentFlags,
  inheritClassBit,
  layers,
  leastPredefined,
  lf,
  lh,
  maxDepth,
  nk,
  nkField,
  nkFlag,
  ri,
} from "./layout.ts";
import { isLatin, nameHash, nameHint, writeName } from "./names.ts";
import { indexOf, type SecurityRing } from "./security-ring.ts";
import { ValueWriter } from "./value-writer.ts";

export interface Form {
  readonly minor: number;
  readonly differencing: boolean;
  /** FILETIME that no key's time is later than. */
  readonly latest?: bigint;
}

/** More subkeys than these are kept in leaves of half that, under an `ri`. */
const largestLeaf = 1000;
const splitLeaf = 506;

const maxName = 255;
const maxClass = 65_535;
const maxDescriptor = 0x10_00_00;

export class TreeWriter {
  readonly #cells: CellWriter;
  readonly #security: SecurityRing;
  readonly #form: Form;
  readonly #values: ValueWriter;
  /** Names from the root's subkeys to the key at work, for messages. */
  readonly #path: string[] = [];

  constructor(cells: CellWriter, security: SecurityRing, form: Form) {
    this.#cells = cells;
    this.#security = security;
    this.#form = form;
    this.#values = new ValueWriter(cells, form, (what) => this.#refuse(what));
  }

  /** Writes the whole tree; `security` is for a root without descriptor. The file offset of the root's contents. */
  write(root: HiveKey, security: Uint8Array): number {
    return this.#writeKey(root, undefined, security);
  }

  /** `parent`: file offset of the contents of the key above; undefined for the root. */
  #writeKey(key: HiveKey, parent: number | undefined, inherited: Uint8Array): number {
    const name = parent === undefined && key.name === "" ? "ROOT" : key.name;
    if (parent !== undefined) this.#checkName(name);
    const latin = isLatin(name);
    const length = latin ? name.length : name.length * 2;
    const cells = this.#cells;
    const at = cells.allocate(nkField.name + length);
    writeName(cells.bytes, at + nkField.name, name, latin);
    const view = cells.view;
    const rootFlags = parent === undefined ? nkFlag.root | nkFlag.noDelete : 0;
    view.setUint16(at, nk, true);
    // With the flag and no number the values would be there for nobody.
    const flags = key.flags & (isPredefined(key) ? contentFlags : contentFlags & ~nkFlag.predefined);
    view.setUint16(at + nkField.flags, flags | rootFlags | (latin ? nkFlag.latin : 0), true);
    const { latest = key.lastWrite } = this.#form;
    view.setBigUint64(at + nkField.lastWrite, key.lastWrite < latest ? key.lastWrite : latest, true);
    view.setUint8(at + nkField.layer, this.#layerByte(key));
    if (parent !== undefined) view.setUint32(at + nkField.parent, indexOf(parent), true);
    view.setUint32(at + nkField.subkeyList, noCell, true);
    view.setUint32(at + nkField.subkeyList + 4, noCell, true);
    view.setUint32(at + nkField.valueList, noCell, true);
    view.setUint32(at + nkField.className, noCell, true);
    view.setUint8(at + nkField.userFlags, key.userFlags);
    view.setUint16(at + nkField.nameLength, length, true);

    const own = key.security;
    const security = own === undefined || own.length === 0 ? inherited : own;
    if (security.length > maxDescriptor) this.#refuse(`its security descriptor has ${security.length} bytes`);
    const shared = this.#security.use(security);
    cells.view.setUint32(at + nkField.security, indexOf(shared), true);
    this.#writeClass(at, key.className);
    this.#writeValues(at, key);
    this.#writeSubkeys(at, key, security);
    return at;
  }

  #checkName(name: string): void {
    if (this.#path.length >= maxDepth) this.#refuse(`it is more than ${maxDepth} levels deep`);
    if (name === "" || name.length > maxName)
      this.#refuse(`a key's name has 1 to ${maxName} units, not ${name.length}`);
    if (name.includes("\\")) this.#refuse("a key's name cannot contain a backslash");
  }

  #layerByte(key: HiveKey): number {
    const semantics = key.layer;
    const byte = (semantics === "merge" ? 0 : layers.indexOf(semantics)) | (key.inheritClass ? inheritClassBit : 0);
    if (byte !== 0 && !this.#form.differencing) {
      this.#refuse(`only a differencing hive can say "${semantics}"${key.inheritClass ? " and inherit a class" : ""}`);
    }
    return byte;
  }

  #writeClass(at: number, className: Uint8Array | undefined): void {
    if (className === undefined || className.length === 0) return;
    if (className.length > maxClass) this.#refuse(`its class has ${className.length} bytes, at most ${maxClass} fit`);
    const cell = this.#cells.store(className);
    this.#cells.view.setUint32(at + nkField.className, indexOf(cell), true);
    this.#cells.view.setUint16(at + nkField.classLength, className.length, true);
  }

  #writeValues(at: number, key: HiveKey): void {
    if (isPredefined(key)) {
      this.#cells.view.setUint32(at + nkField.values, key.predefinedHandle ?? 0, true);
      return;
    }
    const values = key.values();
    if (values.length === 0) return;
    const written = this.#values.write(values);
    const view = this.#cells.view;
    view.setUint32(at + nkField.values, values.length, true);
    view.setUint32(at + nkField.valueList, indexOf(written.list), true);
    view.setUint32(at + nkField.longestValueName, written.longestName, true);
    view.setUint32(at + nkField.longestValue, written.longestData, true);
  }

  #writeSubkeys(at: number, key: HiveKey, security: Uint8Array): void {
    const subkeys = key.subkeys();
    if (subkeys.length === 0) return;
    const cells = this.#cells;
    const split = subkeys.length > largestLeaf;
    const leaves = split ? Math.ceil(subkeys.length / splitLeaf) : 1;
    if (leaves > 0xffff) this.#refuse(`it has ${subkeys.length} subkeys`);
    const list = split ? cells.allocate(4 + 4 * leaves) : 0;
    let longestName = 0;
    let longestClass = 0;
    let before: string | undefined;
    for (let leaf = 0; leaf < leaves; leaf++) {
      const from = leaf * splitLeaf;
      const part = split ? subkeys.slice(from, from + splitLeaf) : subkeys;
      const entries = cells.allocate(4 + 8 * part.length);
      const hashed = this.#form.minor >= 5;
      cells.view.setUint16(entries, hashed ? lh : lf, true);
      cells.view.setUint16(entries + 2, part.length, true);
      if (split) cells.view.setUint32(list + 4 + 4 * leaf, indexOf(entries), true);
      else cells.view.setUint32(at + nkField.subkeyList, indexOf(entries), true);
      for (let index = 0; index < part.length; index++) {
        const subkey = part[index] as HiveKey;
        const name = subkey.name;
        this.#path.push(name);
        // Windows searches by halves: one key out of order hides others.
        if (before !== undefined && compareNames(before, name) >= 0) throw new Error(`${name} after ${before}`);
        before = name;
        const written = this.#writeKey(subkey, at, security);
        const entry = entries + 4 + 8 * index;
        cells.view.setUint32(entry, indexOf(written), true);
        cells.view.setInt32(entry + 4, hashed ? nameHash(name) : nameHint(name), true);
        longestName = Math.max(longestName, name.length * 2);
        longestClass = Math.max(longestClass, cells.view.getUint16(written + nkField.classLength, true));
        this.#path.pop();
      }
    }
    if (split) {
      cells.view.setUint16(list, ri, true);
      cells.view.setUint16(list + 2, leaves, true);
      cells.view.setUint32(at + nkField.subkeyList, indexOf(list), true);
    }
    cells.view.setUint32(at + nkField.subkeys, subkeys.length, true);
    cells.view.setUint16(at + nkField.longestSubkey, longestName, true);
    cells.view.setUint32(at + nkField.longestClass, longestClass, true);
  }

  #refuse(what: string): never {
    const key = this.#path.join("\\") || "the root key";
    throw new WbuildError("HIVE_LIMIT", `${key}: ${what}`, { facts: { key } });
  }
}

function isPredefined({ flags, predefinedHandle = 0 }: HiveKey): boolean {
  return (flags & nkFlag.predefined) !== 0 && predefinedHandle >= leastPredefined;
}
