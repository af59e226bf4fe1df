/**
 * The paths of an image's layers so far, found without case. Each node knows which layer said it last, so that one tree
 * answers for the layer that is being read and for all below it. Memory is bounded by a budget, not by the tar.
 */
import { foldPath } from "../names.ts";

export type Kind = "directory" | "file" | "link";

export interface PathNode {
  /** As the first entry of it spelled it. */
  name: string;
  /** Undefined for a directory that no layer has an entry for. */
  kind?: Kind;
  /** The layer that set it last; 0 for none. */
  layer: number;
  /** The layer that last deleted it; 0 for none. */
  hiddenBy: number;
  /** What the descriptor of a directory is: none, the one that builders give to everything, or one of its own. */
  described?: "none" | "stock" | "own";
  children?: Map<string, PathNode>;
}

/** Rough bytes of a node beside its name. */
const nodeCost = 160;

export class PathTree {
  readonly #root: PathNode = { name: "", kind: "directory", layer: 0, hiddenBy: 0 };
  #budget: number;
  /** Directories that became something else, and what was deleted, in the layer that is being read. */
  #gone: { readonly parent: PathNode; readonly key: string }[] = [];
  #replaced: PathNode[] = [];

  constructor(budgetBytes: number) {
    this.#budget = budgetBytes;
  }

  /** The nodes on the way, as far as there are any; the last one is the path's own when their numbers are equal. */
  walk(parts: readonly string[]): PathNode[] {
    const nodes: PathNode[] = [];
    let node: PathNode | undefined = this.#root;
    for (const part of parts) {
      node = node?.children?.get(foldPath(part));
      if (node === undefined) break;
      nodes.push(node);
    }
    return nodes;
  }

  find(parts: readonly string[]): PathNode | undefined {
    const nodes = this.walk(parts);
    return nodes.length === parts.length ? nodes.at(-1) : undefined;
  }

  /** The path is there now. False when the budget is spent. */
  set(parts: readonly string[], kind: Kind, layer: number): boolean {
    const node = this.#make(parts);
    if (node === undefined) return false;
    if (node.kind === undefined) node.name = parts.at(-1) ?? "";
    if (node.kind === "directory" && kind !== "directory") this.#replaced.push(node);
    node.kind = kind;
    node.layer = layer;
    return true;
  }

  /** The path is deleted by this layer; it goes when the layer ends, unless the layer brings it as well. */
  hide(parts: readonly string[], layer: number): boolean {
    const node = this.#make(parts);
    const parent = parts.length < 2 ? this.#root : this.find(parts.slice(0, -1));
    if (node === undefined || parent === undefined) return false;
    node.hiddenBy = layer;
    this.#gone.push({ parent, key: foldPath(parts.at(-1) ?? "") });
    return true;
  }

  /** The layer has been read: what it deleted and replaced is gone for those above. */
  endLayer(layer: number): void {
    for (const { parent, key } of this.#gone) {
      const node = parent.children?.get(key);
      if (node !== undefined && this.#prune(node, layer)) this.#remove(parent, key, node);
    }
    for (const node of this.#replaced)
      for (const [key, child] of node.children ?? []) if (this.#prune(child, layer)) this.#remove(node, key, child);
    this.#gone = [];
    this.#replaced = [];
  }

  /** Takes away what other layers brought below. True when nothing of this layer is left. */
  #prune(top: PathNode, layer: number): boolean {
    // In the order of a walk, parents first; paths are too deep for recursion.
    const walked: { readonly node: PathNode; readonly parent: PathNode; readonly key: string }[] = [];
    const waiting: PathNode[] = [top];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      for (const [key, child] of node.children ?? []) {
        walked.push({ node: child, parent: node, key });
        waiting.push(child);
      }
    }
    const isEmpty = (node: PathNode) => node.layer !== layer && (node.children?.size ?? 0) === 0;
    for (let at = walked.length - 1; at >= 0; at--) {
      const { node, parent, key } = walked[at] as (typeof walked)[number];
      if (isEmpty(node)) this.#remove(parent, key, node);
      else if (node.layer !== layer) forget(node);
    }
    if (isEmpty(top)) return true;
    if (top.layer !== layer) forget(top);
    return false;
  }

  #remove(parent: PathNode, key: string, { name }: PathNode): void {
    if (parent.children?.delete(key)) this.#budget += nodeCost + 2 * name.length;
  }

  #make(parts: readonly string[]): PathNode | undefined {
    let node = this.#root;
    for (const part of parts) {
      const key = foldPath(part);
      let next = node.children?.get(key);
      if (next === undefined) {
        this.#budget -= nodeCost + 2 * part.length;
        if (this.#budget < 0) return undefined;
        next = { name: part, layer: 0, hiddenBy: 0 };
        node.children ??= new Map();
        node.children.set(key, next);
      }
      node = next;
    }
    return node;
  }
}

/** The way to something that is there; itself no longer. */
function forget(node: PathNode): void {
  delete node.kind;
  delete node.described;
}
