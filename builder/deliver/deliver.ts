/** What becomes of a finished image: names in the store, archives, folders, registries. */
import { writeFile } from "node:fs/promises";
import { dirname, parse, resolve } from "node:path";
import type { Writable } from "node:stream";
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { makeFolder } from "../../layerfs/store/make-folder.ts";
import type { ConnectionException } from "../../layerfs/store/sources.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { isForeign } from "../../registry/oci/image.ts";
import { formatName, formatReference, parseReference } from "../../registry/reference.ts";
import type { BuildRequest, BuildResult } from "../build-request.ts";
import { digestsOf, exportFolder, exportTar, type PlacedTree, streamTar } from "../image/output/export-tree.ts";
import type { OutputOf, OutputSpec } from "../image/output/output-spec.ts";
import {
  type Finished,
  type ResultStyle,
  type ResultWorld,
  type WrittenResult,
  writeResult,
} from "../image/output/write-result.ts";
import { repositoriesWith } from "../image/stored/left-layers.ts";
import { untaggedName } from "../image/stored/local.ts";
import { toldAsStep, warnLeftOut } from "../image/told-step.ts";
import type { Report } from "../progress/events.ts";
import type { RemoteBlob } from "../steps/stack.ts";
import { isUnproved, noteLeftLayers } from "./left-layers.ts";

export interface DeliveryWorld extends ResultWorld {
  readonly registry: () => Promise<RegistryClient>;
  /** A layer that may not be in the store: an image of a registry that has it, and how it comes here. */
  readonly remoteOf: (digest: string) => RemoteBlob | undefined;
  /** What is allowed of the connection to the registry of a name. */
  readonly exceptionFor: (name: string) => ConnectionException | undefined;
  /** Nothing was carried out for it: a registry that it goes to may well have it. */
  readonly isUnchanged: boolean;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly stdout: Writable;
  /** Members of the metadata file that tell of the build and not of its image. */
  readonly buildMetadata?: () => Promise<object>;
}

/** BuildKit's own argument: an index even around a single image. */
export function isMultiPlatform({ buildArgs }: BuildRequest): boolean {
  return /^(1|t|true)$/i.test(buildArgs.BUILDKIT_MULTI_PLATFORM ?? "");
}

const usual: OutputOf<"image"> = { type: "image", names: [], push: false };

/** Carries out every output of a request, in order. */
export async function deliver(finished: Finished, request: BuildRequest, world: DeliveryWorld): Promise<BuildResult> {
  const names = request.tags.map(fullName);
  const outputs: readonly OutputSpec[] = request.outputs.length > 0 ? request.outputs : [usual];
  const results = new Results(finished, request, world);
  let first: WrittenResult | undefined;
  const named = new Set<string>();
  const told = new Set<string>(names);
  const pushed: string[] = [];
  const afterPush: (() => Promise<void>)[] = [];
  for (const output of outputs) {
    if (!("names" in output)) {
      if (output.type !== "cacheonly") await deliverTree(output, finished, request, world);
      continue;
    }
    const result = await results.of(output);
    first ??= result;
    const all = [...new Set([...names, ...output.names.map(fullName)])];
    const byDigest = "pushByDigest" in output && output.pushByDigest === true;
    for (const name of all) told.add(byDigest ? formatName(parseReference(name)) : name);
    if ("dest" in output) {
      await deliverArchive(output, result, all, world);
      continue;
    }
    if (output.type === "image" && output.store !== false) {
      const keep = async () => {
        await noteLeftLayers(result, pushed, world);
        for (const name of nameResult(result, all, output, world.store)) named.add(name);
        if (output.unpack) for (const { unpack } of finished.images) await unpack?.();
      };
      if (await isUnproved(result, world)) afterPush.push(keep);
      else await keep();
    }
    if (output.type === "registry" || output.push)
      pushed.push(...(await pushAll(result, all, request, world, byDigest)));
  }
  const result = first ?? (await results.unnamed());
  if (request.push) pushed.push(...(await pushAll(await results.of(usual), names, request, world)));
  for (const keep of afterPush) await keep();
  const imageId = idOf(result);
  if (request.iidfile !== undefined) await writeFile(request.iidfile, imageId);
  if (request.metadataFile !== undefined) {
    const data = { ...(await world.buildMetadata?.()), ...metadata(result, [...told]) };
    await writeFile(request.metadataFile, `${JSON.stringify(data, null, 2)}\n`);
  }
  return { imageId, manifest: result.descriptor, tags: [...named] };
}

function fullName(text: string): string {
  return formatReference(parseReference(text));
}

/** The result in the style of each output; outputs of one style have one. */
class Results {
  readonly #finished: Finished;
  readonly #request: BuildRequest;
  readonly #world: DeliveryWorld;
  readonly #written = new Map<string, Promise<WrittenResult>>();

  constructor(finished: Finished, request: BuildRequest, world: DeliveryWorld) {
    this.#finished = finished;
    this.#request = request;
    this.#world = world;
  }

  of(output: OutputOf<"image" | "registry" | "oci" | "docker">): Promise<WrittenResult> {
    const { compression, compressionLevel, annotations: usualOnes = [], sourceDateEpoch } = this.#request;
    const isDocker = output.type === "docker";
    const annotations = [...usualOnes, ...(output.annotations ?? [])];
    return this.#write({
      // `docker load` of older engines knows no zstd.
      compression: output.compression ?? compression ?? (isDocker ? "gzip" : undefined),
      compressionLevel: output.compressionLevel ?? compressionLevel,
      forceCompression: output.forceCompression,
      ociMediaTypes: output.ociMediaTypes,
      ociArtifact: output.ociArtifact,
      rewriteTimestamp: output.rewriteTimestamp,
      epochSeconds: sourceDateEpoch,
      noZstd: isDocker,
      single: isDocker,
      ...(annotations.length > 0 ? { annotations } : {}),
    });
  }

  /** For a build whose files alone were wanted: it has an ID, and nothing is said about it. */
  unnamed(): Promise<WrittenResult> {
    const { compression, compressionLevel, sourceDateEpoch } = this.#request;
    const single = this.#finished.images.length === 1 && !this.#finished.asIndex;
    return this.#write({ compression, compressionLevel, epochSeconds: sourceDateEpoch, single });
  }

  #write(style: ResultStyle): Promise<WrittenResult> {
    const key = JSON.stringify(style);
    const known = this.#written.get(key) ?? writeResult(this.#finished, this.#world, style);
    this.#written.set(key, known);
    return known;
  }
}

