/**
 * An archive of images into a store: what kind it is shows itself (OCI layout, docker archive, or both in one; tar,
 * compressed tar, or folder). One pass, so that a pipe will do: blobs go to the store as they come, names are read last.
 */
import { stat } from "node:fs/promises";
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import { artifactTypeOf, isForeign } from "../oci/image.ts";
import { isIndexType, maxManifestBytes, parseIndex, parseManifest } from "../oci/schema.ts";
import type { Choose } from "../pull.ts";
import { type ArchivedImage, readDockerManifest } from "./docker-archive.ts";
import { type Compress, fromDocker } from "./docker-load.ts";
import { type Findings, type GatherOptions, gather, readBlob } from "./findings.ts";
import { blobPath, type NamedImage, readLayoutIndex } from "./layout.ts";
import { type Decompress, damaged, fileBytes, folderMembers, type Member, tarMembers } from "./members.ts";

export interface LoadOptions extends GatherOptions {
  /** Needed for compressed archives, and to verify compressed layers of docker archives. */
  readonly decompress?: Decompress;
  /** When given, plain layers of docker archives become what this makes of them: a registry would be sent all of their bytes. */
  readonly compress?: Compress;
  /** When given, an index is replaced by the image that this picks from those of its images that are there. */
  readonly choose?: Choose;
}

export interface LoadedImage extends NamedImage {
  /** Of what is no image but may lie beside one: what says something about it, or a chart. */
  readonly artifactType?: string;
}

/**
 * Takes in all images of an archive. Throws REG_ARCHIVE (damaged, cut off, neither kind), REG_MANIFEST, REG_CONFIG,
 * REG_DIGEST_MISMATCH. What was stored before a failure is named by nothing and is collected later.
 */
export async function loadArchive(
  source: { readonly path: string } | { readonly stream: AsyncIterable<Uint8Array> },
  into: BlobStore,
  options: LoadOptions = {},
): Promise<LoadedImage[]> {
  const found = await gather(await membersOf(source, options), into, options);
  const images = await imagesOf(found, into, options);
  const result: LoadedImage[] = [];
  for (const image of images) {
    const descriptor = await checked(image.descriptor, into, options.choose, 0);
    if (!descriptor) throw damaged(`it lacks what its image ${image.refs[0] ?? image.descriptor.digest} is made of`);
    const artifactType = await typeOfArtifact(descriptor, into);
    result.push({ ...image, descriptor, ...(artifactType === undefined ? {} : { artifactType }) });
  }
  return result;
}

async function typeOfArtifact(descriptor: Descriptor, into: BlobStore): Promise<string | undefined> {
  if (isIndexType(descriptor.mediaType)) return undefined;
  return artifactTypeOf(parseManifest(await readBlob(descriptor, into), descriptor.mediaType));
}

async function membersOf(
  source: { readonly path: string } | { readonly stream: AsyncIterable<Uint8Array> },
  options: LoadOptions,
): Promise<AsyncIterable<Member>> {
  const { decompress, signal } = options;
  if ("stream" in source) return tarMembers(source.stream, decompress, signal);
  try {
    const isFolder = (await stat(source.path)).isDirectory();
    return isFolder ? folderMembers(source.path) : tarMembers(fileBytes(source.path), decompress, signal);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new WbuildError(
      "REG_ARCHIVE",
      `cannot read ${source.path}: ${code === "ENOENT" ? "it is not there" : code}`,
      {
        facts: { path: source.path, errno: code },
        cause: error,
        ...(code === "ENOENT" ? { hint: "look at the spelling of the path" } : {}),
      },
    );
  }
}

/** An OCI index knows its manifests byte for byte, so it is believed first; manifest.json then adds names. */
async function imagesOf(found: Findings, into: BlobStore, options: LoadOptions): Promise<NamedImage[]> {
  const index = found.texts.get("index.json");
  const list = found.texts.get("manifest.json");
  const archived = list ? readDockerManifest(list) : [];
  const images = index ? readLayoutIndex(index) : [];
  if (images.length > 0) return Promise.all(images.map((image) => withNames(image, archived, into)));
  if (list) return Promise.all(archived.map((image) => fromDocker(image, found, into, options)));
  if (index) return [];
  if (found.texts.has("repositories"))
    throw damaged("it has the form that docker wrote before version 1.10, which is not supported");
  throw damaged("it is neither an OCI layout (index.json) nor a docker archive (manifest.json)");
}

/** The names that manifest.json gives to the image of the same configuration. */
async function withNames(image: NamedImage, archived: readonly ArchivedImage[], into: BlobStore): Promise<NamedImage> {
  const { descriptor, refs } = image;
  if (archived.length === 0 || isIndexType(descriptor.mediaType) || descriptor.size > maxManifestBytes) return image;
  if ((await into.has(descriptor.digest)) !== descriptor.size) return image;
  const { config } = parseManifest(await readBlob(descriptor, into), descriptor.mediaType);
  const more = archived.filter((other) => other.config === blobPath(config)).flatMap((other) => other.refs);
  return { ...image, refs: [...new Set([...refs, ...more])] };
}

/** The image when all that it is made of is in the store, else undefined. Of an index one complete image is enough. */
async function checked(
  descriptor: Descriptor,
  into: BlobStore,
  choose: Choose | undefined,
  depth: number,
): Promise<Descriptor | undefined> {
  if ((await into.has(descriptor.digest)) !== descriptor.size || descriptor.size > maxManifestBytes) return undefined;
  const bytes = await readBlob(descriptor, into);
  if (!isIndexType(descriptor.mediaType)) {
    const { config, layers } = parseManifest(bytes, descriptor.mediaType);
    // Other tools leave foreign layers out of a layout; they are fetched from their `urls` when somebody needs them.
    for (const blob of [config, ...layers])
      if ((await into.has(blob.digest)) !== blob.size && !isForeign(blob)) return undefined;
    return descriptor;
  }
  if (depth > 2) return undefined;
  const complete: Descriptor[] = [];
  for (const child of parseIndex(bytes, descriptor.mediaType).manifests)
    if (await checked(child, into, undefined, depth + 1)) complete.push(child);
  if (complete.length === 0) return undefined;
  if (!choose) return descriptor;
  const choice = choose(complete);
  return choice && checked(choice, into, choose, depth + 1);
}
