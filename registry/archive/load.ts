/**
 * An archive of images into a store: what kind it is shows itself (OCI layout, docker archive, or both in one; tar,
 * compressed tar, or folder). One pass, so that a pipe will do: blobs go to the store as they come, names are read last.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../oci/image.ts";
import {
  isIndexType,
  maxConfigBytes,
  maxManifestBytes,
  parseConfig,
  parseIndex,
  parseManifest,
} from "../oci/schema.ts";
import type { Choose } from "../pull.ts";
import { type ArchivedImage, readDockerManifest } from "./docker-archive.ts";
import { blobPath, type NamedImage, readLayoutIndex } from "./layout.ts";
import {
  type Compression,
  compressionOf,
  type Decompress,
  damaged,
  fileBytes,
  folderMembers,
  type Member,
  tarMembers,
} from "./members.ts";

export interface LoadOptions {
  /** Needed for compressed archives, and to verify compressed layers of docker archives. */
  readonly decompress?: Decompress;
  /** When given, an index is replaced by the image that this picks from those of its images that are there. */
  readonly choose?: Choose;
  /** Told once for each member that is taken in. */
  readonly onProgress?: (event: { readonly name: string; readonly size: number }) => void;
  readonly signal?: AbortSignal;
}

/** Names and content found on the way. */
interface Findings {
  /** Files that are read as JSON. */
  readonly texts: Map<string, Uint8Array>;
  /** Every stored member. */
  readonly blobs: Map<string, Descriptor>;
  readonly links: Map<string, string>;
}

const maxTextBytes = maxConfigBytes;
/** All configurations and manifests of one archive that are held in memory. */
const maxAllTextBytes = 256 * 1024 * 1024;

/**
 * Takes in all images of an archive. Throws REG_ARCHIVE (damaged, cut off, neither kind), REG_MANIFEST, REG_CONFIG,
 * REG_DIGEST_MISMATCH. What was stored before a failure is named by nothing and is collected later.
 */
export async function loadArchive(
  source: { readonly path: string } | { readonly stream: AsyncIterable<Uint8Array> },
  into: BlobStore,
  options: LoadOptions = {},
): Promise<NamedImage[]> {
  const found: Findings = { texts: new Map(), blobs: new Map(), links: new Map() };
  let held = 0;
  for await (const member of await membersOf(source, options)) {
    options.signal?.throwIfAborted();
    if (member.target !== undefined) {
      found.links.set(member.name, member.target);
      continue;
    }
    if (isText(member.name)) {
      if (found.texts.has(member.name)) throw damaged(`it has ${member.name} twice`);
      const bytes = await readText(member);
      held += bytes.length;
      if (held > maxAllTextBytes) throw damaged(`its descriptions have more than ${maxAllTextBytes} bytes`);
      found.texts.set(member.name, bytes);
    } else if (isBlob(member.name)) await takeIn(member, into, found);
    else continue;
    options.onProgress?.({ name: member.name, size: member.size });
  }
  const images = await imagesOf(found, into, options);
  const result: NamedImage[] = [];
  for (const image of images) {
    const descriptor = await checked(image.descriptor, into, options.choose, 0);
    if (!descriptor) throw damaged(`it lacks what its image ${image.refs[0] ?? image.descriptor.digest} is made of`);
    result.push({ ...image, descriptor });
  }
  return result;
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
      },
    );
  }
}

/** The descriptions, and docker's configurations, which old archives have as HEX.json at the top. */
function isText(name: string): boolean {
  return /^(?:index\.json|manifest\.json|oci-layout|repositories|[0-9a-f]{64}(?:\.json)?)$/.test(name);
}

function isBlob(name: string): boolean {
  return /^blobs\/sha256\/[0-9a-f]{64}$/.test(name) || /^(?:[^/]+\/)?[^/]+\.tar(?:\.gz)?$/.test(name);
}

