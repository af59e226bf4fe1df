/** A build's images → what a name can point at: one manifest, or an index of several and of what is said about them. */
import { compressionOf } from "../../../layerfs/layer/compression.ts";
import type { Descriptor, Layer } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { isForeign } from "../../../registry/oci/image.ts";
import { platformOf } from "../platform.ts";
import { annotationsOn } from "./annotate.ts";
import { boundTimes } from "./bound-times.ts";
import type { Annotation, Compression } from "./output-spec.ts";
import { transcodeLayer } from "./transcode.ts";
import { type NewImage, type TypesOf, type WrittenImage, writeImage, writeIndex } from "./write-image.ts";

/** One platform's image, and its files. */
export interface FinishedImage {
  readonly image: NewImage;
  readonly tree: () => Promise<Tree>;
  /** Unpacks its layers, as the next container of the image would. */
  readonly unpack?: () => Promise<unknown>;
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
export type Attest = (
  written: WrittenImage,
  made: FinishedImage,
  how: { readonly ociArtifact: boolean },
) => Promise<readonly Attached[]>;

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
  /** false: layers that came with the base keep the compression that they have. */
  readonly forceCompression?: boolean | undefined;
  /** Absent: OCI's documents, with layers as they came. */
  readonly ociMediaTypes?: boolean | undefined;
  /** The statements beside an image are OCI artifacts. */
  readonly ociArtifact?: boolean | undefined;
  readonly annotations?: readonly Annotation[];
  /** SOURCE_DATE_EPOCH: no time in the build's own layers is later. */
  readonly epochSeconds?: number | undefined;
  /** Layers are fetched for that, where it must be. */
  readonly rewriteTimestamp?: boolean | undefined;
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
  /** A layer that may not be in the store, and how it comes here. */
  readonly remoteOf?: (digest: string) => { fetch(): Promise<void> } | undefined;
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
    if (style.single) continue;
    const more = { ociArtifact: style.ociArtifact === true };
    attached.push(...((await world.attestations?.(image, made, more)) ?? []));
  }
  const [first] = images;
  if (!first) throw new TypeError("a build without images");
  const isIndex = !style.single && (finished.asIndex || images.length > 1 || attached.length > 0);
  if (!isIndex) return { descriptor: first.descriptor, keeps: first.keeps, images };
  const manifests = new Map([...images, ...attached].map(({ descriptor }) => [JSON.stringify(descriptor), descriptor]));
  const annotations = style.annotations ?? [];
  const index = await writeIndex(
    world.store.blobs,
    { manifests: [...manifests.values()], ...annotationsOn(annotations, "index") },
    // Docker's list has no place for annotations, nor for what is said about an image.
    typesOf(style) === "docker" && attached.length === 0 ? "docker" : "oci",
  );
  const descriptor = { ...index, ...annotationsOn(annotations, "index-descriptor") };
  const keeps = new Set([descriptor.digest, ...[...images, ...attached].flatMap((one) => one.keeps)]);
  return { descriptor, keeps: [...keeps], images };
}

/** Annotations and zstd are OCI's: with them its types are used, whatever was asked for. */
function typesOf({ ociMediaTypes, annotations = [], compression }: ResultStyle): TypesOf | undefined {
  if (ociMediaTypes === undefined) return undefined;
  return ociMediaTypes || annotations.length > 0 || compression === "zstd" ? "oci" : "docker";
}

/**
 * The image in a style. Without a compression asked for its layers stay as they are. With one those of the base get it,
 * too, unless that is refused; a Windows base's and a foreign layer of any stay where they can: their descriptors name
 * those bytes and no others.
 */
async function written(image: NewImage, world: ResultWorld, style: ResultStyle): Promise<WrittenImage> {
  const { store, originOf } = world;
  const types = typesOf(style);
  // Docker's types have no zstd.
  const noZstd = style.noZstd === true || types === "docker";
  const compression = style.compression ?? (types === "docker" ? "gzip" : undefined);
  const isZstd = (blob: Descriptor) => compressionOf(blob.mediaType) === "zstd";
  const stays = ({ blob }: Layer) => {
    if (noZstd && isZstd(blob)) return false;
    const isBase = originOf(blob.digest) !== undefined;
    return isForeign(blob) || (isBase && (style.forceCompression === false || image.config.os === "windows"));
  };
  const layers: Layer[] = [];
  for (const layer of await bounded(image.layers, world, style)) {
    if (compression === undefined || stays(layer)) {
      layers.push(layer);
      continue;
    }
    await world.remoteOf?.(layer.blob.digest)?.fetch();
    layers.push(await transcodeLayer(store, layer, compression, style.compressionLevel));
  }
  const { annotations = [] } = style;
  const platform = platformOf(image.config);
  const { annotations: own } = annotationsOn(annotations, "manifest", platform);
  const { annotations: outer } = annotationsOn(annotations, "manifest-descriptor", platform);
  return writeImage(
    store.blobs,
    {
      ...image,
      layers,
      ...(own ? { annotations: { ...image.annotations, ...own } } : {}),
      ...(outer ? { descriptorAnnotations: outer } : {}),
    },
    types,
  );
}

/**
 * A result that was kept from a build without SOURCE_DATE_EPOCH has later times in it. The base is not ours to change; a
 * layer that is not here is fetched for that only when somebody asked for it.
 */
async function bounded(layers: readonly Layer[], world: ResultWorld, style: ResultStyle): Promise<readonly Layer[]> {
  const { epochSeconds } = style;
  if (epochSeconds === undefined) return layers;
  const found: Layer[] = [];
  for (const layer of layers) {
    const { blob } = layer;
    if (isForeign(blob) || world.originOf(blob.digest) !== undefined) {
      found.push(layer);
      continue;
    }
    let done = await boundTimes(world.store, layer, epochSeconds);
    if (done === undefined && style.rewriteTimestamp) {
      await world.remoteOf?.(blob.digest)?.fetch();
      done = await boundTimes(world.store, layer, epochSeconds);
    }
    found.push(done ?? layer);
  }
  return found;
}
