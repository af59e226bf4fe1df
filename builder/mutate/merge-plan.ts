/**
 * Several layers → the changes of the one layer that does the same (OCI image layer filesystem changeset). What a tree has
 * after them is compared with what it had before: what is another entry is set, what is gone is a whiteout.
 */
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { applyChanges, emptyRoot, type NameRule, type Node } from "../../layerfs/tree/merge.ts";
import { compareNames } from "../../layerfs/tree/names.ts";
import { type Heads, type Member, memberOf } from "./heads.ts";

export interface MergePlan {
  /** Folders, links, devices and whiteouts, parents first: they come before all files. */
  readonly first: readonly Change[];
  /** The first name of each file, by where its bytes are. */
  readonly files: readonly { readonly member: Member; readonly entry: Entry }[];
  /** The other names of those files: they come last. */
  readonly links: readonly Change[];
}

/**
 * The layers from `from` (counted from 0) on, over those below. Files that only lower layers have are not in the plan; a new
 * hard link to one is a link still, and where the old name is gone it is the file. Throws TREE_HARDLINK.
 */
export function planMerge(layers: readonly Heads[], from: number, rule?: NameRule): MergePlan {
  let root = emptyRoot<number>();
  let before = root;
  for (const [at, { changes }] of layers.entries()) {
    root = applyChanges(root, at, changes, rule);
    if (at + 1 === from) before = root;
  }
  return new Plan(before, from > 0).of(root);
}

type Folder = Node<number>;

class Plan {
  readonly #before: Folder;
  readonly #isOver: boolean;
  readonly #first: Change[] = [];
  readonly #files = new Map<Member, Entry>();
  readonly #links: Change[] = [];
  readonly #lower = new Map<Member, string>();

  constructor(before: Folder, isOver: boolean) {
    this.#before = before;
    this.#isOver = isOver;
  }

  of(after: Folder): MergePlan {
    if (this.#isOver) this.#noteKept(this.#before, after);
    if (after.source !== undefined && after.entry !== this.#before.entry)
      this.#first.push({ kind: "set", entry: after.entry });
    this.#folder(this.#isOver ? this.#before : undefined, after);
    const files = [...this.#files].map(([member, entry]) => ({ member, entry }));
    return { first: this.#first, files, links: this.#links };
  }

  /** Files of the layers below that keep their name: what a new hard link can point at. */
  #noteKept(before: Folder, after: Folder): void {
    for (const [key, now] of sortedOf(after)) {
      const was = before.children?.get(key);
      if (was === undefined || now === undefined) continue;
      const member = memberOf(now.entry);
      if (member !== undefined && was.entry === now.entry && !this.#lower.has(member))
        this.#lower.set(member, now.entry.path);
      if (was.children && now.children) this.#noteKept(was, now);
    }
  }

  #folder(before: Folder | undefined, after: Folder): void {
    for (const [key, now] of sortedOf(after, before)) {
      const was = before?.children?.get(key);
      if (now === undefined) this.#first.push({ kind: "delete", path: was?.entry.path ?? "" });
      else if (now.children !== undefined) this.#inner(was, now);
      else if (was === undefined || was.entry !== now.entry) this.#set(now.entry);
    }
  }

  #inner(was: Folder | undefined, now: Folder): void {
    const at = this.#first.push({ kind: "set", entry: now.entry });
    const files = this.#files.size + this.#links.length;
    this.#folder(was?.children === undefined ? undefined : was, now);
    const isEmpty = this.#first.length === at && this.#files.size + this.#links.length === files;
    if (isEmpty && was !== undefined && saysNothing(was.entry, now.entry)) this.#first.pop();
  }

  #set(entry: Entry): void {
    const member = memberOf(entry);
    if (member === undefined) {
      this.#first.push({ kind: "set", entry });
      return;
    }
    const target = this.#lower.get(member) ?? this.#files.get(member)?.path;
    if (target === undefined) this.#files.set(member, entry);
    else this.#links.push({ kind: "set", entry: linkTo(target, entry) });
  }
}

/** Both folders' names in byte order; undefined for what only `before` has. */
function sortedOf(after: Folder, before?: Folder): (readonly [key: string, now: Folder | undefined])[] {
  const names: (readonly [string, Folder | undefined])[] = [...(after.children ?? [])];
  for (const key of before?.children?.keys() ?? []) if (!after.children?.has(key)) names.push([key, undefined]);
  return names.sort(([a], [b]) => compareNames(a, b));
}

/** A folder that layers repeat only because something below it changed. */
function saysNothing(was: Entry, now: Entry): boolean {
  if (was === now) return true;
  if (was.type !== now.type || was.mode !== now.mode || was.uid !== now.uid || was.gid !== now.gid) return false;
  return was.mtimeNs === now.mtimeNs && samePax(was.pax, now.pax);
}

function samePax(a: Entry["pax"], b: Entry["pax"]): boolean {
  if ((a?.size ?? 0) !== (b?.size ?? 0)) return false;
  for (const [key, value] of a ?? []) {
    const other = b?.get(key);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}

function linkTo(target: string, entry: Entry): Entry {
  const { inode: _, digest: __, pax: ___, ...rest } = entry;
  return { ...rest, type: "hardlink", size: 0, target };
}
