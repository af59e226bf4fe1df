/**
 * Several layers → the changes of the one layer that does the same (OCI image layer filesystem changeset). What a tree has
 * after them is compared with what it had before: what is another entry is set, what is gone is a whiteout.
 */
import type { Changes } from "../../layerfs/layer/change-list.ts";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { withRoom } from "../../layerfs/layer/name-table.ts";
import { absent, LayerTable, type State, type States } from "../../layerfs/tree/layer-table.ts";
import type { NameRule } from "../../layerfs/tree/merge.ts";
import type { Member } from "./heads.ts";

/** Its changes are made as they are asked for, each time anew. */
export interface MergePlan {
  /** Folders, links, devices and whiteouts, parents first: they come before all files. */
  readonly first: Iterable<Change>;
  /** The first name of each file, by where its bytes are. */
  readonly files: Iterable<{ readonly member: Member; readonly entry: Entry }>;
  /** The file whose bytes are there, under its first name; undefined for what is not in the plan. */
  fileAt(member: Member): Entry | undefined;
  /** Whether the layer, counted from 0, has any of the files. */
  reads(layer: number): boolean;
  /** The other names of those files: they come last. */
  readonly links: Iterable<Change>;
}

/**
 * The layers from `from` (counted from 0) on, over those below. Files that only lower layers have are not in the plan; a new
 * hard link to one is a link still, and where the old name is gone it is the file. Throws TREE_HARDLINK.
 */
export function planMerge(layers: readonly { readonly changes: Changes }[], from: number, rule?: NameRule): MergePlan {
  const table = new LayerTable(rule);
  let before = table.copy();
  for (const [at, { changes }] of layers.entries()) {
    table.add(changes);
    if (at + 1 === from) before = table.copy();
  }
  return new Plan(table, before, from > 0);
}

/** A list of numbers. */
class Numbers {
  #all = new Int32Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(number: number): void {
    this.#all = withRoom(this.#all, this.#length);
    this.#all[this.#length++] = number;
  }

  pop(): void {
    this.#length--;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.#length; i++) yield this.#all[i] ?? 0;
  }
}

class Plan implements MergePlan {
  readonly #table: LayerTable;
  readonly #before: States;
  /** The numbers of paths, those of whiteouts with a bit that makes them negative. */
  readonly #first = new Numbers();
  /** The first name of each file by its state, and of those below that keep a name. */
  readonly #files: Int32Array;
  readonly #lower: Int32Array;
  readonly #links = new Numbers();
  #count = 0;

  constructor(table: LayerTable, before: States, isOver: boolean) {
    this.#table = table;
    this.#before = before;
    this.#files = new Int32Array(table.changes + 2);
    this.#lower = new Int32Array(isOver ? table.changes + 2 : 0);
    if (isOver) this.#noteKept(0);
    if (table.place(table.state(0)) !== undefined && table.state(0) !== this.#was(0)) this.#first.push(0);
    this.#folder(0, isOver);
  }

  get first(): Iterable<Change> {
    return this.#made(this.#first, (id) =>
      id < 0 ? { kind: "delete", path: this.#table.pathOf(~id) } : { kind: "set", entry: this.#table.entry(id) },
    );
  }

  get links(): Iterable<Change> {
    return this.#made(this.#links, (id) => {
      const state = this.#table.state(id);
      const target = this.#table.pathOf(this.#lower[state] || this.#files[state] || 0);
      return { kind: "set", entry: linkTo(target, this.#table.entry(id)) };
    });
  }

  get files(): Iterable<{ readonly member: Member; readonly entry: Entry }> {
    return this.#all();
  }

  fileAt({ layer, at }: Member): Entry | undefined {
    const state = this.#table.stateOf(layer, at);
    const id = this.#files[state] ?? 0;
    return id === 0 ? undefined : this.#table.entry(id, state);
  }

  reads(layer: number): boolean {
    const [from, to] = [this.#table.stateOf(layer, 0), this.#table.stateOf(layer + 1, 0)];
    return this.#files.subarray(from, to).some((id) => id !== 0);
  }

  *#made(ids: Numbers, make: (id: number) => Change): Generator<Change> {
    for (const id of ids) yield make(id);
  }

  *#all(): Generator<{ readonly member: Member; readonly entry: Entry }> {
    for (const [state, id] of this.#files.entries()) {
      const member = id === 0 ? undefined : this.#table.place(state);
      if (member !== undefined) yield { member, entry: this.#table.entry(id, state) };
    }
  }

  #was(id: number): State {
    return this.#before.states[id] ?? absent;
  }

  #wasFolder(id: number): boolean {
    return ((this.#before.flags[id] ?? 0) & 1) !== 0;
  }

  /** Files of the layers below that keep their name: what a new hard link can point at. */
  #noteKept(folder: number): void {
    for (const id of this.#table.children(folder, "key")) {
      const state = this.#table.state(id);
      if (this.#was(id) === absent) continue;
      if (this.#table.isFolder(id)) {
        if (this.#wasFolder(id)) this.#noteKept(id);
      } else if (this.#was(id) === state && this.#lower[state] === 0) this.#lower[state] = id;
    }
  }

  #folder(folder: number, isOver: boolean): void {
    for (const id of this.#table.children(folder, "key", isOver ? this.#before : undefined)) {
      const state = this.#table.state(id);
      if (state === absent) this.#first.push(~id);
      else if (this.#table.isFolder(id)) this.#inner(id, isOver);
      else if (!isOver || this.#was(id) !== state) this.#set(id, state);
    }
  }

  #inner(id: number, isOver: boolean): void {
    const was = isOver ? this.#was(id) : absent;
    this.#first.push(id);
    const [first, others] = [this.#first.length, this.#count];
    this.#folder(id, was !== absent && this.#wasFolder(id));
    const isEmpty = this.#first.length === first && this.#count === others;
    if (isEmpty && was !== absent && this.#saysNothing(id, was)) this.#first.pop();
  }

  #set(id: number, state: State): void {
    if (!this.#table.isFile(id)) {
      this.#first.push(id);
      return;
    }
    this.#count++;
    if ((this.#lower[state] ?? 0) !== 0 || this.#files[state] !== 0) this.#links.push(id);
    else this.#files[state] = id;
  }

  /** A folder that layers repeat only because something below it changed. */
  #saysNothing(id: number, state: State): boolean {
    if (state === this.#table.state(id)) return true;
    const [was, now] = [this.#table.entry(id, state), this.#table.entry(id)];
    if (was.type !== now.type || was.mode !== now.mode || was.uid !== now.uid || was.gid !== now.gid) return false;
    return was.mtimeNs === now.mtimeNs && samePax(was.pax, now.pax);
  }
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
