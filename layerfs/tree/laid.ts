/** Layers laid on each other, in one of two ways, and what lies at their paths: what a stacked tree shows. */
import type { Changes } from "../layer/change-list.ts";
import type { Entry } from "../layer/entry.ts";
import type { Digest } from "../store/digest.ts";
import { LayerTable } from "./layer-table.ts";
import { type NameRule, type Node, nodeAt, sortedChildren } from "./merge.ts";

export interface TreeLayer {
  readonly diffId?: Digest;
  /** What it does to the layers below; asked for once, at the tree's first use. */
  changes(): Promise<Changes>;
  /**
   * Its unpacked form in overlayfs form, absolute. Asked for only when content is needed. Of a Windows layer normalised:
   * names there are spelled as the tree spells them (layerfs/windows/unpacked.ts).
   */
  folder(): Promise<string>;
}

/** What lies at a path. */
export interface Found {
  readonly entry: Entry;
  readonly source: Node<TreeLayer>["source"];
  /** One object for all names of a file. */
  readonly inode: object | undefined;
}

/** Layers laid on each other, in one way or the other. */
export interface Laid {
  at(path: string): Found | undefined;
  children(path: string): Iterable<Found>;
  /** The path itself and all below it, parents first. */
  below(path: string): Iterable<Found>;
}

/** Nodes that other stacks share. */
export class LaidNodes implements Laid {
  readonly #root: Node<TreeLayer>;
  readonly #rule: NameRule | undefined;

  constructor(root: Node<TreeLayer>, rule: NameRule | undefined) {
    this.#root = root;
    this.#rule = rule;
  }

  at(path: string): Found | undefined {
    const node = nodeAt(this.#root, path, this.#rule);
    return node && this.#found(node);
  }

  *children(path: string): Generator<Found> {
    const node = nodeAt(this.#root, path, this.#rule);
    if (node !== undefined) for (const child of sortedChildren(node, this.#rule)) yield this.#found(child);
  }

  below(path: string): Iterable<Found> {
    const node = nodeAt(this.#root, path, this.#rule);
    const found: Found[] = [];
    const visit = (at: Node<TreeLayer>) => {
      found.push(this.#found(at));
      if (at.children !== undefined && at.children.size > 0)
        for (const child of sortedChildren(at, this.#rule)) visit(child);
    };
    if (node !== undefined) visit(node);
    return found;
  }

  #found({ entry, source }: Node<TreeLayer>): Found {
    return { entry, source, inode: source };
  }
}

/** A table of its own. */
export class LaidTable implements Laid {
  readonly #table: LayerTable;
  readonly #layers: readonly TreeLayer[];

  constructor(table: LayerTable, layers: readonly TreeLayer[]) {
    this.#table = table;
    this.#layers = layers;
  }

  static async of(layers: readonly TreeLayer[], rule: NameRule | undefined): Promise<LaidTable> {
    const table = new LayerTable(rule);
    for (const layer of layers) table.add(await layer.changes());
    return new LaidTable(table, layers);
  }

  at(path: string): Found | undefined {
    const id = this.#table.find(path);
    return id === undefined ? undefined : this.#found(id);
  }

  *children(path: string): Generator<Found> {
    const id = this.#table.find(path);
    if (id !== undefined) for (const child of this.#table.children(id)) yield this.#found(child);
  }

  *below(path: string): Generator<Found> {
    const top = this.#table.find(path);
    const waiting = top === undefined ? [] : [top];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      yield this.#found(id);
      if (this.#table.isFolder(id)) for (const child of this.#table.children(id).reverse()) waiting.push(child);
    }
  }

  #found(id: number): Found {
    const table = this.#table;
    const state = table.state(id);
    const { entry, path } = table.written(id, state);
    const layer = this.#layers[table.place(state)?.layer ?? -1];
    return { entry, source: layer && { layer, path }, inode: table.inode(state) };
  }
}
