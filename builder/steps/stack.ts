/**
 * LayerStack: layers on top of each other while a build is going on. A layer may still be being written, or may never
 * have been unpacked, or even fetched: each of its forms (blob, list of changes, folder) is made when somebody asks.
 */
import type { Changes } from "../../layerfs/layer/change-list.ts";
import type { Change } from "../../layerfs/layer/entry.ts";
import { decodeIndex, openIndex } from "../../layerfs/layer/layer-index.ts";
import { type LayerSource, type UnpackedLayer, unpackLayer } from "../../layerfs/layer/unpack.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { ReservedSnapshot } from "../../layerfs/store/snapshots.ts";
import type { BlobSource } from "../../layerfs/store/sources.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { stackTree } from "../../layerfs/tree/stacked.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { normalizeUnpacked } from "../../layerfs/windows/unpacked.ts";

/** Where a layer's blob comes from when the store may not have it. */
export interface RemoteBlob {
  /** Full reference of an image of a registry that has the blob: who pushes to that registry can have it mounted. */
  readonly reference?: string;
  /** Brings the blob into the store unless it is there. */
  fetch(): Promise<void>;
  /**
   * Where it can be had also when the build is over: what the store may note, so that an image can do without the blob until
   * somebody needs it. A cache is asked whether it has the blob now, once. Undefined, or absent: nowhere.
   */
  lasting?(): Promise<BlobSource | undefined>;
  /** Its bytes, for who sends them on and keeps nothing: the last of them come only when they are what was promised. */
  pass?(): AsyncIterable<Uint8Array>;
  /** Asks whether it could be brought. Throws what `fetch` would. Absent: who named the layer vouches for it. */
  check?(): Promise<void>;
}

export interface StackLayer {
  /** The layer once its blob is durable: in the store, or where `remote` has it. */
  readonly committed: Promise<Layer>;
  /** Absent when the blob is in the store, or will be. */
  readonly remote?: RemoteBlob;
  /** What it does to the layers below. */
  changes(): Promise<readonly Change[]>;
  /** The same for those who go through them once: each is decoded as it passes. Absent: as `changes`. */
  passing?(): Promise<Changes>;
  /** Its unpacked form, absolute, in overlayfs form. Valid until the store's lease ends. */
  folder(): Promise<string>;
}

export class LayerStack {
  /** The image's system: a Windows stack has layers of Windows' shape, and names without case. */
  readonly os: string;
  /** Bottom first. */
  readonly layers: readonly StackLayer[];
  readonly #once: boolean;
  #tree: Promise<Tree> | undefined;
  #folders: Promise<readonly string[]> | undefined;

  private constructor(os: string, layers: readonly StackLayer[], once: boolean) {
    this.os = os;
    this.layers = layers;
    this.#once = once;
  }

  /** A stack without layers. `once`: nobody builds on it, so its tree may share nothing with others' and take less memory. */
  static of(os: string, { once = false }: { readonly once?: boolean } = {}): LayerStack {
    return new LayerStack(os, [], once);
  }

  with(layer: StackLayer): LayerStack {
    return new LayerStack(this.os, [...this.layers, layer], this.#once);
  }

  /** Chain ID (OCI image configuration, "Layer ChainID"); undefined for no layers. Waits until every layer is durable. */
  async chainId(store: Store): Promise<Digest | undefined> {
    let chain: Digest | undefined;
    for (const layer of this.layers) chain = store.snapshots.chainId(chain, (await layer.committed).diffId);
    return chain;
  }

  /**
   * Unpacked folders, bottom first. All layers come at once; each is unpacked when those below it are, to which its links
   * and folders may refer. Nothing is at work any more when this rejects, with the first failure.
   */
  folders(): Promise<readonly string[]> {
    this.#folders ??= this.#unpacked();
    return this.#folders;
  }

  async #unpacked(): Promise<readonly string[]> {
    const folders = this.layers.map((layer) => layer.folder());
    try {
      return await Promise.all(folders);
    } finally {
      await Promise.allSettled(folders);
    }
  }