/** The configuration's digest; of several images, the index's. */
function idOf({ images, descriptor }: WrittenResult): Digest {
  const [first] = images;
  return images.length === 1 && first ? first.manifest.config.digest : descriptor.digest;
}

/** Without a tag the image is kept under its digest, as docker keeps `<none>`, or under the prefix that was given for that. */
function nameResult(
  { descriptor, keeps }: WrittenResult,
  names: readonly string[],
  { nameCanonical, danglingNamePrefix }: OutputOf<"image">,
  store: Store,
): string[] {
  const dangling =
    danglingNamePrefix === undefined ? undefined : fullName(`${danglingNamePrefix}@${descriptor.digest}`);
  const given = names.length > 0 || dangling === undefined ? names : [dangling];
  const canonical = nameCanonical
    ? given.map((name) => `${formatName(parseReference(name))}@${descriptor.digest}`)
    : [];
  const all = new Set([...given, ...canonical]);
  for (const name of all.size > 0 ? all : [untaggedName(descriptor.digest)]) store.refs.set(name, descriptor, keeps);
  return [...all];
}

async function deliverTree(
  output: OutputOf<"tar" | "local">,
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
      const folder = folderOf(made.image.config);
      const files = (await world.attestFiles?.(made, () => digestsOf({ tree, os }))) ?? [];
      // Side by side their names must tell whose they are, as BuildKit's do.
      const isShared = images.length > 1 && !split;
      const extra = isShared ? files.map(({ name, bytes }) => ({ name: nameFor(name, folder), bytes })) : files;
      trees.push({ tree, os, extra, ...(split ? { under: folder } : {}) });
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

/** `provenance.json` → `provenance.linux_amd64.json`. */
function nameFor(name: string, platform: string): string {
  const { name: stem, ext } = parse(name);
  return `${stem}.${platform}${ext}`;
}

async function deliverArchive(
  output: OutputOf<"oci" | "docker">,
  { descriptor }: WrittenResult,
  refs: readonly string[],
  world: DeliveryWorld,
): Promise<void> {
  const { store } = world;
  const { saveImages } = await import("../../registry/archive/save.ts");
  const images = [{ descriptor, refs }];
  await toldAsStep(world.report, `exporting to ${output.type} ${output.dest}`, async () => {
    const format = output.type;
    if (output.dest === "-")
      return saveImages(images, store.blobs, { to: { stream: world.stdout }, format, tar: true });
    const path = resolve(output.dest);
    makeFolder(dirname(path));
    return saveImages(images, store.blobs, { to: { path }, format, tar: !output.folder });
  });
}

function hasForeign({ images }: WrittenResult): boolean {
  return images.some(({ manifest }) => manifest.layers.some(isForeign));
}

/** Gives the references that it is there under. */
async function pushAll(
  result: WrittenResult,
  names: readonly string[],
  { allowNondistributable = false, lazy }: BuildRequest,
  world: DeliveryWorld,
  byDigest = false,
): Promise<string[]> {
  const { pushImage } = await import("../../registry/push.ts");
  const client = await world.registry();
  const pushed: string[] = [];
  for (const name of new Set(names)) {
    const { tag, ...untagged } = parseReference(name);
    const reference = byDigest || tag === undefined ? untagged : { ...untagged, tag };
    const title = byDigest ? `${formatName(untagged)}@${result.descriptor.digest}` : name;
    await toldAsStep(world.report, `pushing ${title}`, async (onProgress) => {
      const done = await pushImage(client, result.descriptor, reference, world.store.blobs, {
        allowNondistributable,
        // Foreign layers may be left out by whoever pushed it before, which is to be told, or changed.
        mayBeThere: world.isUnchanged && !hasForeign(result),
        signal: world.signal,
        mountFrom: (digest) => {
          const origin = world.remoteOf(digest)?.reference;
          const from = origin === undefined ? undefined : parseReference(origin);
          const own = from && from.registry === reference.registry ? [from.repository] : [];
          return [...new Set([...own, ...repositoriesWith(world.store, digest, reference.registry)])];
        },
        bring: async ({ digest }) => world.remoteOf(digest)?.fetch(),
        // Who pushes to several places fetches once.
        pass: ({ digest }) => (lazy && names.length === 1 ? world.remoteOf(digest)?.pass?.() : undefined),
        onProgress,
      });
      warnLeftOut(world.report, done);
    });
    pushed.push(byDigest ? `${formatName(untagged)}@${result.descriptor.digest}` : name);
  }
  return pushed;
}

/** As `docker buildx build --metadata-file` writes it. Several images have no configuration of their own to name. */
function metadata({ images, descriptor }: WrittenResult, names: readonly string[]): object {
  const [first] = images;
  return {
    ...(images.length === 1 && first ? { "containerimage.config.digest": first.manifest.config.digest } : {}),
    "containerimage.descriptor": descriptor,
    "containerimage.digest": descriptor.digest,
    ...(names.length > 0 ? { "image.name": names.join(",") } : {}),
  };
}
