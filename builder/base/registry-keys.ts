/** Key trees written down as tables, and parts of other trees copied into them. */
import type { HiveKey, HiveValue } from "../../layerfs/hive/key.ts";
import { KeyTree } from "../../layerfs/hive/tree.ts";

/** Text: REG_SZ. `expand`: REG_EXPAND_SZ. A number: REG_DWORD. A list: REG_MULTI_SZ. */
export type TableValue = string | { readonly expand: string } | number | readonly string[];

/** Path below the root → name → value; "" is the default value. */
export type KeyTable = Readonly<Record<string, Readonly<Record<string, TableValue>>>>;

/** Adds the keys and values; the times of new keys are set at the end, by `stamp`. */
export function addKeys(root: KeyTree, table: KeyTable): void {
  for (const [path, values] of Object.entries(table)) {
    const key = openKey(root, path);
    for (const [name, value] of Object.entries(values)) key.setValue(tableValue(name, value));
  }
}

function tableValue(name: string, value: TableValue): HiveValue {
  const text = (content: string) => Buffer.from(`${content}\0`, "utf16le");
  if (typeof value === "string") return { name, type: 1, data: text(value) };
  if (typeof value === "number") {
    const data = Buffer.alloc(4);
    data.writeUInt32LE(value);
    return { name, type: 4, data };
  }
  if ("expand" in value) return { name, type: 2, data: text(value.expand) };
  return { name, type: 7, data: text(value.map((each) => `${each}\0`).join("")) };
}

/** The key at a path, made where it is missing. */
export function openKey(root: KeyTree, path: string): KeyTree {
  let key = root;
  for (const name of path.split("\\")) {
    const known: HiveKey | undefined = key.subkey(name);
    key = known instanceof KeyTree ? known : key.setSubkey(new KeyTree(name));
  }
  return key;
}

/** A key of another tree by its path. */
export function findKey(root: HiveKey, path: string): HiveKey | undefined {
  return path.split("\\").reduce<HiveKey | undefined>((key, name) => key?.subkey(name), root);
}

/** Lays values and subkeys of `from`, without its links, into `into`; values and spellings that `into` has stay. */
export function copyKeys(from: HiveKey | undefined, into: KeyTree): void {
  for (const value of from?.values() ?? []) if (into.value(value.name) === undefined) into.setValue(value);
  for (const child of from?.subkeys() ?? []) {
    if (child.flags !== 0) continue;
    const known = into.subkey(child.name);
    copyKeys(child, known instanceof KeyTree ? known : into.setSubkey(new KeyTree(child.name)));
  }
}

/** Every key gets this time. */
export function stamp(key: KeyTree, time: bigint): void {
  key.lastWrite = time;
  for (const child of key.subkeys()) if (child instanceof KeyTree) stamp(child, time);
}
