/** Stacked layers seen as one tree, from their lists of changes alone; a layer is unpacked only when its bytes are read. */
import type { Content, Entry } from "../layer/entry.ts";
import { type Digest, digestOf } from "../store/digest.ts";
import { noContent, readContent, readInside } from "./content.ts";
import { digestContents } from "./digest-contents.ts";
import { type Found, type Laid, LaidNodes, LaidTable, type TreeLayer } from "./laid.ts";
import { applyChanges, emptyRoot, type NameRule, type Node } from "./merge.ts";
import type { Tree } from "./tree.ts";
import { resolveUnix } from "./unix-path.ts";
import { resolveInWindowsLayer, windowsNames } from "./windows-path.ts";

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
  /** Looked at once: made anew, as a table, which takes a third of the memory. Usual: shares its lower layers with other stacks. */
  readonly once?: boolean;
}

/** Layers bottom first. Nothing is loaded before the tree is used; its methods throw what `changes` and `folder` throw. */
export async function stackTree(layers: readonly TreeLayer[], options: StackOptions = {}): Promise<Tree> {
  return new StackedTree([...layers], options);
}

class StackedTree implements Tree {
  readonly #layers: readonly TreeLayer[];
  readonly #digests = new Map<string, Promise<Digest>>();
  readonly #folders = new Map<TreeLayer, string>();
  readonly #names: "linux" | "windows";
  readonly #rule: NameRule | undefined;
  readonly #once: boolean;
  #laid: Promise<Laid> | undefined;

  constructor(layers: readonly TreeLayer[], { names = "linux", once = false }: StackOptions) {
    this.#layers = layers;
    this.#names = names;
    this.#rule = names === "windows" ? windowsNames : undefined;
    this.#once = once;
  }

  #load(): Promise<Laid> {
    if (this.#laid === undefined) {
      this.#laid = this.#once ? LaidTable.of(this.#layers, this.#rule) : this.#share();
      this.#laid.catch(() => {
        this.#laid = undefined;
      });
    }
    return this.#laid;
  }

  async #share(): Promise<Laid> {
    let merged = bottoms[this.#names];
    for (const layer of this.#layers) merged = merge(merged, layer, this.#rule);
    return new LaidNodes(await merged.root, this.#rule);
  }

  async resolve(path: string, follow = false): Promise<string | undefined> {
    const laid = await this.#load();
    const entryAt = async (at: string) => laid.at(at)?.entry;
    return this.#rule === undefined ? resolveUnix(entryAt, path, follow) : resolveInWindowsLayer(entryAt, path, follow);
  }

  async stat(path: string): Promise<Entry | undefined> {
    const found = (await this.#load()).at(path);
    return found && this.#show(found);
  }

  async list(path: string): Promise<readonly Entry[]> {
    return [...(await this.#load()).children(path)].map((found) => this.#show(found));
  }

  async walk(path: string): Promise<readonly Entry[]> {
    return [...(await this.each(path))];
  }

  async each(path: string): Promise<Iterable<Entry>> {
    return this.#shown((await this.#load()).below(path));
  }

  *#shown(all: Iterable<Found>): Generator<Entry> {
    for (const found of all) yield this.#show(found);
  }

  /** The entry with a way to its bytes: a file where the layer's folder is known, else a promise of one. */
  #show({ entry, source, inode: own }: Found): Entry {
    if (entry.type !== "file" || source === undefined) return entry;
    const inode = own === undefined ? {} : { inode: own };
    // A layer of this build tells where its bytes are.
    if (entry.content !== undefined) return { ...entry, ...inode };
    const folder = this.#folders.get(source.layer);
    if (folder !== undefined)
      return { ...entry, ...inode, content: { kind: "file", path: `${folder}/${source.path}` } };
    const content: Content = {
      kind: "stream",
      open: () => this.#open(entry, source.layer, source.path),
      file: async () => `${await this.#folder(source.layer)}/${source.path}`,
    };
    return { ...entry, ...inode, content };
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
    if (this.#once) return this.#hash(entry);
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
