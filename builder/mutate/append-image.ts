/** An image with tars on top, one layer and one line of history each. */
import { compressionOf } from "../../layerfs/layer/compression.ts";
import type { Layer, Platform } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { type Image, mediaTypes } from "../../registry/oci/image.ts";
import { transcodeLayer } from "../image/output/transcode.ts";
import type { NewImage } from "../image/output/write-image.ts";
import { hostPlatform } from "../image/platform.ts";
import { layersOf } from "../image/stored/base-image.ts";
import type { LocalImage } from "../image/stored/local.ts";
import { type AppendOptions, asFiles, asLayer, folderLookUp, type Incoming } from "./append.ts";
import { fullHistory, historyLine } from "./edited.ts";
import { namesOf } from "./heads.ts";

export interface AppendImageOptions extends AppendOptions {
  /** The tars' files go below this folder; absent: they are layers as they are. */
  readonly path?: string;
  /** RFC 3339. */
  readonly created: string;
  /** What history says of a tar. */
  readonly commandOf: (name: string) => string;
  /** Told of each file that Windows' layers cannot hold. */
  readonly onDropped: (dropped: { readonly path: string; readonly reason: string }) => void;
}

/** Each tar lies over those before it. Throws IMG_EDIT, LAYER_*, WIN_*. */
export async function appendIncoming(
  store: Store,
  image: Image,
  incoming: readonly Incoming[],
  options: AppendImageOptions,
): Promise<NewImage> {
  const { config, manifest } = image;
  const layers: Layer[] = layersOf(manifest, config);
  for (const one of incoming) {
    const layer = await layerOf(store, withLayers(image, layers), one, options);
    layers.push(options.compression === undefined ? await readable(store, image, layer) : layer);
  }
  const lines = incoming.map(({ name }) => historyLine(options.commandOf(name), options.created, true));
  return {
    ...(manifest.annotations ? { annotations: manifest.annotations } : {}),
    config: { ...config, created: options.created, history: [...fullHistory(config), ...lines] },
    layers,
  };
}

/** Not every store of Windows' images takes zstd, and Docker's documents have no name for it. */
async function readable(store: Store, { config, manifest }: Image, layer: Layer): Promise<Layer> {
  const takesZstd = config.os !== "windows" && manifest.mediaType !== mediaTypes.dockerManifest;
  if (takesZstd || compressionOf(layer.blob.mediaType) !== "zstd") return layer;
  return transcodeLayer(store, layer, "gzip");
}

async function layerOf(store: Store, below: Image, incoming: Incoming, options: AppendImageOptions): Promise<Layer> {
  const { path, signal } = options;
  if (below.config.os === "windows") {
    if (below.manifest.layers.length === 0)
      throw new WbuildError("IMG_EDIT", "a Windows image begins with a base, which no tar of files is", {
        hint: "name one with --base, such as wbuild.local/windows",
      });
    const { shapedLayer, windowsLayer } = await import("./append-windows.ts");
    return path === undefined
      ? windowsLayer(store, below, incoming, options)
      : shapedLayer(store, below, incoming, path, options);
  }
  if (path === undefined) return asLayer(store, incoming, signal);
  // Nothing of the image is read to put files at its top.
  const lookUp = folderLookUp(await namesOf(store, below, signal));
  return asFiles(store, incoming, cleanFolder(path), { ...options, lookUp });
}

/** `/usr/../app/` → `app`. Nothing climbs out. */
function cleanFolder(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function withLayers(image: Image, layers: readonly Layer[]): Image {
  const diffIds = layers.map(({ diffId }) => diffId);
  return {
    ...image,
    manifest: { ...image.manifest, layers: layers.map(({ blob }) => blob) },
    config: { ...image.config, rootfs: { type: "layers", diff_ids: diffIds } },
  };
}

/** An image without layers, to append to. */
export function nothing(platform: Platform = hostPlatform()): LocalImage {
  const config = { ...platform, config: {}, rootfs: { type: "layers", diff_ids: [] } } as const;
  const empty = { mediaType: mediaTypes.ociConfig, digest: digestOf(new Uint8Array()), size: 0 };
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [] } as const;
  const descriptor = { ...empty, mediaType: mediaTypes.ociManifest, platform };
  const ref = { name: "", descriptor, keeps: [], createdMs: 0, updatedMs: 0 };
  return {
    descriptor,
    manifest,
    config,
    id: empty.digest,
    name: undefined,
    whole: descriptor,
    keeps: [],
    images: [descriptor],
    ref,
  };
}
