/** What COPY and ADD read: patterns → entries of a tree, and one digest over all that counts of them. */
import { ContentDigest } from "../../layerfs/layer/content-digest.ts";
import type { Entry } from "../../layerfs/layer/entry.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { matchPaths } from "../../layerfs/tree/match.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { foldPath } from "../../layerfs/windows/names.ts";
import { WbuildError } from "../../native/error.ts";

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

/**
 * Everything a source matches, in byte order; [] for nothing. Links given as a source are followed, as docker does.
 * `os` windows: names have no letter case, and what is found is called as it is spelled there.
 * Throws CTX_NO_SOURCE for a link that leads nowhere.
 */
export async function selectSource(tree: Tree, source: string, os = "linux"): Promise<Selected[]> {
  const clean = cleanSource(source);
  const isWindows = os === "windows";
  const paths = isPattern(clean) ? await matchPaths(tree, clean, isWindows ? foldPath : undefined) : [clean];
  const selected: Selected[] = [];
  for (const written of paths) {
    const path = isWindows ? ((await tree.resolve(written, false)) ?? written) : written;
    const real = await tree.resolve(path, true);
    const root = real === undefined ? undefined : await tree.stat(real);
    if (root) selected.push({ pattern: source, path, root });
    else await refuseDangling(tree, source, path);
  }
  return selected;
}

async function refuseDangling(tree: Tree, source: string, path: string): Promise<void> {
  const link = await tree.stat(path);
  if (link?.type !== "symlink") return;
  const which = path === cleanSource(source) ? "" : `, which ${JSON.stringify(source)} matches,`;
  throw new WbuildError(
    "CTX_NO_SOURCE",
    `${JSON.stringify(path)}${which} is a link to ${link.target}, which is not there`,
    {
      facts: { pattern: source, path, target: link.target },
      hint: "links are followed inside what is copied from: a folder that holds the link can be copied, and keeps it",
    },
  );
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
 * time alone changed is the same file. `whole`, where it gives one, digests all that lies below a folder at once.
 */
export async function digestOfSelection(
  tree: Tree,
  selection: readonly Selected[],
  whole: (selected: Selected) => Promise<Digest | undefined> = async () => undefined,
): Promise<Digest> {
  const parts: unknown[] = [];
  for (const selected of selection) {
    const isFolder = selected.root.type === "directory";
    const digest = (isFolder ? await whole(selected) : undefined) ?? (await digestOfMembers(tree, selected));
    parts.push([isFolder ? "" : nameOf(selected.path), digest]);
  }
  return digestOf(`copy/1 ${JSON.stringify(parts)}`);
}

async function digestOfMembers(tree: Tree, selected: Selected): Promise<Digest> {
  const hash = new ContentDigest();
  for (const { relative, entry } of await membersOf(tree, selected)) {
    // The folder itself is not copied, only what it holds.
    if (relative === "" && entry.type === "directory") continue;
    hash.add({ ...entry, path: relative, ...(entry.type === "file" ? { digest: await tree.digest(entry) } : {}) });
  }
  return hash.finish();
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