  /** The layers seen as one tree, without mounting them; of Windows layers as their tars have it, C: is below `Files`. */
  tree(): Promise<Tree> {
    const names = this.os === "windows" ? "windows" : "linux";
    const once = this.#once;
    const layers = once
      ? this.layers.map((layer) => ({
          changes: () => layer.passing?.() ?? layer.changes(),
          folder: () => layer.folder(),
        }))
      : this.layers;
    const tree = this.#tree ?? stackTree(layers, { names, once });
    this.#tree = tree;
    return tree;
  }
}

/**
 * A layer that is known by name: its blob lies in the store or `remote` brings it there, when somebody needs its files.
 * Throws what `remote` throws, and LAYER_* when the blob is no sound layer.
 */
export function storedLayer(store: Store, below: LayerStack, layer: Layer, remote?: RemoteBlob): StackLayer {
  let unpacking: Promise<string> | undefined;
  let reading: Promise<readonly Change[]> | undefined;
  const unpack = async () => {
    const parent = await below.chainId(store);
    const chain = store.snapshots.chainId(parent, layer.diffId);
    const found = store.snapshots.find(chain);
    if (found) return found.folder;
    const coming = remote?.fetch();
    // Told below, in its turn.
    coming?.catch(() => {});
    const lower = (await below.folders()).toReversed();
    await using made = await unpackComing(store, layer, lower, coming);
    const { place, unpacked } = made;
    if (below.os === "windows") {
      // Before anybody sees the folder: the tree finds files by the spelling of the layers below.
      await normalizeUnpacked(place.folder, decodeIndex(unpacked.index), await below.tree());
    }
    store.layers.record(layer, { uncompressedSize: unpacked.uncompressedSize, index: unpacked.index });
    return place.commit(chain, layer.diffId, parent);
  };
  const unpackOnce = () => {
    unpacking ??= unpack();
    return unpacking;
  };
  const read = async () => {
    const known = await store.layers.index(layer.diffId);
    if (known) return known;
    await unpackOnce();
    const now = await store.layers.index(layer.diffId);
    // The folder was there but its index is not: an index is rebuilt only by reading the layer again.
    return now ?? rebuildIndex(store, layer, remote);
  };
  const pass = async () => {
    if (store.layers.openIndex(layer.diffId) === undefined) await read();
    const now = store.layers.openIndex(layer.diffId);
    return now === undefined ? decodeIndex(await read()) : openIndex(now);
  };
  return {
    committed: Promise.resolve(layer),
    ...(remote === undefined ? {} : { remote }),
    folder: unpackOnce,
    changes: () => {
      reading ??= read().then(decodeIndex);
      return reading;
    },
    passing: pass,
  };
}

interface Made extends AsyncDisposable {
  readonly place: ReservedSnapshot;
  readonly unpacked: UnpackedLayer;
}

/** Unpacks a blob of the store, or one that `coming` brings there while it comes. Throws what `coming` throws, and LAYER_*. */
async function unpackComing(
  store: Store,
  { blob, diffId }: Layer,
  lower: readonly string[],
  coming: Promise<void> | undefined,
): Promise<Made> {
  const unpack = async (source: LayerSource): Promise<Made> => {
    const place = await store.snapshots.reserve();
    const end = () => place[Symbol.asyncDispose]();
    try {
      const unpacked = await unpackLayer(source, place.folder, { expect: { diffId }, form: "overlay", lower });
      return { place, unpacked, [Symbol.asyncDispose]: end };
    } catch (error) {
      await end();
      throw error;
    }
  };
  const bytes = coming && (await store.blobs.follow(blob.digest, coming));
  // A transfer that broke off or began anew is no layer to its reader; what the whole blob is, it says itself below.
  const early = bytes && (await unpack({ bytes }).catch(() => undefined));
  try {
    // Only now the bytes are known to be the blob's.
    await coming;
  } catch (error) {
    await early?.[Symbol.asyncDispose]();
    throw error;
  }
  return early ?? unpack({ path: store.blobs.path(blob.digest) });
}

async function rebuildIndex(store: Store, layer: Layer, remote: RemoteBlob | undefined): Promise<Uint8Array> {
  await remote?.fetch();
  await using place = await store.snapshots.reserve();
  const blob = { path: store.blobs.path(layer.blob.digest) };
  const unpacked = await unpackLayer(blob, place.folder, { expect: { diffId: layer.diffId }, form: "overlay" });
  store.layers.record(layer, { uncompressedSize: unpacked.uncompressedSize, index: unpacked.index });
  return unpacked.index;
}
