/** What COPY and ADD read: patterns → entries of a tree, and one digest over all that counts of them. */
import { ContentDigest } from "../../layerfs/layer/content-digest.ts";
import type { Entry } from "../../layerfs/layer/entry.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { matchPaths } from "../../layerfs/tree/match.ts";
import { type IgnoreRule, siftEntries } from "../../layerfs/tree/sift.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { foldPath } from "../../layerfs/windows/names.ts";
import { WbuildError } from "../../native/error.ts";
import { excludeRule, type NamedRule, parentsRule, splitAtPivot } from "./narrow.ts";

/** What a COPY asks for. */
export interface Query {
  readonly sources: readonly string[];
  /** Sources keep the folders above them; those before a `/./` are left out. */
  readonly parents?: boolean;
  /** Patterns of what is left out, relative to each source. */
  readonly exclude?: readonly string[];
  /** The system whose rules names follow. */
  readonly fromOs?: string;
}

/** One thing a pattern matched. */
export interface Selected {
  readonly pattern: string;
  /** As matched, before links are followed: its last component is the name inside a target folder. */
  readonly path: string;
  /** What lies there once links are followed. */
  readonly root: Entry;
  /** What of a folder is meant, by paths relative to it; absent: all. */
  readonly only?: NamedRule;
}

export interface Selection {
  readonly selected: readonly Selected[];
  /** The source to blame: one that names nothing, or the first of several patterns when none of them matches. */
  readonly missing?: string;
}

/**
 * All sources of a query. One pattern of several may match nothing, and with `parents` all of them may, as in BuildKit.
 * Throws CTX_NO_SOURCE for a link that leads nowhere.
 */
export async function select(tree: Tree, query: Query): Promise<Selection> {
  const { sources, parents = false, exclude = [], fromOs } = query;
  const left = exclude.length === 0 ? undefined : excludeRule(exclude, fromOs);
  const selected: Selected[] = [];
  let found = 0;
  let empty: string | undefined;
  for (const source of sources) {
    const matched: readonly (Selected | undefined)[] = parents
      ? await selectBelow(tree, source, left, fromOs)
      : (await selectSource(tree, source, fromOs)).map((one) => narrowed(one, left));
    if (matched.length === 0) {
      if (!isPattern(source)) return { selected, missing: source };
      if (!parents) empty ??= source;
    }
    found += matched.length;
    for (const one of matched) if (one) selected.push(one);
  }
  return { selected, ...(found === 0 && empty !== undefined ? { missing: empty } : {}) };
}

/** A folder without what is left out of it; undefined for a file that is left out itself: its name is its path. */
function narrowed(one: Selected, left: NamedRule | undefined): Selected | undefined {
  if (left === undefined) return one;
  if (one.root.type === "directory") return { ...one, only: left };
  return left.rule(nameOf(one.path), false) === "keep" ? one : undefined;
}

/** `--parents`: what a pattern matches below the folder before its pivot, with the folders in between. */
async function selectBelow(
  tree: Tree,
  source: string,
  left: NamedRule | undefined,
  os: string | undefined,
): Promise<Selected[]> {
  const { folder, pattern } = splitAtPivot(source);
  const clean = cleanSource(pattern);
  const found: Selected[] = [];
  for (const one of await selectSource(tree, folder, os)) {
    if (one.root.type !== "directory") continue;
    const wanted = { ...one, pattern: source, only: parentsRule(clean, undefined, os) };
    // A name that is not there is an error; a pattern may match nothing, and the target is made all the same.
    const isThere = clean === "" || isPattern(source) || (await membersOf(tree, wanted)).length > 1;
    if (isThere) found.push({ ...wanted, only: parentsRule(clean, left, os) });
  }
  return found;
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
async function selectSource(tree: Tree, source: string, os = "linux"): Promise<Selected[]> {
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
    `${JSON.stringify(path)}${which} is a link to ${link.target}, which is not among what is copied from`,
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

/** What a selected folder holds, itself first, or the file alone. */
export async function membersOf(tree: Tree, selected: Selected): Promise<Member[]> {
  const { root, only } = selected;
  if (root.type !== "directory") return [{ relative: "", entry: root }];
  const skip = root.path === "" ? 0 : root.path.length + 1;
  const entries = only ? await sifted(tree, root, only.rule, skip) : await tree.walk(root.path);
  return entries.map((entry) => ({ relative: entry.path.slice(skip), entry }));
}

function sifted(tree: Tree, root: Entry, rule: IgnoreRule, skip: number): Promise<Entry[]> {
  const below: IgnoreRule = (path, isFolder) => (path === root.path ? "keep" : rule(path.slice(skip), isFolder));
  return siftEntries(root, below, (path) => tree.list(path));
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
