/**
 * The folder of an unpacked Windows layer, where one file may lie in several spellings: what does not count goes, what does
 * comes together. No link is followed on the way; what the layer says of names is in draft.ts.
 */
import {
  chmodSync,
  type Dirent,
  lstatSync,
  type PathLike,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { bytesOfName, nameOfBytes } from "../../native/addon/raw-bytes.ts";
import { joinPath } from "../tree/names.ts";
import { windowsNames } from "../tree/windows-path.ts";
import type { DraftNode } from "./draft.ts";

/**
 * Removes what the index does not show: streams, devices, links in place of `Files`, and of things that have one name for
 * Windows those that came first. What stays of a name is one thing, or folders.
 */
export function prune(top: string, at: string, node: DraftNode, path: string): void {
  const depth = path === "" ? 0 : path.split("/").length;
  for (const found of read(at)) {
    const name = nameOf(found);
    const here = `${at}/${name}`;
    const child = node.children.get(windowsNames.key(name, depth));
    if (child === undefined || !belongs(top, found, here, joinPath(path, name), child)) remove(here);
    else if (found.isDirectory()) {
      // An ordinary user must be able to look into it.
      chmodSync(raw(here), 0o755);
      prune(top, here, child, joinPath(path, name));
    }
  }
}

function belongs(top: string, found: Dirent<Buffer>, here: string, path: string, node: DraftNode): boolean {
  const isOther = node.set !== undefined && node.set.type !== "directory";
  if (windowsNames.hides(path)) return false;
  if (found.isDirectory()) return !isOther;
  if (isWhiteout(found, here)) return node.deleted !== undefined;
  if (!isOther || !(found.isFile() || (found.isSymbolicLink() && path.includes("/")))) return false;
  // Where what came last is there in its own spelling, this came before it.
  const last = node.set?.path ?? path;
  return path === last || isFolderOrNothing(`${top}/${last}`);
}

function isFolderOrNothing(path: string): boolean {
  try {
    return lstatSync(raw(path)).isDirectory();
  } catch {
    return true;
  }
}

/**
 * Puts all spellings together under the wanted one, the first that the layer has before the others. Attack: a link `l` and a
 * folder `L` with files; moving these one by one into `l` would write through the link. By now there are only folders.
 */
export function settle(at: string, things: readonly string[], order: readonly string[], wanted: string): void {
  const [first, ...others] = things.length < 2 ? things : inOrder(things, order);
  if (first === undefined) return;
  for (const name of others) moveInto(`${at}/${first}`, `${at}/${name}`);
  if (first !== wanted) renameSync(raw(`${at}/${first}`), raw(`${at}/${wanted}`));
}

function inOrder(names: readonly string[], order: readonly string[]): string[] {
  const rank = new Map(order.map((name, at) => [name, at]));
  const rankOf = (name: string) => rank.get(name) ?? -1;
  return names.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** Moves all of one real folder into another; folders are put together, a whiteout gives way. */
function moveInto(to: string, from: string): void {
  for (const found of read(from)) {
    const name = nameOf(found);
    const here = `${from}/${name}`;
    const there = lstatSync(raw(`${to}/${name}`), { throwIfNoEntry: false });
    if (there?.isDirectory() && found.isDirectory()) moveInto(`${to}/${name}`, here);
    else if (there === undefined || there.isCharacterDevice()) {
      if (there !== undefined) remove(`${to}/${name}`);
      renameSync(raw(here), raw(`${to}/${name}`));
    }
  }
  remove(from);
}

export function isThere(path: string): boolean {
  return lstatSync(raw(path), { throwIfNoEntry: false }) !== undefined;
}

/** Links go, not what they lead to. Folders of Windows often have mode 0, which locks an ordinary user out. */
export function remove(path: string): void {
  const found = lstatSync(raw(path), { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) {
    unlinkSync(raw(path));
    return;
  }
  chmodSync(raw(path), 0o700);
  for (const child of read(path)) remove(`${path}/${nameOf(child)}`);
  rmdirSync(raw(path));
}

export function raw(path: string): PathLike {
  return bytesOfName(path);
}

export function read(folder: string): Dirent<Buffer>[] {
  return readdirSync(raw(folder), { withFileTypes: true, encoding: "buffer" });
}

export function nameOf(found: Dirent<Buffer>): string {
  return nameOfBytes(found.name);
}

export function isWhiteout(found: Dirent<Buffer>, path: string): boolean {
  return found.isCharacterDevice() && lstatSync(raw(path)).rdev === 0;
}
