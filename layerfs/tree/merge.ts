/**
 * Layers laid on each other, in memory: immutable nodes, so that two stacks with the same lower layers share them and
 * a new layer costs what it changes. Semantics: OCI image specification, "Image Layer Filesystem Changeset".
 */
import { WbuildError } from "../../native/error.ts";
import type { Change, Entry } from "../layer/entry.ts";
import { compareNames, joinPath, partsOf } from "./names.ts";

/** How names are compared where it is not byte by byte. Of two spellings the one that was there first counts. */
export interface NameRule {
  /** Equal for names that are one; `depth` is 0 in the root. */
  key(name: string, depth: number): string;
  /** Paths that a layer may say and a tree does not show. */
  hides(path: string): boolean;
}

/** What the layers are to whoever stacked them; nodes only point back at it. */
export interface Node<L> {
  readonly entry: Entry;
  /** The layer that has the content, and its path there. Undefined for folders that no layer mentions. */
  readonly source: { readonly layer: L; readonly path: string } | undefined;
  /** Of a directory, else undefined. */
  readonly children: ReadonlyMap<string, Node<L>> | undefined;
}

interface Draft<L> extends Node<L> {
  entry: Entry;
  source: { readonly layer: L; readonly path: string } | undefined;
  children: Map<string, Node<L>> | undefined;
}

/** A directory that some layer forgot to mention. */
export function madeUp(path: string): Entry {
  return { path, type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
}

export function emptyRoot<L>(): Node<L> {
  return { entry: madeUp(""), source: undefined, children: new Map() };
}

/** The node at a path below the root, by the names that `rule` takes for the same; undefined when there is none. */
export function nodeAt<L>(root: Node<L>, path: string, rule?: NameRule): Node<L> | undefined {
  let node: Node<L> | undefined = root;
  if (rule === undefined) for (const part of partsOf(path)) node = node?.children?.get(part);
  else for (const [depth, part] of partsOf(path).entries()) node = node?.children?.get(rule.key(part, depth));
  return node;
}

/** A node's children in byte order of their names. */
export function sortedChildren<L>(node: Node<L>, rule?: NameRule): Node<L>[] {
  const names = [...(node.children ?? [])];
  if (rule !== undefined) for (const pair of names) pair[0] = pair[1].entry.path;
  return names.sort(([a], [b]) => compareNames(a, b)).map(([, child]) => child);
}

/**
 * One layer's changes on top of a root; the given root stays as it is. With a rule of names, entries appear in the
 * spelling that was there first. Throws TREE_HARDLINK for a link to nothing.
 */
export function applyChanges<L>(root: Node<L>, layer: L, changes: Iterable<Change>, rule?: NameRule): Node<L> {
  const drafts = new Set<Node<L>>();
  const draftOf = (node: Node<L>): Draft<L> => {
    if (drafts.has(node)) return node as Draft<L>;
    const draft: Draft<L> = { ...node, children: node.children && new Map(node.children) };
    drafts.add(draft);
    return draft;
  };
  const top = draftOf(root);

  /** The directory's draft, with all above it; undefined when it is not there and is not to be made. */
  const folder = (parts: readonly string[], make: boolean): Draft<L> | undefined => {
    let at = top;
    for (const [depth, part] of parts.entries()) {
      const key = rule === undefined ? part : rule.key(part, depth);
      const child = at.children?.get(key);
      let next: Draft<L>;
      if (child?.children !== undefined) next = draftOf(child);
      else if (!make) return undefined;
      else {
        const path = child?.entry.path ?? joinPath(at.entry.path, part);
        next = draftOf({ entry: madeUp(path), source: undefined, children: new Map() });
      }
      at.children?.set(key, next);
      at = next;
    }
    return at;
  };

  // What a layer takes away it takes from the layers below, wherever in its stream it says so.
  for (const change of changes) {
    if (change.kind === "delete") {
      const parts = partsOf(change.path);
      const name = parts.pop();
      // A whiteout has a folder to lie in: who unpacks the layer makes it, and so it is there.
      if (name === undefined) continue;
      const key = rule === undefined ? name : rule.key(name, parts.length);
      folder(parts, true)?.children?.delete(key);
    } else if (change.kind === "clear") {
      folder(partsOf(change.path), false)?.children?.clear();
    }
  }
  for (const change of changes) {
    if (change.kind !== "set") continue;
    const { entry } = change;
    const parts = partsOf(entry.path);
    const name = parts.pop();
    if (name === undefined) {
      if (entry.type === "directory") top.entry = entry;
      continue;
    }
    if (rule?.hides(entry.path)) continue;
    const parent = folder(parts, true);
    const key = rule === undefined ? name : rule.key(name, parts.length);
    const there = parent?.children?.get(key);
    const spelled = rule === undefined ? entry : respelled(entry, there, parent, name);
    parent?.children?.set(key, nodeOf(top, layer, spelled, there, draftOf, rule));
  }
  return top;
}

/** The entry at the path of what was there, or with its own name in the folder as that is spelled. */
function respelled<L>(entry: Entry, there: Node<L> | undefined, parent: Node<L> | undefined, name: string): Entry {
  const path = there?.entry.path ?? joinPath(parent?.entry.path ?? "", name);
  return path === entry.path ? entry : { ...entry, path };
}

function nodeOf<L>(
  root: Node<L>,
  layer: L,
  entry: Entry,
  there: Node<L> | undefined,
  draftOf: (node: Node<L>) => Draft<L>,
  rule: NameRule | undefined,
): Node<L> {
  const source = { layer, path: entry.path };
  if (entry.type === "directory") {
    if (there?.children === undefined) return draftOf({ entry, source, children: new Map() });
    const draft = draftOf(there);
    draft.entry = entry;
    draft.source = source;
    return draft;
  }
  if (entry.type !== "hardlink") return { entry, source, children: undefined };
  const target = nodeAt(root, entry.target ?? "", rule);
  if (target === undefined || target.children !== undefined) {
    throw new WbuildError("TREE_HARDLINK", `${JSON.stringify(entry.path)} is a hard link to nothing`, {
      facts: { path: entry.path, target: entry.target },
    });
  }
  // The same inode under another name.
  return { entry: { ...target.entry, path: entry.path }, source: target.source, children: undefined };
}
