/** A layer's changes as one tree of names without case: what two spellings say of one path comes together. */
import type { Change, Entry } from "../layer/entry.ts";

export interface DraftNode {
  /** Each way the layer writes the name, the first first. */
  readonly spellings: string[];
  /** What is there now: the last that the layer says. */
  set?: Entry;
  /** Folders of lower layers show nothing here, or nothing below. */
  deleted: boolean;
  cleared: boolean;
  readonly children: Map<string, DraftNode>;
}

export function newNode(): DraftNode {
  return { spellings: [], deleted: false, cleared: false, children: new Map() };
}

/** Adds a change at its path. `key` gives one key for all spellings of a name. Gives the change's node. */
export function addChange(root: DraftNode, change: Change, key: (name: string, depth: number) => string): DraftNode {
  const path = change.kind === "set" ? change.entry.path : change.path;
  let node = root;
  for (const [depth, name] of path === "" ? [] : path.split("/").entries()) {
    const at = key(name, depth);
    let child = node.children.get(at);
    if (child === undefined) {
      child = newNode();
      node.children.set(at, child);
    }
    if (!child.spellings.includes(name)) child.spellings.push(name);
    node = child;
  }
  if (change.kind === "set") node.set = change.entry;
  else if (change.kind === "delete") node.deleted = true;
  else node.cleared = true;
  return node;
}

/** True when the layer says that something is here: itself, or a folder for what is below it. */
export function isHere(node: DraftNode): boolean {
  if (node.set !== undefined) return true;
  for (const child of node.children.values()) if (isHere(child)) return true;
  return false;
}
