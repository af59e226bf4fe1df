/** A build's images → what a name can point at: one manifest, or an index of several and of what is said about them. */
import { compressionOf } from "../../layerfs/layer/compression.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { isForeign } from "../../registry/oci/image.ts";
import type { Compression } from "../build-request.ts";
import { transcodeLayer } from "./transcode.ts";
import { type NewImage, type WrittenImage, writeImage, writeIndex } from "./write-image.ts";

/** One platform's image, and its files. */
export interface FinishedImage {
  readonly image: NewImage;
  readonly tree: () => Promise<Tree>;
}

/** What a build came to: an image for each platform, in the request's order. */
export interface Finished {
  readonly images: readonly FinishedImage[];
  /** An index also around a single image. */
  readonly asIndex: boolean;
}

/** A manifest that stands beside an image in the index: its SBOM, its provenance. */
export interface Attached {
  /** As the index has it, with platform (`unknown/unknown`) and annotations (`vnd.docker.reference.digest` …). */
  readonly descriptor: Descriptor;
  /** Every digest that must stay for it: manifest, configuration, statements. */
  readonly keeps: readonly Digest[];
}

/**
 * What is to be said about an image that was just written. Called once for each image of each form that it is written in
 * (an output with another compression has other manifests, and so other subjects). Blobs go into the store; the
 * descriptors go to the end of the index, which is made for the sake of them also around a single image.
 */
export type Attest = (written: WrittenImage, made: FinishedImage) => Promise<readonly Attached[]>;

/**
 * What is to be said about an image whose files are written as files: more files, at the top of them. `files` gives the
 * regular files of the output with their digests.
 */
export type AttestFiles = (
  made: FinishedImage,
  files: () => Promise<readonly { readonly path: string; readonly digest: Digest }[]>,
) => Promise<readonly ExtraFile[]>;

export interface ExtraFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ResultStyle {
  readonly compression?: Compression | undefined;
  readonly compressionLevel?: number | undefined;
  /** Where the image goes cannot hold zstd at all. */
  readonly noZstd?: boolean;
  /** Where it goes holds single images only: no index, and nothing beside the image. */
  readonly single?: boolean;
}

export interface WrittenResult {
  /** The manifest, or the index. */
  readonly descriptor: Descriptor;
  readonly keeps: readonly Digest[];
  readonly images: readonly WrittenImage[];
}

export interface ResultWorld {
  readonly store: Store;
  /** Where a base's blob came from; undefined for what was made here. */
  readonly originOf: (digest: string) => string | undefined;
  readonly attestations?: Attest;
  readonly attestFiles?: AttestFiles;
}

/** Writes every image in a style, and the index where there is one. */
export async function writeResult(finished: Finished, world: ResultWorld, style: ResultStyle): Promise<WrittenResult> {
  const images: WrittenImage[] = [];
  const attached: Attached[] = [];
  for (const made of finished.images) {
    const image = await written(made.image, world, style);
    images.push(image);
    if (!style.single) attached.push(...((await world.attestations?.(image, made)) ?? []));
  }
  const [first] = images;
  if (!first) throw new TypeError("a build without images");
  const isIndex = !style.single && (finished.asIndex || images.length > 1 || attached.length > 0);
  if (!isIndex) return { descriptor: first.descriptor, keeps: first.keeps, images };
  const manifests = new Map([...images, ...attached].map(({ descriptor }) => [JSON.stringify(descriptor), descriptor]));
  const descriptor = await writeIndex(world.store.blobs, { manifests: [...manifests.values()] });
  const keeps = new Set([descriptor.digest, ...[...images, ...attached].flatMap((one) => one.keeps)]);
  return { descriptor, keeps: [...keeps], images };
}

/**
 * The image with its layers in the compression asked for; without one they stay as they are. What came with a Windows
 * base, and a foreign layer of any, stays as it is wherever it can: its descriptor names those bytes and no others.
 */
async function written(
  image: NewImage,
  { store, originOf }: ResultWorld,
  { compression, compressionLevel, noZstd = false }: ResultStyle,
): Promise<WrittenImage> {
  if (compression === undefined) return writeImage(store.blobs, image);
  const stays = ({ blob }: Layer) =>
    (isForeign(blob) || (image.config.os === "windows" && originOf(blob.digest) !== undefined)) &&
    !(noZstd && compressionOf(blob.mediaType) === "zstd");
  const layers: Layer[] = [];
  for (const layer of image.layers)
    layers.push(stays(layer) ? layer : await transcodeLayer(store, layer, compression, compressionLevel));
  return writeImage(store.blobs, { ...image, layers });
}
