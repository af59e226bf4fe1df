/** A layer's changes as one tree of names without case: what two spellings say of one path comes together. */
import type { Change, Entry } from "../layer/entry.ts";

export interface DraftNode {
  /** Each way the layer writes the name of what is here, the first first. */
  readonly spellings: string[];
  /** What is here now: the last that the layer says. */
  set?: Entry;
  /** How the layer spells the name it deletes; undefined when it deletes none. */
  deleted?: string;
  /** Of lower layers nothing shows below. */
  cleared: boolean;
  readonly children: Map<string, DraftNode>;
}

export function newNode(): DraftNode {
  return { spellings: [], cleared: false, children: new Map() };
}

/**
 * The changes, with one key for all spellings of a name. Deletions come first, wherever they stand, as a tree has it: what
 * they take away they take from the layers below.
 */
export function draftOf(changes: readonly Change[], key: (name: string, depth: number) => string): DraftNode {
  const root = newNode();
  for (const change of changes) if (change.kind === "delete") add(root, change, key);
  for (const change of changes) if (change.kind !== "delete") add(root, change, key);
  return root;
}

function add(root: DraftNode, change: Change, key: (name: string, depth: number) => string): void {
  const path = change.kind === "set" ? change.entry.path : change.path;
  const parts = path === "" ? [] : path.split("/");
  let node = root;
  for (const [depth, name] of parts.entries()) {
    const at = key(name, depth);
    let child = node.children.get(at);
    if (child === undefined) {
      child = newNode();
      node.children.set(at, child);
    }
    if (change.kind === "delete" && depth === parts.length - 1) child.deleted = name;
    else if (!child.spellings.includes(name)) child.spellings.push(name);
    node = child;
  }
  if (change.kind === "set") node.set = change.entry;
  else if (change.kind === "clear") node.cleared = true;
}

/** The name under which a layer means this, whatever the layers below call it. */
export function ownName(node: DraftNode): string {
  return node.spellings[0] ?? node.deleted ?? "";
}

/** True when the layer says that something is here: itself, or a folder for what is below it. */
export function isHere(node: DraftNode): boolean {
  if (node.set !== undefined) return true;
  for (const child of node.children.values()) if (isHere(child)) return true;
  return false;
}
