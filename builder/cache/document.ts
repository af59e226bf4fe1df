/** A cache's configuration and layers as a document of a registry or layout: image manifest or index, both ways. */
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { isIndexType, isManifestType, parseConfig, parseIndex, parseManifest } from "../../registry/oci/schema.ts";
import { layersOf } from "../image/stored/base-image.ts";
import {
  cacheConfigType,
  decodeConfig,
  decodeInline,
  inlineMember,
  maxCacheConfigBytes,
  type ReadRecord,
} from "./config.ts";
import type { CacheForm } from "./spec.ts";

/** The tar's digest beside a layer, where containerd writes it, too. */
const uncompressedKey = "containerd.io/uncompressed";
/** Images of one index whose inline caches are read. */
const maxImages = 32;

export interface CacheDocument {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly config: Descriptor;
}

/** The document that names the configuration and all layers. */
export function writeDocument(config: Uint8Array, layers: readonly Layer[], form: CacheForm): CacheDocument {
  const named: Descriptor = { mediaType: cacheConfigType, digest: digestOf(config), size: config.length };
  const blobs = layers.map(({ blob, diffId }) => ({
    mediaType: blob.mediaType,
    digest: blob.digest,
    size: blob.size,
    annotations: { [uncompressedKey]: diffId },
  }));
  const mediaType = form.imageManifest
    ? mediaTypes.ociManifest
    : form.ociMediaTypes
      ? mediaTypes.ociIndex
      : mediaTypes.dockerIndex;
  const content = form.imageManifest ? { config: named, layers: blobs } : { manifests: [...blobs, named] };
  return { bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content })), mediaType, config: named };
}

export interface DocumentReader {
  /** A manifest or index, verified. */
  manifest(which: Descriptor): Promise<{ readonly bytes: Uint8Array; readonly mediaType: string }>;
  /** A whole small blob, verified. */
  blob(which: Descriptor): Promise<Uint8Array>;
}

/**
 * The records behind a document: a cache's, or those that an image (each image of an index) has inline.
 * `isForeign`: there is a cache, and nothing of ours in it. Throws CACHE_CONFIG, REG_MANIFEST, REG_CONFIG.
 */
export async function readDocument(
  document: { readonly bytes: Uint8Array; readonly mediaType: string },
  reader: DocumentReader,
): Promise<{ records: ReadRecord[]; isForeign: boolean }> {
  const { bytes, mediaType } = document;
  if (isIndexType(mediaType)) {
    const { manifests } = parseIndex(bytes, mediaType);
    const config = manifests.find((one) => one.mediaType === cacheConfigType);
    if (config) return ours(await readConfigBlob(config, reader));
    const records: ReadRecord[] = [];
    let isForeign = false;
    for (const child of manifests.filter((one) => isManifestType(one.mediaType)).slice(0, maxImages)) {
      const found = await readDocument(await reader.manifest(child), reader);
      records.push(...found.records);
      isForeign ||= found.isForeign;
    }
    return { records, isForeign: isForeign && records.length === 0 };
  }
  if (!isManifestType(mediaType)) throw new WbuildError("CACHE_CONFIG", "it is neither a cache nor an image");
  const manifest = parseManifest(bytes, mediaType);
  if (manifest.config.mediaType === cacheConfigType) return ours(await readConfigBlob(manifest.config, reader));
  const config = parseConfig(await reader.blob(bounded(manifest.config)));
  const inline: unknown = (config as { [inlineMember]?: unknown })[inlineMember];
  if (typeof inline !== "string") return { records: [], isForeign: false };
  return ours(decodeInline(inline, layersOf(manifest, config)));
}

async function readConfigBlob(config: Descriptor, reader: DocumentReader): Promise<ReadRecord[]> {
  return decodeConfig(await reader.blob(bounded(config)));
}

/** Attack: a descriptor of many gigabytes that would be read into memory. */
function bounded(config: Descriptor): Descriptor {
  if (config.size <= maxCacheConfigBytes) return config;
  throw new WbuildError("CACHE_CONFIG", `its configuration has ${config.size} bytes, which is too much`);
}

function ours(records: ReadRecord[]): { records: ReadRecord[]; isForeign: boolean } {
  return { records, isForeign: records.length === 0 };
}
