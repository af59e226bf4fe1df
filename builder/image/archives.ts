/** Images between the store and archives or layout folders, with their names: what `save` and `load` do. */
import { stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import { decompressStream } from "../../layerfs/layer/compress.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { loadArchive } from "../../registry/archive/load.ts";
import { saveImages } from "../../registry/archive/save.ts";
import { layersOf, readConfig, readManifest } from "./base-image.ts";
import { findImage, shortName, untaggedName } from "./local.ts";
import { chooseUsual } from "./platform.ts";
import { transcodeLayer } from "./transcode.ts";

export type SaveTo = { readonly format: "oci" | "docker" } & (
  | { readonly stream: Writable }
  | { readonly path: string }
);

/**
 * Writes the images with the names they were asked for by (all but IDs). A path that ends in / or is a folder gets a layout,
 * any other a tar. Throws IMG_NOT_FOUND, REG_ARCHIVE_*.
 */
export async function saveLocal(store: Store, texts: readonly string[], to: SaveTo): Promise<void> {
  const found = await Promise.all(texts.map((text) => findImage(store, text)));
  const images = new Map<Digest, { descriptor: (typeof found)[number]["descriptor"]; refs: string[] }>();
  for (const { descriptor, name } of found) {
    const image = images.get(descriptor.digest) ?? { descriptor, refs: [] };
    images.set(descriptor.digest, image);
    if (name !== undefined && !image.refs.includes(name)) image.refs.push(name);
  }
  const diffIds = new Map(
    found.flatMap(({ manifest, config }) => layersOf(manifest, config)).map((layer) => [layer.blob.digest, layer]),
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
  /** Image ID. */
  readonly id: Digest;
  /** As people type them. */
  readonly names: readonly string[];
}

/** Takes all images of an archive into the store. `from` is a path of a tar or folder, or a stream of a tar. */
export async function loadLocal(
  store: Store,
  from: string | AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Loaded[]> {
  const source = typeof from === "string" ? { path: from } : { stream: until(from, signal) };
  const images = await loadArchive(source, store.blobs, {
    decompress: (bytes) => decompressStream(bytes),
    choose: chooseUsual,
  });
  const loaded: Loaded[] = [];
  for (const { descriptor, refs } of images) {
    signal.throwIfAborted();
    const manifest = await readManifest(store, descriptor);
    layersOf(manifest, await readConfig(store, manifest.config));
    const keeps = [manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)];
    for (const name of refs.length > 0 ? refs : [untaggedName(descriptor.digest)])
      store.refs.set(name, descriptor, keeps);
    const names = refs.map((name) => shortName(name)).filter((name) => name !== undefined);
    loaded.push({ id: manifest.config.digest, names });
  }
  return loaded;
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
