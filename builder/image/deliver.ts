/** What becomes of a finished image: names in the store, archives, folders, registries. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Writable } from "node:stream";
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { formatReference, parseReference } from "../../registry/reference.ts";
import type { BuildRequest, BuildResult, OutputSpec } from "../build-request.ts";
import type { Report } from "../progress/events.ts";
import { digestsOf, exportFolder, exportTar, type PlacedTree, streamTar } from "./export-tree.ts";
import { untaggedName } from "./local.ts";
import { toldAsStep, warnLeftOut } from "./told-step.ts";
import { type Finished, type ResultWorld, type WrittenResult, writeResult } from "./write-result.ts";

export interface DeliveryWorld extends ResultWorld {
  readonly registry: () => Promise<RegistryClient>;
  /** A layer that may not be in the store: an image of a registry that has it, and how it comes here. */
  readonly remoteOf: (digest: string) => { readonly reference?: string; fetch(): Promise<void> } | undefined;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly stdout: Writable;
}

/**
 * What cannot be delivered, told before any step is carried out. Throws REG_ARCHIVE_FORMAT: a docker archive holds one
 * platform.
 */
export function checkOutputs({ outputs }: BuildRequest, platforms: number): void {
  if (platforms < 2 || !outputs.some((output) => output.type === "docker")) return;
  throw new WbuildError(
    "REG_ARCHIVE_FORMAT",
    `a docker archive holds one platform, and the build is for ${platforms}: it has no place for an index`,
    { facts: { platforms }, hint: "write an OCI archive (type=oci), or build for one platform" },
  );
}

/** Carries out every output of a request, in order. */
export async function deliver(finished: Finished, request: BuildRequest, world: DeliveryWorld): Promise<BuildResult> {
  const names = request.tags.map((tag) => formatReference(parseReference(tag)));
  const outputs: readonly OutputSpec[] =
    request.outputs.length > 0 ? request.outputs : [{ type: "image", names: [], push: false }];
  const style = { compression: request.compression, compressionLevel: request.compressionLevel };
  const result = await writeResult(finished, world, style);
  let named: string[] = [];
  const deliverImage = async (output: Extract<OutputSpec, { type: "image" | "registry" }>) => {
    const all = [...names, ...output.names.map((name) => formatReference(parseReference(name)))];
    const own = output.compression ? await writeResult(finished, world, { ...style, ...output }) : result;
    if (output.type === "image") named = nameResult(own, all, world.store);
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
        await deliverArchive(output, finished, [...names, ...output.names], request, world);
        break;
      case "image":
      case "registry":
        await deliverImage(output);
        break;
    }
  }
  if (request.push) await pushAll(result, names, request, world);
  const imageId = idOf(result);
  if (request.iidfile !== undefined) await writeFile(request.iidfile, imageId);
  if (request.metadataFile !== undefined) await writeFile(request.metadataFile, metadata(result, names));
  return { imageId, manifest: result.descriptor, tags: named };
}

/** The configuration's digest; of several images, the index's. */
function idOf({ images, descriptor }: WrittenResult): Digest {
  const [first] = images;
  return images.length === 1 && first ? first.manifest.config.digest : descriptor.digest;
}

/** Without a tag the image is kept under its digest, as docker keeps `<none>`. */
function nameResult(result: WrittenResult, names: readonly string[], store: Store): string[] {
  const all = names.length > 0 ? [...new Set(names)] : [untaggedName(result.descriptor.digest)];
  for (const name of all) store.refs.set(name, result.descriptor, result.keeps);
  return names.length > 0 ? all : [];
}

async function deliverTree(
  output: Extract<OutputSpec, { type: "tar" | "local" }>,
  finished: Finished,
  request: BuildRequest,
  world: DeliveryWorld,
): Promise<void> {
  const { images, asIndex } = finished;
  const epoch = request.sourceDateEpoch === undefined ? {} : { epochSeconds: request.sourceDateEpoch };
  const split = output.platformSplit ?? (asIndex || images.length > 1);
  await toldAsStep(world.report, `exporting to ${output.type} ${output.dest}`, async () => {
    const trees: PlacedTree[] = [];
    for (const made of images) {
      const { os } = made.image.config;
      const tree = await made.tree();
      const extra = (await world.attestFiles?.(made, () => digestsOf({ tree, os }))) ?? [];
      trees.push({ tree, os, extra, ...(split ? { under: folderOf(made.image.config) } : {}) });
    }
    if (output.type === "tar" && output.dest !== "-") return exportTar(trees, output.dest, epoch);
    await using place = await world.store.snapshots.reserve();
    if (output.type === "local") return await exportFolder(trees, output.dest, place.scratch, epoch);
    return await streamTar(trees, world.stdout, place.scratch, epoch);
  });
}

/** `linux_amd64`, `linux_arm_v7`: as BuildKit calls the folders of an export for several platforms. */
function folderOf({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join("_");
}

async function deliverArchive(
  output: Extract<OutputSpec, { type: "oci" | "docker" }>,
  finished: Finished,
  names: readonly string[],
  request: BuildRequest,
  world: DeliveryWorld,
): Promise<void> {
  const { store } = world;
  // `docker load` of older engines knows no zstd.
  const fallback = output.type === "docker" ? "gzip" : undefined;
  const compression = output.compression ?? request.compression ?? fallback;
  const level = output.compressionLevel ?? request.compressionLevel;
  const isDocker = output.type === "docker";
  const style = { compression, compressionLevel: level, noZstd: isDocker, single: isDocker };
  const ready = await writeResult(finished, world, style);
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
  result: WrittenResult,
  names: readonly string[],
  { allowNondistributable = false }: BuildRequest,
  world: DeliveryWorld,
): Promise<void> {
  const { pushImage } = await import("../../registry/push.ts");
  const client = await world.registry();
  for (const name of new Set(names)) {
    const reference = parseReference(name);
    await toldAsStep(world.report, `pushing ${name}`, async (onProgress) => {
      const pushed = await pushImage(client, result.descriptor, reference, world.store.blobs, {
        allowNondistributable,
        signal: world.signal,
        mountFrom: (digest) => {
          const origin = world.remoteOf(digest)?.reference;
          const from = origin === undefined ? undefined : parseReference(origin);
          return from && from.registry === reference.registry ? [from.repository] : [];
        },
        bring: async ({ digest }) => world.remoteOf(digest)?.fetch(),
        onProgress,
      });
      warnLeftOut(world.report, pushed);
    });
  }
}

/** As `docker buildx build --metadata-file` writes it. Several images have no configuration of their own to name. */
function metadata({ images, descriptor }: WrittenResult, names: readonly string[]): string {
  const [first] = images;
  const data = {
    ...(images.length === 1 && first ? { "containerimage.config.digest": first.manifest.config.digest } : {}),
    "containerimage.descriptor": descriptor,
    "containerimage.digest": descriptor.digest,
    ...(names.length > 0 ? { "image.name": names.join(",") } : {}),
  };
  return `${JSON.stringify(data, null, 2)}\n`;
}
