/** What becomes of a finished image: names in the store, archives, folders, registries. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import { compressionOf } from "../../layerfs/layer/compression.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { isForeign } from "../../registry/oci/image.ts";
import { formatReference, parseReference } from "../../registry/reference.ts";
import type { BuildRequest, BuildResult, Compression, OutputSpec } from "../build-request.ts";
import type { Report } from "../progress/events.ts";
import { exportFolder, exportTar, streamTar } from "./export-tree.ts";
import { untaggedName } from "./local.ts";
import { toldAsStep, warnLeftOut } from "./told-step.ts";
import { transcodeLayer } from "./transcode.ts";
import { type NewImage, type WrittenImage, writeImage } from "./write-image.ts";

export interface Finished {
  readonly image: NewImage;
  readonly tree: () => Promise<Tree>;
}

export interface DeliveryWorld {
  readonly store: Store;
  readonly registry: () => Promise<RegistryClient>;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly stdout: Writable;
  /** Repositories (on any registry) a base's blob came from, for mounting. */
  readonly originOf: (digest: string) => string | undefined;
}

/** Carries out every output of a request, in order. */
export async function deliver(finished: Finished, request: BuildRequest, world: DeliveryWorld): Promise<BuildResult> {
  const names = request.tags.map((tag) => formatReference(parseReference(tag)));
  const outputs: readonly OutputSpec[] =
    request.outputs.length > 0 ? request.outputs : [{ type: "image", names: [], push: false }];
  const style = { compression: request.compression, compressionLevel: request.compressionLevel };
  const image = await written(finished.image, world, style);
  let named: string[] = [];
  const deliverImage = async (output: Extract<OutputSpec, { type: "image" | "registry" }>) => {
    const all = [...names, ...output.names.map((name) => formatReference(parseReference(name)))];
    const own = output.compression ? await written(finished.image, world, { ...style, ...output }) : image;
    if (output.type === "image") named = nameImage(own, all, world.store);
    if (output.type === "registry" || output.push) await pushAll(own, all, request, world);
  };
  for (const output of outputs) {
    switch (output.type) {
      case "tar":
      case "local":
        await deliverTree(output, finished, request, world);
        break;
      case "oci":
      case "docker":
        await deliverArchive(output, finished.image, [...names, ...output.names], request, world);
        break;
      case "image":
      case "registry":
        await deliverImage(output);
        break;
    }
  }
  if (request.push) await pushAll(image, names, request, world);
  const result: BuildResult = { imageId: image.manifest.config.digest, manifest: image.descriptor, tags: named };
  if (request.iidfile !== undefined) await writeFile(request.iidfile, result.imageId);
  if (request.metadataFile !== undefined) await writeFile(request.metadataFile, metadata(image, names));
  return result;
}

interface Style {
  readonly compression?: Compression | undefined;
  readonly compressionLevel?: number | undefined;
  /** Where the image goes cannot hold zstd at all. */
  readonly noZstd?: boolean;
}

/**
 * The image with its layers in the compression asked for; without one they stay as they are. What came with a Windows
 * base, and a foreign layer of any, stays as it is wherever it can: its descriptor names those bytes and no others.
 */
async function written(
  image: NewImage,
  { store, originOf }: DeliveryWorld,
  { compression, compressionLevel, noZstd = false }: Style,
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

/** Without a tag the image is kept under its digest, as docker keeps `<none>`. */
function nameImage(image: WrittenImage, names: readonly string[], store: Store): string[] {
  const all = names.length > 0 ? [...new Set(names)] : [untaggedName(image.descriptor.digest)];
  for (const name of all) store.refs.set(name, image.descriptor, image.keeps);
  return names.length > 0 ? all : [];
}

async function deliverTree(
  output: Extract<OutputSpec, { type: "tar" | "local" }>,
  finished: Finished,
  request: BuildRequest,
  world: DeliveryWorld,
): Promise<void> {
  const tree = await finished.tree();
  const { os } = finished.image.config;
  const style = { os, ...(request.sourceDateEpoch === undefined ? {} : { epochSeconds: request.sourceDateEpoch }) };
  await toldAsStep(world.report, `exporting to ${output.type} ${output.dest}`, async () => {
    if (output.type === "tar" && output.dest !== "-") return exportTar(tree, output.dest, style);
    await using place = await world.store.snapshots.reserve();
    if (output.type === "local") return await exportFolder(tree, output.dest, place.scratch, style);
    return await streamTar(tree, world.stdout, place.scratch, style);
  });
}

async function deliverArchive(
  output: Extract<OutputSpec, { type: "oci" | "docker" }>,
  image: NewImage,
  names: readonly string[],
  request: BuildRequest,
  world: DeliveryWorld,
): Promise<void> {
  const { store } = world;
  // `docker load` of older engines knows no zstd.
  const fallback = output.type === "docker" ? "gzip" : undefined;
  const compression = output.compression ?? request.compression ?? fallback;
  const level = output.compressionLevel ?? request.compressionLevel;
  const ready = await written(image, world, { compression, compressionLevel: level, noZstd: output.type === "docker" });
  const { saveImages } = await import("../../registry/archive/save.ts");
  const images = [{ descriptor: ready.descriptor, refs: names.map((name) => formatReference(parseReference(name))) }];
  await toldAsStep(world.report, `exporting to ${output.type} ${output.dest}`, async () => {
    const format = output.type;
    if (output.dest === "-")
      return saveImages(images, store.blobs, { to: { stream: world.stdout }, format, tar: true });
    const path = resolve(output.dest);
    await mkdir(dirname(path), { recursive: true });
    return saveImages(images, store.blobs, { to: { path }, format, tar: !output.folder });
  });
}

async function pushAll(
  image: WrittenImage,
  names: readonly string[],
  { allowNondistributable = false }: BuildRequest,
  world: DeliveryWorld,
): Promise<void> {
  const { pushImage } = await import("../../registry/push.ts");
  const client = await world.registry();
  for (const name of new Set(names)) {
    const reference = parseReference(name);
    await toldAsStep(world.report, `pushing ${name}`, async (onProgress) => {
      const result = await pushImage(client, image.descriptor, reference, world.store.blobs, {
        allowNondistributable,
        signal: world.signal,
        mountFrom: (digest) => {
          const origin = world.originOf(digest);
          const from = origin === undefined ? undefined : parseReference(origin);
          return from && from.registry === reference.registry ? [from.repository] : [];
        },
        onProgress,
      });
      warnLeftOut(world.report, result);
    });
  }
}

/** As `docker buildx build --metadata-file` writes it. */
function metadata(image: WrittenImage, names: readonly string[]): string {
  const data = {
    "containerimage.config.digest": image.manifest.config.digest,
    "containerimage.descriptor": image.descriptor,
    "containerimage.digest": image.descriptor.digest,
    ...(names.length > 0 ? { "image.name": names.join(",") } : {}),
  };
  return `${JSON.stringify(data, null, 2)}\n`;
}
