/**
 * Files that an image's own layers have, or take away, and that the new base has otherwise than the old one: the image's
 * were made from the old base's, and now hide what the new base brings (a package list, a patched library).
 */
import { createHash } from "node:crypto";
import { ChangeList, type Changes } from "../../layerfs/layer/change-list.ts";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { openIndex } from "../../layerfs/layer/layer-index.ts";
import { readLayer } from "../../layerfs/layer/read.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { stackTree } from "../../layerfs/tree/stacked.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import type { Image } from "../../registry/oci/image.ts";
import { layersOf } from "../image/stored/base-image.ts";
import { blobOf, scratchFile } from "./heads.ts";

export interface Conflict {
  readonly path: string;
  /** What the new base did with what the old one had there. */
  readonly base: "changed" | "removed" | "added";
  /** What the image's own layers do. */
  readonly image: "replaced" | "deleted";
}

/** `result` is the image on the new base. */
export interface Rebased {
  readonly image: Image;
  readonly old: Image;
  readonly result: Image;
}

export interface ConflictOptions {
  /** Bytes of layers, compressed, that may be read for it where no index tells what they hold. */
  readonly mayRead: number;
  readonly signal: AbortSignal;
}

/** More would help nobody. */
const maxConflicts = 10_000;

/** In the order of their paths. Undefined: the store lacks layers, or has no index of them and they are too large to read. */
export async function findConflicts(
  store: Store,
  { image, old, result }: Rebased,
  { mayRead, signal }: ConflictOptions,
): Promise<readonly Conflict[] | undefined> {
  const all = layersOf(image.manifest, image.config);
  const keep = old.manifest.layers.length;
  const own = all.slice(keep);
  const next = layersOf(result.manifest, result.config).slice(0, result.manifest.layers.length - own.length);
  const reader = new Reader(store, mayRead, signal);
  const names = image.config.os === "windows" ? "windows" : "linux";
  const changes: Changes[] = [];
  // The small ones first: most images need not look at their bases.
  for (const layer of own) {
    const found = await reader.changes(layer);
    if (!found) return undefined;
    changes.push(found);
  }
  for (const layer of [...all.slice(0, keep), ...next]) if (!(await reader.changes(layer))) return undefined;
  const treeOf = (layers: readonly Layer[]) =>
    stackTree(
      layers.map((layer) => ({
        changes: async () => (await reader.changes(layer)) ?? [],
        folder: () => Promise.reject(new TypeError("a tree of names has no files")),
      })),
      { names, once: true },
    );
  const [before, now] = [await treeOf(all.slice(0, keep)), await treeOf(next)];
  const found = new Map<string, Conflict>();
  for (const change of each(changes)) {
    const path = change.kind === "set" ? change.entry.path : change.path;
    // The registry is merged value by value, and judged so.
    if (names === "windows" && /^hives(?:\/|$)/i.test(path)) continue;
    if (change.kind === "set") {
      const conflict = await atEntry(change.entry, before, now);
      if (conflict) found.set(path, conflict);
    } else
      for (const conflict of await below(path, change.kind === "clear", before, now))
        if (!found.has(conflict.path)) found.set(conflict.path, conflict);
    if (found.size >= maxConflicts) break;
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function* each(layers: readonly Changes[]): Generator<Change> {
  for (const changes of layers) yield* changes;
}

async function atEntry(entry: Entry, before: Tree, now: Tree): Promise<Conflict | undefined> {
  const [was, is] = [await before.stat(entry.path), await now.stat(entry.path)];
  // Layers repeat the folders above what they set. That matters only where the base has something else there by now, such
  // as a link in place of /lib: the folder hides it with all that it leads to.
  if (entry.type === "directory" && (is === undefined || is.type === "directory")) return undefined;
  if (isSame(was, is) || isSame(entry, is)) return undefined;
  const base = was === undefined ? "added" : is === undefined ? "removed" : "changed";
  return { path: entry.path, base, image: "replaced" };
}

/** What the image took away, and the new base has anew: a path with all below it, or all below it alone. */
async function below(path: string, isOpaque: boolean, before: Tree, now: Tree): Promise<Conflict[]> {
  const found: Conflict[] = [];
  for (const is of await now.walk(path)) {
    if (is.type === "directory" || (isOpaque && is.path === path)) continue;
    const was = await before.stat(is.path);
    if (!isSame(was, is))
      found.push({ path: is.path, base: was === undefined ? "added" : "changed", image: "deleted" });
    if (found.length >= maxConflicts) break;
  }
  return found;
}

/** By content; by size and time where nobody hashed it. */
function isSame(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.type !== b.type || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.type === "directory") return true;
  if (a.size !== b.size || a.target !== b.target) return false;
  if (a.type !== "file") return a.device?.major === b.device?.major && a.device?.minor === b.device?.minor;
  return a.digest !== undefined && b.digest !== undefined ? a.digest === b.digest : a.mtimeNs === b.mtimeNs;
}

/** The changes of layers, by their index or by reading them, each once. */
class Reader {
  readonly #store: Store;
  readonly #signal: AbortSignal;
  readonly #known = new Map<string, Changes | undefined>();
  #left: number;

  constructor(store: Store, mayRead: number, signal: AbortSignal) {
    this.#store = store;
    this.#left = mayRead;
    this.#signal = signal;
  }

  async changes(layer: Layer): Promise<Changes | undefined> {
    if (!this.#known.has(layer.diffId)) this.#known.set(layer.diffId, await this.#read(layer));
    return this.#known.get(layer.diffId);
  }

  async #read(layer: Layer): Promise<Changes | undefined> {
    const { blob } = layer;
    const index = this.#store.layers.openIndex(layer.diffId);
    if (index !== undefined) return openIndex(index);
    if (blob.size > this.#left || (await this.#store.blobs.has(blob.digest)) !== blob.size) return undefined;
    this.#left -= blob.size;
    const changes = new ChangeList(await scratchFile(this.#store));
    for await (const change of readLayer(blobOf(this.#store, layer, this.#signal)))
      changes.add(change.kind === "set" ? { kind: "set", entry: await hashed(change.entry) } : change);
    return changes;
  }
}

/** The entry with its digest in place of its content. Times alone would call each file of a base that was built anew changed. */
async function hashed({ content, ...entry }: Entry): Promise<Entry> {
  if (content?.kind !== "stream") return entry;
  const hash = createHash("sha256");
  for await (const part of content.open()) hash.update(part);
  return { ...entry, digest: `sha256:${hash.digest("hex")}` };
}
