/** A key tree in memory that can be changed: what readers of text build, what merges give, what tests make. */

import type { Hive, HiveKey, HiveValue, LayerSemantics } from "./key.ts";
import { compareNames, upcase } from "./upcase.ts";

const none: readonly never[] = [];

/** All fields but the contents may be set freely. */
export class KeyTree implements HiveKey {
  name: string;
  lastWrite = 0n;
  flags = 0;
  predefinedHandle: number | undefined;
  userFlags = 0;
  className: Uint8Array | undefined;
  security: Uint8Array | undefined;
  layer: LayerSemantics = "merge";
  inheritClass = false;
  #values: Map<string, HiveValue> | undefined;
  #subkeys: Map<string, HiveKey> | undefined;
  #sorted: readonly HiveKey[] | undefined = none;

  constructor(name: string) {
    this.name = name;
  }

  values(): readonly HiveValue[] {
    return this.#values === undefined ? none : [...this.#values.values()];
  }

  value(name: string): HiveValue | undefined {
    return this.#values?.get(upcase(name));
  }

  subkeys(): readonly HiveKey[] {
    this.#sorted ??= [...(this.#subkeys?.values() ?? none)].sort((a, b) => compareNames(a.name, b.name));
    return this.#sorted;
  }

  subkey(name: string): HiveKey | undefined {
    return this.#subkeys?.get(upcase(name));
  }

  /** Adds or replaces (the spelling too). */
  setValue(value: HiveValue): this {
    this.#values ??= new Map();
    this.#values.set(upcase(value.name), value);
    return this;
  }

  deleteValue(name: string): boolean {
    return this.#values?.delete(upcase(name)) ?? false;
  }

  /** Adds or replaces the subkey of that name. */
  setSubkey<Key extends HiveKey>(key: Key): Key {
    this.#subkeys ??= new Map();
    this.#subkeys.set(upcase(key.name), key);
    this.#sorted = undefined;
    return key;
  }

  deleteSubkey(name: string): boolean {
    this.#sorted = undefined;
    return this.#subkeys?.delete(upcase(name)) ?? false;
  }
}

/** One key as a tree that can be changed; what is below is shared. */
export function copyKey(key: HiveKey, name = key.name): KeyTree {
  const copy = new KeyTree(name);
  const { lastWrite, flags, userFlags, predefinedHandle, className, security, layer, inheritClass } = key;
  Object.assign(copy, { lastWrite, flags, userFlags, predefinedHandle, className, security, layer, inheritClass });
  for (const value of key.values()) copy.setValue(value);
  for (const subkey of key.subkeys()) copy.setSubkey(subkey);
  return copy;
}

/** A hive around a root that comes from no file. */
export function hiveOf(root: HiveKey, options: { readonly differencing?: boolean } = {}): Hive {
  const differencing = options.differencing === true;
  return { root, minor: differencing ? 6 : 5, differencing, lastWritten: 0n };
}
