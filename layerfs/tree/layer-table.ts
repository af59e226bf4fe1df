/**
 * Layers laid on each other as merge.ts lays them, in tables of numbers: for stacks of any size that are looked at once. What
 * merge.ts is better at is many stacks that share their lower layers, as builds have them.
 */
import { WbuildError } from "../../native/error.ts";
import type { Changes } from "../layer/change-list.ts";
import type { Entry } from "../layer/entry.ts";
import { NameTable, withRoom } from "../layer/name-table.ts";
import { madeUp, type NameRule } from "./merge.ts";
import { compareNames, joinPath } from "./names.ts";

/** What a path is, as a number: nothing, a folder that no layer mentions, or 2 and a change's number across all layers. */
export type State = number;
export const absent = 0;
const unsaid = 1;
const firstChange = 2;

const isFolder = 1;
/** The folder has it among its children, or had. */
const isLinked = 2;
const isFile = 4;

/** All paths at one time, by the path's number. */
export interface States {
  readonly states: Int32Array;
  readonly flags: Uint8Array;
  readonly firstChild: Int32Array;
  readonly nextChild: Int32Array;
}

/** Paths have numbers, the root 0; a path that went keeps its own. */
export class LayerTable {
  readonly #rule: NameRule | undefined;
  readonly #names = new NameTable();
  readonly #layers: Changes[] = [];
  /** The number of each layer's first change. */
  readonly #begins: number[] = [];
  #changes = 0;
  #states = new Int32Array(1024);
  #flags = new Uint8Array(1024);
  /** Of a folder the first child, of each child the next: with names that went, until somebody clears the folder. */
  #firstChild = new Int32Array(1024);
  #nextChild = new Int32Array(1024);
  /** Changes that more than one path is, by a hard link. */
  readonly #linked = new Map<State, object>();
  #lastFolder = "";
  #lastFolderId = 0;
  /** With a rule: names as they are spelled, where that differs from their key. */
  readonly #spellings = new Map<number, string>();

  constructor(rule?: NameRule) {
    this.#rule = rule;
    this.#states[0] = unsaid;
    this.#flags[0] = isFolder;
  }

  /** Changes of all layers. */
  get changes(): number {
    return this.#changes;
  }

  /** Puts one layer's changes on top; what they are is asked for again later. Throws TREE_HARDLINK for a link to nothing. */
  add(changes: Changes): void {
    const begin = this.#changes;
    this.#layers.push(changes);
    this.#begins.push(begin);
    this.#changes += changes.length;
    // What a layer takes away it takes from the layers below, wherever in its stream it says so.
    for (const change of changes.marks?.() ?? changes) {
      if (change.kind === "set") continue;
      const { kind, path } = change;
      if (kind === "clear") {
        const folder = this.find(path);
        if (folder !== undefined && this.isFolder(folder)) this.#clear(folder);
      } else if (path !== "") {
        // A whiteout has a folder to lie in: who unpacks the layer makes it, and so it is there.
        const id = this.#child(this.#folderOf(path), path);
        if (id !== undefined) this.#drop(id);
      }
    }
    let number = begin + firstChange;
    for (const change of changes) {
      if (change.kind === "set") this.#set(change.entry, number);
      number++;
    }
  }

  /** How things are now. */
  copy(): States {
    const size = this.#names.size;
    return {
      states: this.#states.slice(0, size),
      flags: this.#flags.slice(0, size),
      firstChild: this.#firstChild.slice(0, size),
      nextChild: this.#nextChild.slice(0, size),
    };
  }

  state(id: number): State {
    return this.#states[id] ?? absent;
  }

