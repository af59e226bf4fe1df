/** What COPY and ADD read: patterns → entries of a tree, and one digest over all that counts of them. */
import { createHash } from "node:crypto";
import type { Entry } from "../../layerfs/layer/entry.ts";
import { matchPaths } from "../../layerfs/tree/match.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";

/** One thing a pattern matched. */
export interface Selected {
  readonly pattern: string;
  /** As matched, before links are followed: its last component is the name inside a target folder. */
  readonly path: string;
  /** What lies there once links are followed. */
  readonly root: Entry;
}

/** True when Go's filepath.Match would treat the text as more than a name. */
export function isPattern(text: string): boolean {
  return /[*?[\\]/.test(text);
}

/** Clean path of a source as written: leading slashes and dots mean the root, `..` stops there. */
export function cleanSource(source: string): string {
  const parts: string[] = [];
  for (const part of source.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}

/** Everything a source matches, in byte order; [] for nothing. Links given as a source are followed, as docker does. */
export async function selectSource(tree: Tree, source: string): Promise<Selected[]> {
  const clean = cleanSource(source);
  const paths = isPattern(clean) ? await matchPaths(tree, clean) : [clean];
  const selected: Selected[] = [];
  for (const path of paths) {
    const real = await tree.resolve(path, true);
    const root = real === undefined ? undefined : await tree.stat(real);
    if (root) selected.push({ pattern: source, path, root });
  }
  return selected;
}

/** Name and entry relative to the selected root ("" for itself). */
export interface Member {
  readonly relative: string;
  readonly entry: Entry;
}

export async function membersOf(tree: Tree, selected: Selected): Promise<Member[]> {
  const { root } = selected;
  if (root.type !== "directory") return [{ relative: "", entry: root }];
  const skip = root.path === "" ? 0 : root.path.length + 1;
  return (await tree.walk(root.path)).map((entry) => ({ relative: entry.path.slice(skip), entry }));
}

/**
 * Digest over names, types, modes, owners, contents, links and extended attributes. Times are left out: a file whose
 * time alone changed is the same file.
 */
export async function digestOfSelection(tree: Tree, selection: readonly Selected[]): Promise<string> {
  const hash = createHash("sha256");
  for (const selected of selection) {
    const { root } = selected;
    hash.update(`${JSON.stringify(root.type === "directory" ? "" : nameOf(selected.path))} ${root.type}\n`);
    for (const { relative, entry } of await membersOf(tree, selected)) {
      const { type, mode, uid, gid, target, device, pax } = entry;
      const content = type === "file" ? await tree.digest(entry) : (target ?? "");
      const where = device ? `${device.major}:${device.minor}` : "";
      hash.update(`${JSON.stringify([relative, type, mode, uid, gid, content, where])}\n`);
      for (const [name, value] of [...(pax ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))) {
        hash.update(`${JSON.stringify(name)} ${value.length}\n`).update(value);
      }
    }
  }
  return hash.digest("hex");
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