async function readText(member: Member): Promise<Uint8Array> {
  if (member.size > maxTextBytes) throw damaged(`its ${member.name} has ${member.size} bytes, more than are accepted`);
  const parts: Uint8Array[] = [];
  for await (const part of member.bytes) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function takeIn(member: Member, into: BlobStore, found: Findings): Promise<void> {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(member.name)?.[1];
  const digest = hex === undefined ? undefined : (`sha256:${hex}` as Digest);
  if (found.blobs.has(member.name)) {
    // A blob is what its name says however often it comes; another layer of the same name would be a riddle.
    if (digest === undefined) throw damaged(`it has ${member.name} twice`);
    return;
  }
  if (digest !== undefined && (await into.has(digest)) === member.size) {
    // The store vouches for it; the member's bytes are passed over unread.
    found.blobs.set(member.name, { mediaType: "application/octet-stream", digest, size: member.size });
    return;
  }
  const expected = { mediaType: "application/octet-stream", size: member.size, ...(digest ? { digest } : {}) };
  const iterator = member.bytes[Symbol.asyncIterator]();
  try {
    // A store that stops reading, because it has the blob, must not end the archive that the member is part of.
    const blob = await into.put({ [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) }, expected);
    found.blobs.set(member.name, blob);
    while ((await iterator.next()).done !== true);
  } catch (error) {
    if (!isWbuildError(error, "STORE_DIGEST_MISMATCH")) throw error;
    throw new WbuildError("REG_DIGEST_MISMATCH", `the archive's ${member.name} is not what its name says`, {
      facts: { member: member.name },
      hint: "the archive is damaged; make it anew",
      cause: error,
    });
  } finally {
    await iterator.return?.();
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

/** Makes the manifest that docker archives do not have. The configuration stays byte for byte: the image keeps its id. */
async function fromDocker(
  image: ArchivedImage,
  found: Findings,
  into: BlobStore,
  options: LoadOptions,
): Promise<NamedImage> {
  const configBytes = await configOf(image.config, found, into);
  const config = await into.put(configBytes, { mediaType: mediaTypes.ociConfig, digest: digestOf(configBytes) });
  const { diff_ids: diffIds } = parseConfig(configBytes).rootfs;
  if (diffIds.length !== image.layers.length)
    throw damaged(`its image has ${image.layers.length} layers, its configuration ${diffIds.length}`);
  const layers: Descriptor[] = [];
  for (const [i, name] of image.layers.entries()) {
    const layer = found.blobs.get(followed(name, found));
    if (!layer) throw damaged(`it lacks the layer ${JSON.stringify(name.slice(0, 200))}`);
    layers.push(await verified(layer, diffIds[i] as Digest, into, options));
  }
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const descriptor = await into.put(Buffer.from(JSON.stringify(manifest)), { mediaType: mediaTypes.ociManifest });
  return { descriptor, refs: image.refs };
}

async function configOf(name: string, found: Findings, into: BlobStore): Promise<Uint8Array> {
  const path = followed(name, found);
  const text = found.texts.get(path);
  const blob = found.blobs.get(path);
  if (!text && (!blob || blob.size > maxTextBytes))
    throw damaged(`it lacks the configuration ${JSON.stringify(name.slice(0, 200))}`);
  const bytes = text ?? (blob && (await readBlob(blob, into))) ?? new Uint8Array();
  const hex = /([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (hex !== undefined && digestOf(bytes) !== `sha256:${hex}`)
    throw new WbuildError("REG_DIGEST_MISMATCH", `the archive's ${name.slice(0, 200)} is not what its name says`);
  return bytes;
}

/** Links between members: docker and skopeo write layers once and name them often. */
function followed(name: string, found: Findings): string {
  let current = name.replace(/^\.\//, "");
  for (let i = 0; i < 16; i++) {
    const target = found.links.get(current);
    if (target === undefined || found.blobs.has(current)) return current;
    current = target;
  }
  throw damaged(`its links lead in a circle at ${JSON.stringify(name.slice(0, 200))}`);
}

/** The layer with its media type, when its content is what the configuration says. */
async function verified(layer: Descriptor, diffId: Digest, into: BlobStore, options: LoadOptions): Promise<Descriptor> {
  const { digest, size } = layer;
  const compression = await sniffed(layer, into);
  if (compression === "xz" || compression === "bzip2")
    throw damaged(`its layer ${digest} is compressed with ${compression}`);
  const mediaType = { gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd, none: mediaTypes.ociLayer }[
    compression ?? "none"
  ];
  let content = digest;
  if (compression !== undefined) {
    if (!options.decompress) throw damaged(`its layers are compressed with ${compression}, which cannot be read here`);
    const hash = createHash("sha256");
    for await (const part of options.decompress(into.open(layer), compression)) hash.update(part);
    content = `sha256:${hash.digest("hex")}`;
  }
  if (content !== diffId)
    throw new WbuildError(
      "REG_DIGEST_MISMATCH",
      `the archive's layer ${digest} is not the one that its configuration names`,
      {
        facts: { expected: diffId, found: content },
        hint: "the archive is damaged; make it anew",
      },
    );
  return { mediaType, digest, size };
}

async function sniffed(blob: Descriptor, into: BlobStore): Promise<Compression | undefined> {
  const parts: Uint8Array[] = [];
  for await (const part of into.open(blob, { from: 0, to: Math.min(6, blob.size) })) parts.push(part);
  return compressionOf(Buffer.concat(parts));
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
    for (const { digest, size } of [config, ...layers]) if ((await into.has(digest)) !== size) return undefined;
    return descriptor;
  }
  if (depth > 2) return undefined;
  const complete: Descriptor[] = [];
  for (const child of parseIndex(bytes, descriptor.mediaType).manifests)
    if (isDigest(child.digest) && (await checked(child, into, undefined, depth + 1))) complete.push(child);
  if (complete.length === 0) return undefined;
  if (!choose) return descriptor;
  const choice = choose(complete);
  return choice && checked(choice, into, choose, depth + 1);
}

async function readBlob(blob: Descriptor, into: BlobStore): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of into.open(blob)) parts.push(part);
  return Buffer.concat(parts);
}
