/** Stacked layers seen as one tree, from their lists of changes alone; a layer is unpacked only when its bytes are read. */
import type { Change, Content, Entry } from "../layer/entry.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import { noContent, readContent, readInside } from "./content.ts";
import { digestContents } from "./digest-contents.ts";
import { applyChanges, emptyRoot, type NameRule, type Node, nodeAt, sortedChildren } from "./merge.ts";
import type { Tree } from "./tree.ts";
import { resolveUnix } from "./unix-path.ts";
import { resolveInWindowsLayer, windowsNames } from "./windows-path.ts";

export interface TreeLayer {
  readonly diffId?: Digest;
  /** What it does to the layers below; asked for once, at the tree's first use. */
  changes(): Promise<readonly Change[]>;
  /**
   * Its unpacked form in overlayfs form, absolute. Asked for only when content is needed. Of a Windows layer normalised:
   * names there are spelled as the tree spells them (layerfs/windows/unpacked.ts).
   */
  folder(): Promise<string>;
}

/** A stack so far. Stacks that begin with the same layer objects share what was merged of them. */
interface Merged {
  readonly root: Promise<Node<TreeLayer>>;
  readonly above: WeakMap<TreeLayer, Merged>;
}

const newBottom = (): Merged => ({ root: Promise.resolve(emptyRoot()), above: new WeakMap() });
const bottoms = { linux: newBottom(), windows: newBottom() };

function merge(below: Merged, layer: TreeLayer, rule: NameRule | undefined): Merged {
  const known = below.above.get(layer);
  if (known !== undefined) return known;
  const load = async () => {
    const [root, changes] = await Promise.all([below.root, layer.changes()]);
    return applyChanges(root, layer, changes, rule);
  };
  const root = load();
  const merged: Merged = { root, above: new WeakMap() };
  below.above.set(layer, merged);
  // Told to whoever asks, and tried again by the next.
  root.catch(() => below.above.delete(layer));
  return merged;
}

export interface StackOptions {
  /**
   * windows: the tree of Windows layers, as their tars have it (`Files/…`, `Hives/…`). Names are one without case and appear
   * in their first spelling; `stat`, `list`, `walk` and `resolve` take any. Usual: linux.
   */
  readonly names?: "linux" | "windows";
}

/** Layers bottom first. Nothing is loaded before the tree is used; its methods throw what `changes` and `folder` throw. */
export async function stackTree(layers: readonly TreeLayer[], { names = "linux" }: StackOptions = {}): Promise<Tree> {
  return new StackedTree([...layers], names);
}

class StackedTree implements Tree {
  readonly #layers: readonly TreeLayer[];
  readonly #digests = new Map<string, Promise<Digest>>();
  readonly #folders = new Map<TreeLayer, string>();
  readonly #names: "linux" | "windows";
  readonly #rule: NameRule | undefined;
  #root: Promise<Node<TreeLayer>> | undefined;

  constructor(layers: readonly TreeLayer[], names: "linux" | "windows") {
    this.#layers = layers;
    this.#names = names;
    this.#rule = names === "windows" ? windowsNames : undefined;
  }

  #load(): Promise<Node<TreeLayer>> {
    if (this.#root === undefined) {
      let merged = bottoms[this.#names];
      for (const layer of this.#layers) merged = merge(merged, layer, this.#rule);
      this.#root = merged.root;
      this.#root.catch(() => {
        this.#root = undefined;
      });
    }
    return this.#root;
  }

  async resolve(path: string, follow = false): Promise<string | undefined> {
    const root = await this.#load();
    if (this.#rule === undefined) return resolveUnix(async (at) => nodeAt(root, at)?.entry, path, follow);
    return resolveInWindowsLayer(async (at) => nodeAt(root, at, this.#rule)?.entry, path, follow);
  }

  async stat(path: string): Promise<Entry | undefined> {
    const node = nodeAt(await this.#load(), path, this.#rule);
    return node && this.#show(node);
  }

  async list(path: string): Promise<readonly Entry[]> {
    const node = nodeAt(await this.#load(), path, this.#rule);
    return node === undefined ? [] : sortedChildren(node, this.#rule).map((child) => this.#show(child));
  }

  async walk(path: string): Promise<readonly Entry[]> {
    const node = nodeAt(await this.#load(), path, this.#rule);
    const found: Entry[] = [];
    const visit = (at: Node<TreeLayer>) => {
      found.push(this.#show(at));
      if (at.children !== undefined && at.children.size > 0)
        for (const child of sortedChildren(at, this.#rule)) visit(child);
    };
    if (node !== undefined) visit(node);
    return found;
  }

  /** The entry with a way to its bytes: a file where the layer's folder is known, else a promise of one. */
  #show(node: Node<TreeLayer>): Entry {
    const { entry, source } = node;
    if (entry.type !== "file" || source === undefined) return entry;
    // A layer of this build tells where its bytes are.
    if (entry.content !== undefined) return { ...entry, inode: source };
    const folder = this.#folders.get(source.layer);
    if (folder !== undefined)
      return { ...entry, inode: source, content: { kind: "file", path: `${folder}/${source.path}` } };
    const content: Content = {
      kind: "stream",
      open: () => this.#open(entry, source.layer, source.path),
      file: async () => `${await this.#folder(source.layer)}/${source.path}`,
    };
    return { ...entry, inode: source, content };
  }

  async *#open(entry: Entry, layer: TreeLayer, path: string): AsyncIterable<Uint8Array> {
    yield* readInside(entry, await this.#folder(layer), path);
  }

  async #folder(layer: TreeLayer): Promise<string> {
    const folder = this.#folders.get(layer) ?? (await layer.folder());
    this.#folders.set(layer, folder);
    return folder;
  }

  async digest(entry: Entry): Promise<Digest> {
    if (entry.digest !== undefined) return entry.digest;
    let digest = this.#digests.get(entry.path);
    if (digest === undefined) {
      digest = this.#hash(entry);
      this.#digests.set(entry.path, digest);
      digest.catch(() => this.#digests.delete(entry.path));
    }
    return digest;
  }

  async #hash(entry: Entry): Promise<Digest> {
    const { content } = (await this.stat(entry.path)) ?? entry;
    if (entry.type !== "file" || content === undefined) throw noContent(entry);
    if (content.kind === "bytes") return digestOf(content.bytes);
    const path = content.kind === "file" ? content.path : await content.file?.();
    if (path === undefined) throw noContent(entry);
    const [digest] = await digestContents([{ ...entry, content: { kind: "file", path } }]);
    if (digest === undefined) throw noContent(entry);
    return digest;
  }

  async *read(entry: Entry): AsyncIterable<Uint8Array> {
    const content = entry.content ?? (await this.stat(entry.path))?.content;
    if (entry.type !== "file" || content === undefined) throw noContent(entry);
    yield* readContent(entry, content);
  }
}
