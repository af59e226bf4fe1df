/** Images between the store and archives or layout folders, with their names: what `save` and `load` do. */
import { stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import { decompressStream } from "../../../layerfs/layer/compress.ts";
import type { Descriptor, Platform } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import { loadArchive } from "../../../registry/archive/load.ts";
import { saveImages } from "../../../registry/archive/save.ts";
import { isIndexType } from "../../../registry/oci/schema.ts";
import { transcodeLayer } from "../output/transcode.ts";
import { choosePlatform, chooseUsual } from "../platform.ts";
import { layersOf } from "../stored/base-image.ts";
import { everyImage, findImage, type LocalImage, shortName, untaggedName } from "../stored/local.ts";
import { imagesIn, keepsOf, noSuchPlatform, readConfig, readIndex, readManifest } from "../stored/stored-image.ts";

export type SaveTo = {
  readonly format: "oci" | "docker";
  /** Of an index this image alone; absent: an OCI archive holds all of them, a docker archive the one that runs here. */
  readonly platform?: Platform;
  /** Makes images whole whose layers were left in a registry. */
  readonly bring?: (images: readonly LocalImage[]) => Promise<void>;
} & ({ readonly stream: Writable } | { readonly path: string });

/**
 * Writes the images with the names they were asked for by (all but IDs). A path that ends in / or is a folder gets a layout,
 * any other a tar. Throws IMG_NOT_FOUND, IMG_PLATFORM, REG_ARCHIVE_*.
 */
export async function saveLocal(store: Store, texts: readonly string[], to: SaveTo): Promise<void> {
  const found = await Promise.all(texts.map((text) => findImage(store, text, to.platform)));
  const images = new Map<Digest, { descriptor: (typeof found)[number]["descriptor"]; refs: string[] }>();
  for (const { whole: descriptor, name } of found) {
    const image = images.get(descriptor.digest) ?? { descriptor, refs: [] };
    images.set(descriptor.digest, image);
    if (name !== undefined && !image.refs.includes(name)) image.refs.push(name);
  }
  const each = (await Promise.all(found.map((image) => everyImage(store, image)))).flat();
  // Of an index a docker archive holds one image alone, the one that was found.
  await to.bring?.(to.format === "docker" ? found : each);
  const diffIds = new Map(
    each.flatMap(({ manifest, config }) => layersOf(manifest, config)).map((layer) => [layer.blob.digest, layer]),
  );
  const isFolder = "path" in to && (to.path.endsWith("/") || (await isDirectory(to.path)));
  const target = "path" in to ? { path: to.path } : { stream: to.stream };
  await saveImages(
    [...images.values()],
    store.blobs,
    { to: target, format: to.format, tar: !isFolder },
    {
      choose: chooseUsual,
      transcodeLayer: async (blob) => {
        const layer = diffIds.get(blob.digest);
        if (!layer) throw new Error(`a layer that belongs to no image: ${blob.digest}`);
        const made = await transcodeLayer(store, layer, "gzip");
        return { descriptor: made.blob, bytes: store.blobs.open(made.blob) };
      },
    },
  );
}

export interface Loaded {
  /** Image ID; of what is left out the manifest's digest. */
  readonly id: Digest;
  /** As people type them. */
  readonly names: readonly string[];
  /** Only of what is left out because it is no image: SBOMs and signatures beside one. */
  readonly artifactType?: string;
}

/**
 * Takes all images of an archive into the store. `from` is a path of a tar or folder, or a stream of a tar. An index stays
 * one when the archive has all that it names; of any other, and where `platform` is given, one image is taken. Artifacts are
 * left out, and told. Throws REG_ARCHIVE where there is nothing else, and what loadArchive throws.
 */
export async function loadLocal(
  store: Store,
  from: string | AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  platform?: Platform,
): Promise<Loaded[]> {
  const source = typeof from === "string" ? { path: from } : { stream: until(from, signal) };
  const images = await loadArchive(source, store.blobs, {
    decompress: (bytes) => decompressStream(bytes),
    compress: async (layer) => (await transcodeLayer(store, layer, "gzip")).blob,
  });
  const loaded: Loaded[] = [];
  const [first] = images;
  if (first?.artifactType !== undefined && images.every(({ artifactType }) => artifactType !== undefined))
    throw new WbuildError("REG_ARCHIVE", `the archive has no container image but ${first.artifactType.slice(0, 100)}`, {
      hint: "`wbuild copy` takes artifacts from place to place as they are",
    });
  for (const image of images) {
    signal.throwIfAborted();
    const { refs, artifactType } = image;
    if (artifactType !== undefined) {
      loaded.push({ id: image.descriptor.digest, names: [], artifactType });
      continue;
    }
    const descriptor = await toKeep(store, image.descriptor, platform);
    const each = await imagesIn(store, descriptor);
    let id = descriptor.digest;
    for (const one of each) {
      const manifest = await readManifest(store, one);
      layersOf(manifest, await readConfig(store, manifest.config));
      if (each.length === 1) id = manifest.config.digest;
    }
    const keeps = await keepsOf(store, descriptor);
    for (const name of refs.length > 0 ? refs : [untaggedName(descriptor.digest)])
      store.refs.set(name, descriptor, keeps);
    const names = refs.map((name) => shortName(name)).filter((name) => name !== undefined);
    loaded.push({ id, names });
  }
  return loaded;
}

/** The descriptor as it is, or one image of it. Throws IMG_PLATFORM. */
async function toKeep(store: Store, descriptor: Descriptor, platform: Platform | undefined): Promise<Descriptor> {
  const images = await imagesIn(store, descriptor);
  if (platform !== undefined) {
    const chosen = choosePlatform(images, platform);
    if (chosen) return chosen;
    throw noSuchPlatform("the archive's image", platform, images);
  }
  if (!isIndexType(descriptor.mediaType) || (await isWhole(store, descriptor))) return descriptor;
  const chosen = chooseUsual(images) ?? images[0];
  if (chosen) return chosen;
  throw new WbuildError("REG_ARCHIVE", "the archive's index has no image in it");
}

/** Does the store have all that an index names? Other tools leave out images of platforms that nobody asked for. */
async function isWhole(store: Store, index: Descriptor): Promise<boolean> {
  for (const child of (await readIndex(store, index)).manifests) {
    if ((await store.blobs.has(child.digest)) !== child.size) return false;
    for (const digest of await keepsOf(store, child)) if ((await store.blobs.has(digest)) === undefined) return false;
  }
  return true;
}

async function* until(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const part of bytes) {
    signal.throwIfAborted();
    yield part;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
