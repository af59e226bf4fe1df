/** Carries out what a registry file of regedit tells, on a hive; and where in which hive a path of the registry lies. */

import { diffHives } from "./diff.ts";
import type { Hive, HiveKey } from "./key.ts";
import { mergeHives, refuseLayered } from "./merge.ts";
import type { RegeditEdit } from "./regedit-text.ts";
import { hiveOf, KeyTree } from "./tree.ts";
import { sameName } from "./upcase.ts";

const hiveKeys: Readonly<Record<string, string>> = {
  HKLM: "HKEY_LOCAL_MACHINE",
  HKCU: "HKEY_CURRENT_USER",
  HKU: "HKEY_USERS",
  HKCR: "HKEY_CLASSES_ROOT",
  HKCC: "HKEY_CURRENT_CONFIG",
};

/** The parts of a registry path, its first in full: `HKLM\SOFTWARE` → HKEY_LOCAL_MACHINE, SOFTWARE. */
export function registryPath(path: string): readonly string[] {
  const [first = "", ...rest] = path.split("\\").filter((part) => part !== "");
  return first === "" ? [] : [hiveKeys[first.toUpperCase()] ?? first, ...rest];
}

/** Where files of these names are found in the registry. */
const places: Readonly<Record<string, string>> = {
  software: "HKEY_LOCAL_MACHINE\\SOFTWARE",
  system: "HKEY_LOCAL_MACHINE\\SYSTEM",
  sam: "HKEY_LOCAL_MACHINE\\SAM",
  security: "HKEY_LOCAL_MACHINE\\SECURITY",
  default: "HKEY_USERS\\.DEFAULT",
  defaultuser: "HKEY_USERS\\.DEFAULT",
  "ntuser.dat": "HKEY_CURRENT_USER",
  "usrclass.dat": "HKEY_CURRENT_USER\\Software\\Classes",
  "system.reg": "HKEY_LOCAL_MACHINE",
  "user.reg": "HKEY_CURRENT_USER",
  "userdef.reg": "HKEY_USERS\\.DEFAULT",
};

/** What the root of a hive file of this name is called in the registry; undefined for any other name. */
export function placeOfFile(fileName: string): string | undefined {
  const name = fileName.toLowerCase().replace(/_(delta|base)$/, "");
  return Object.hasOwn(places, name) ? places[name] : undefined;
}

/**
 * The edits that concern a hive which is found at `place` in the registry, with paths from its root; what lies elsewhere
 * goes to `onElsewhere`. `CurrentControlSet`, a link that no hive stores, becomes the set that the hive selects.
 */
export function placeEdits(
  edits: readonly RegeditEdit[],
  hive: Hive,
  place: string,
  onElsewhere: (path: readonly string[]) => void,
): readonly RegeditEdit[] {
  const prefix = registryPath(place);
  const placed: RegeditEdit[] = [];
  for (const edit of edits) {
    const [first = "", ...rest] = edit.path;
    const path = [hiveKeys[first.toUpperCase()] ?? first, ...rest];
    if (path.length < prefix.length || !prefix.every((part, at) => sameName(part, path[at] ?? ""))) {
      onElsewhere(edit.path);
      continue;
    }
    const [top, ...below] = path.slice(prefix.length);
    if (top === undefined) placed.push({ ...edit, path: [] });
    else placed.push({ ...edit, path: [controlSet(hive, top), ...below] });
  }
  return placed;
}

function controlSet(hive: Hive, name: string): string {
  if (!sameName(name, "CurrentControlSet") || hive.root.subkey(name)) return name;
  const number = hive.root.subkey("Select")?.value("Current")?.data[0];
  return number === undefined ? name : `ControlSet${String(number).padStart(3, "0")}`;
}

/**
 * The hive as it is once the edits, whose paths begin below its root, were carried out one after the other. Deleting what is
 * not there is nothing. The root itself cannot go: deleting it deletes what it has. New keys get the descriptor that their
 * parent hands down. Throws HIVE_LAYERED for a differencing hive.
 */
export function applyEdits(hive: Hive, edits: readonly RegeditEdit[]): Hive {
  refuseLayered(hive);
  let root = nodeOver("", hive.root);
  for (const { path, isDeleted, values } of edits) {
    if (!isDeleted) {
      const key = open(root, hive.root, path);
      for (const value of values) key.setValue(value);
    } else if (path.length > 0) remove(root, hive.root, path);
    else root = nodeAnew("");
  }
  const edited = mergeHives([hive, hiveOf(root, { differencing: true })]);
  return mergeHives([hive, diffHives(hive, edited)]);
}

/** A node that changes nothing of what it lies over; `base` is undefined where nothing is. */
function nodeOver(name: string, base: HiveKey | undefined): KeyTree {
  const key = new KeyTree(name);
  key.flags = base?.flags ?? 0;
  key.inheritClass = true;
  return key;
}

function nodeAnew(name: string): KeyTree {
  const key = new KeyTree(name);
  key.layer = "supersede-tree";
  return key;
}

/** What lies below this name of a node, given what lies below the node: undefined where the node hides it. */
function baseBelow(node: KeyTree, base: HiveKey | undefined, name: string): HiveKey | undefined {
  return node.layer === "merge" ? base?.subkey(name) : undefined;
}

function open(root: KeyTree, baseRoot: HiveKey, path: readonly string[]): KeyTree {
  let node = root;
  let base: HiveKey | undefined = baseRoot;
  for (const name of path) {
    const found = node.subkey(name) as KeyTree | undefined;
    base = baseBelow(node, base, name);
    const isAnew = found?.layer === "tombstone" || (found === undefined && node.layer === "supersede-tree");
    if (found !== undefined && !isAnew) node = found;
    else node = node.setSubkey(isAnew ? nodeAnew(name) : nodeOver(base?.name ?? name, base));
  }
  return node;
}

function remove(root: KeyTree, baseRoot: HiveKey, path: readonly string[]): void {
  let node = root;
  let base: HiveKey | undefined = baseRoot;
  for (const [at, name] of path.entries()) {
    const found = node.subkey(name) as KeyTree | undefined;
    base = baseBelow(node, base, name);
    if (found?.layer === "tombstone" || (found === undefined && base === undefined)) return;
    if (at === path.length - 1) {
      node.deleteSubkey(name);
      if (base) node.setSubkey(new KeyTree(name)).layer = "tombstone";
      return;
    }
    node = found ?? node.setSubkey(nodeOver(base?.name ?? name, base));
  }
}
