/** A layer's changes as one tree of names without case: what two spellings say of one path comes together. */
import type { Change, Entry } from "../layer/entry.ts";

export interface DraftNode {
  /** Each way the layer writes the name of what is here, the first first. */
  readonly spellings: string[];
  /** The same, to ask, where they are many. */
  known?: Set<string>;
  /** What is here now: the last that the layer says. */
  set?: Entry;
  /** How the layer spells the name it deletes; undefined when it deletes none. */
  deleted?: string;
  /** Of lower layers nothing shows below. */
  cleared: boolean;
  /** The layer has a folder here and something else as well; the later of them counts. */
  clash: boolean;
  readonly children: Map<string, DraftNode>;
}

const fewSpellings = 8;

export function newNode(): DraftNode {
  return { spellings: [], cleared: false, clash: false, children: new Map() };
}

/**
 * The changes, with one key for all spellings of a name. What takes away comes first, wherever it stands, as a tree has it:
 * it takes from the layers below.
 */
export function draftOf(changes: readonly Change[], key: (name: string, depth: number) => string): DraftNode {
  const root = newNode();
  for (const change of changes) if (change.kind !== "set") add(root, change, key);
  for (const change of changes) if (change.kind === "set") add(root, change, key);
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
    else if (change.kind !== "clear") spell(child, name);
    node = child;
    const isOnTheWay = depth < parts.length - 1;
    if (change.kind === "set" && (isOnTheWay || change.entry.type === "directory")) becomeFolder(node);
  }
  if (change.kind === "clear") {
    node.cleared = true;
    node.children.clear();
  } else if (change.kind === "set") {
    if (change.entry.type !== "directory") becomeOther(node);
    node.set = change.entry;
  }
}

/** Attack: a name of twenty letters has a million spellings, and each would be looked for among all others. */
function spell(node: DraftNode, name: string): void {
  const { spellings } = node;
  if (spellings.length >= fewSpellings) node.known ??= new Set(spellings);
  if (node.known?.has(name) ?? spellings.includes(name)) return;
  spellings.push(name);
  node.known?.add(name);
}

/** A folder takes the place of a file, and starts empty. */
function becomeFolder(node: DraftNode): void {
  if (node.set === undefined || node.set.type === "directory") return;
  delete node.set;
  node.clash = true;
  node.cleared = true;
}

/** A file takes the place of a folder. */
function becomeOther(node: DraftNode): void {
  const own = node.set;
  delete node.set;
  node.clash ||= own?.type === "directory" || isHere(node);
  node.children.clear();
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