  isFolder(id: number): boolean {
    return ((this.#flags[id] ?? 0) & isFolder) !== 0;
  }

  isFile(id: number): boolean {
    return ((this.#flags[id] ?? 0) & isFile) !== 0;
  }

  /** The number of a path that is there. */
  find(path: string): number | undefined {
    const id = this.#rule === undefined ? this.#names.find(path) : this.#findKey(path, this.#rule);
    return id === undefined || this.state(id) === absent ? undefined : id;
  }

  /** As the layers spell it. */
  pathOf(id: number): string {
    if (this.#rule === undefined || id === 0) return this.#names.pathOf(id);
    return joinPath(this.pathOf(this.#names.parentOf(id)), this.#nameOf(id));
  }

  /** What a path is there, with that path. */
  entry(id: number, state: State = this.state(id)): Entry {
    return this.written(id, state).entry;
  }

  /** The same, and the path under which the layer has it: of a hard link that of the file. */
  written(id: number, state: State = this.state(id)): { readonly entry: Entry; readonly path: string } {
    const path = this.pathOf(id);
    if (state === unsaid) return { entry: madeUp(path), path };
    const { entry } = this.#changeOf(state);
    return { entry: entry.path === path ? entry : { ...entry, path }, path: entry.path };
  }

  /** The layer whose change it is, and where in that it stands; undefined for folders that no layer mentions. */
  place(state: State): { readonly layer: number; readonly at: number } | undefined {
    if (state < firstChange) return undefined;
    const number = state - firstChange;
    let layer = this.#begins.length - 1;
    while ((this.#begins[layer] ?? 0) > number) layer--;
    return { layer, at: number - (this.#begins[layer] ?? 0) };
  }

  stateOf(layer: number, at: number): State {
    return (this.#begins[layer] ?? this.#changes) + at + firstChange;
  }

  /** One object for all names of a file that has several. */
  inode(state: State): object | undefined {
    return this.#linked.get(state);
  }

  /**
   * The folder's children in byte order: of their spelling, or of their keys. With `before`: also those that it had then and
   * has no more.
   */
  children(folder: number, by: "spelling" | "key" = "spelling", before?: States): number[] {
    const found: { readonly id: number; readonly name: string }[] = [];
    const add = (id: number) => found.push({ id, name: by === "key" ? this.#names.nameOf(id) : this.#nameOf(id) });
    for (let id = this.#firstChild[folder] ?? 0; id !== 0; id = this.#nextChild[id] ?? 0)
      if (this.state(id) !== absent) add(id);
    for (let id = before?.firstChild[folder] ?? 0; id !== 0; id = before?.nextChild[id] ?? 0)
      if (before?.states[id] !== absent && this.state(id) === absent) add(id);
    return found.sort((a, b) => compareNames(a.name, b.name)).map(({ id }) => id);
  }

  #changeOf(state: State): { readonly kind: "set"; readonly entry: Entry } {
    const { layer = 0, at = 0 } = this.place(state) ?? {};
    const change = this.#layers[layer]?.at(at);
    if (change?.kind !== "set") throw new TypeError("a layer's changes are not what they were");
    return change;
  }

  #nameOf(id: number): string {
    return this.#spellings.get(id) ?? this.#names.nameOf(id);
  }

  #findKey(path: string, rule: NameRule): number | undefined {
    let at: number | undefined = 0;
    if (path !== "")
      for (const [depth, part] of path.split("/").entries())
        at = at === undefined ? undefined : this.#names.child(at, rule.key(part, depth));
    return at;
  }

  /** The folder that the path lies in, made with all above it where that is not there. */
  #folderOf(path: string): number {
    const end = path.lastIndexOf("/");
    if (end < 0) return 0;
    const last = this.#lastFolder;
    if (end === last.length && path.startsWith(last) && this.isFolder(this.#lastFolderId)) return this.#lastFolderId;
    const folder = path.slice(0, end);
    let at = 0;
    for (const [depth, part] of folder.split("/").entries()) {
      const id = this.#makeChild(at, part, depth);
      if (!this.isFolder(id) || this.state(id) === absent) this.#put(id, at, part, unsaid, isFolder);
      at = id;
    }
    this.#lastFolder = folder;
    this.#lastFolderId = at;
    return at;
  }

  #child(folder: number, path: string): number | undefined {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const key = this.#rule === undefined ? name : this.#rule.key(name, path.split("/").length - 1);
    return this.#names.child(folder, key);
  }

  #makeChild(folder: number, name: string, depth: number): number {
    const id = this.#names.makeChild(folder, this.#rule === undefined ? name : this.#rule.key(name, depth));
    this.#states = withRoom(this.#states, id);
    this.#flags = withRoom(this.#flags, id);
    this.#firstChild = withRoom(this.#firstChild, id);
    this.#nextChild = withRoom(this.#nextChild, id);
    return id;
  }

  #set(entry: Entry, number: State): void {
    const { path, type } = entry;
    if (path === "") {
      if (type === "directory") this.#states[0] = number;
      return;
    }
    if (this.#rule?.hides(path)) return;
    const folder = this.#folderOf(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    const depth = this.#rule === undefined ? 0 : path.split("/").length - 1;
    const id = this.#makeChild(folder, name, depth);
    if (type !== "hardlink") {
      this.#put(id, folder, name, number, type === "directory" ? isFolder : type === "file" ? isFile : 0);
      return;
    }
    const target = this.find(entry.target ?? "");
    if (target === undefined || this.isFolder(target)) {
      throw new WbuildError("TREE_HARDLINK", `${JSON.stringify(path)} is a hard link to nothing`, {
        facts: { path, target: entry.target },
      });
    }
    // The same inode under another name.
    const state = this.state(target);
    if (!this.#linked.has(state)) this.#linked.set(state, { state });
    this.#put(id, folder, name, state, (this.#flags[target] ?? 0) & isFile);
  }

  #put(id: number, parent: number, name: string, state: State, kind: number): void {
    const was = this.state(id);
    const flags = this.#flags[id] ?? 0;
    if ((flags & isFolder) !== 0 && kind !== isFolder) this.#clear(id);
    if (was === absent && this.#rule !== undefined) {
      if (name === this.#names.nameOf(id)) this.#spellings.delete(id);
      else this.#spellings.set(id, name);
    }
    if ((flags & isLinked) === 0) {
      this.#nextChild[id] = this.#firstChild[parent] ?? 0;
      this.#firstChild[parent] = id;
    }
    this.#states[id] = state;
    this.#flags[id] = isLinked | kind;
  }

  /** Attack: names that come and go. One that went is passed over once, and then no more until it comes again. */
  #clear(folder: number): void {
    const folders = [folder];
    for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
      let next = 0;
      for (let id = this.#firstChild[at] ?? 0; id !== 0; id = next) {
        next = this.#nextChild[id] ?? 0;
        if (this.isFolder(id)) folders.push(id);
        this.#states[id] = absent;
        this.#flags[id] = 0;
        this.#nextChild[id] = 0;
      }
      this.#firstChild[at] = 0;
    }
  }

  #drop(id: number): void {
    if (this.isFolder(id)) this.#clear(id);
    this.#states[id] = absent;
    this.#flags[id] = (this.#flags[id] ?? 0) & isLinked;
  }
}
