/** `flatten` and `squash`: layers of an image as one. Streams: each blob is read twice, nothing is unpacked. */
import { compressionOf } from "../../layerfs/layer/compression.ts";
import type { Change } from "../../layerfs/layer/entry.ts";
import { readLayer } from "../../layerfs/layer/read.ts";
import { writeLayer } from "../../layerfs/layer/write.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { type Image, isForeign, mediaTypes } from "../../registry/oci/image.ts";
import type { NewImage } from "../image/output/write-image.ts";
import { layersOf } from "../image/stored/base-image.ts";
import { fullHistory, historyLine } from "./edited.ts";
import { blobOf, type Heads, readHeads } from "./heads.ts";
import { type MergePlan, planMerge } from "./merge-plan.ts";
import { passingFiles } from "./passing.ts";

export interface FlattenOptions {
  /** Layers that stay as they are, counted from the lowest. */
  readonly keep: number;
  /** Usual: that of the highest layer. */
  readonly compression?: "zstd" | "gzip" | "none";
  /** RFC 3339. */
  readonly created: string;
  /** What history says was done. */
  readonly command: string;
  readonly signal: AbortSignal;
}

/**
 * The image with all layers above the kept ones as one, in which nothing is hidden any more. Deterministic: the same layers
 * give the same bytes. The lines of history stay, without layers. Of Windows images the registry is merged too
 * (flat-hives.ts). Throws IMG_EDIT for nothing to merge and for foreign layers, IMG_INCOMPLETE, LAYER_*.
 */
export async function flattenImage(store: Store, image: Image, options: FlattenOptions): Promise<NewImage> {
  const layers = layersOf(image.manifest, image.config);
  const { keep } = options;
  if (keep >= layers.length)
    throw new WbuildError("IMG_EDIT", `the image has ${layers.length} layers: there is nothing above layer ${keep}`, {
      facts: { layers: layers.length, keep },
    });
  for (const { blob } of layers.slice(keep)) if (isForeign(blob)) throw foreign();
  const layer = await mergeLayers(store, image, layers, options);
  const { config } = image;
  return {
    ...(image.manifest.annotations ? { annotations: image.manifest.annotations } : {}),
    config: {
      ...config,
      created: options.created,
      history: [
        ...withoutLayers(fullHistory(config), keep),
        {
          ...historyLine(options.command, options.created, true),
          comment: `wbuild: ${layers.length - keep} layers as one`,
        },
      ],
    },
    layers: [...layers.slice(0, keep), layer],
  };
}

/** The lines behind those of the kept layers lose theirs. */
function withoutLayers(history: ReturnType<typeof fullHistory>, keep: number) {
  let passed = 0;
  return history.map((line) => {
    if (line.empty_layer === true || passed++ < keep) return line;
    return { ...line, empty_layer: true };
  });
}

async function mergeLayers(
  store: Store,
  image: Image,
  layers: readonly Layer[],
  { keep, compression, signal }: FlattenOptions,
): Promise<Layer> {
  const isWindows = image.config.os === "windows";
  const windows = isWindows ? await import("./flat-hives.ts") : undefined;
  const heads: Heads[] = [];
  for (const layer of layers) heads.push(await readHeads(store, blobOf(store, layer, signal), windows?.isHive));
  const plan = planMerge(heads, keep, windows?.allNames);
  const files = windows === undefined ? plan : windows.withRegistry(plan, heads, keep);
  const top = layers.at(-1)?.blob.mediaType ?? "";
  const isDocker = image.manifest.mediaType === mediaTypes.dockerManifest;
  const said = compression ?? compressionOf(top) ?? "gzip";
  const written = await writeLayer(changesOf(files, store, layers, signal), store.blobs, {
    compression: said === "zstd" && isDocker ? "gzip" : said,
    mediaTypes: "oci",
  });
  store.layers.record(written.layer, { uncompressedSize: written.uncompressedSize, index: written.index });
  return written.layer;
}

/** First what has no bytes, then the files layer by layer, in the order in which they pass, then their other names. */
async function* changesOf(
  plan: MergePlan,
  store: Store,
  layers: readonly Layer[],
  signal: AbortSignal,
): AsyncGenerator<Change> {
  yield* plan.first;
  for (const [number, layer] of layers.entries())
    if (plan.reads(number))
      yield* passingFiles(readLayer(blobOf(store, layer, signal)), (at) => plan.fileAt({ layer: number, at }));
  yield* plan.links;
}

function foreign(): WbuildError {
  return new WbuildError(
    "IMG_EDIT",
    "a layer of the image may only be served by its maker, and so not become part of another",
    {
      hint: "keep the base: --keep-base",
    },
  );
}
