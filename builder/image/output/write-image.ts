/** Config and layers → an image in the store: two small blobs, named by what they hold. */

import type { BlobStore } from "../../../layerfs/store/blob-store.ts";
import type { Descriptor, Layer } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { type ImageConfig, type Index, type Manifest, mediaTypes } from "../../../registry/oci/image.ts";
import { platformOf } from "../platform.ts";

export interface NewImage {
  /** rootfs is filled in from the layers. */
  readonly config: Omit<ImageConfig, "rootfs">;
  /** Bottom first. */
  readonly layers: readonly Layer[];
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of the descriptor that an index or layout has of it. */
  readonly descriptorAnnotations?: Readonly<Record<string, string>>;
}

/** Whose media types a document has. Docker's manifests have no annotations, and know no zstd. */
export type TypesOf = "oci" | "docker";

export interface WrittenImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Every digest a ref to this image must keep: manifest, config, layers. */
  readonly keeps: readonly Digest[];
}

/**
 * Writes config and manifest (OCI image specification, or Docker's schema 2). The layers' blobs must be in the store
 * already. Without `types` layers keep the media types that they came with.
 */
export async function writeImage(blobs: BlobStore, image: NewImage, types?: TypesOf): Promise<WrittenImage> {
  const config: ImageConfig = {
    ...image.config,
    rootfs: { type: "layers", diff_ids: image.layers.map((layer) => layer.diffId) },
  };
  const isDocker = types === "docker";
  const configBlob = await putJson(blobs, config, isDocker ? mediaTypes.dockerConfig : mediaTypes.ociConfig);
  const mediaType = isDocker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType,
    config: configBlob,
    layers: image.layers.map(({ blob }) => (types === undefined ? blob : retyped(blob, types))),
    ...(image.annotations ? { annotations: image.annotations } : {}),
  };
  const written = await putJson(blobs, manifest, mediaType);
  const { descriptorAnnotations: annotations } = image;
  const descriptor = { ...written, platform: platformOf(config), ...(annotations ? { annotations } : {}) };
  const keeps = [descriptor.digest, configBlob.digest, ...image.layers.map((layer) => layer.blob.digest)];
  return { descriptor, manifest, config, keeps };
}

const pairs: readonly (readonly [oci: string, docker: string])[] = [
  [mediaTypes.ociLayer, mediaTypes.dockerLayer],
  [mediaTypes.ociLayerGzip, mediaTypes.dockerLayerGzip],
  [mediaTypes.ociLayerZstd, mediaTypes.dockerLayerZstd],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"],
  [
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
  ],
];

/** The same layer by the other side's name for it. */
function retyped(blob: Descriptor, types: TypesOf): Descriptor {
  const pair = pairs.find((both) => both.includes(blob.mediaType));
  return pair ? { ...blob, mediaType: types === "oci" ? pair[0] : pair[1] } : blob;
}

export interface NewIndex {
  /** Images with their platforms, then what is said about them. */
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Writes an index (OCI image specification, "Image Index"). What it names must be in the store already. */
export async function writeIndex(
  blobs: BlobStore,
  { manifests, annotations }: NewIndex,
  types: TypesOf = "oci",
): Promise<Descriptor> {
  const mediaType = types === "docker" ? mediaTypes.dockerIndex : mediaTypes.ociIndex;
  const index: Index = {
    schemaVersion: 2,
    mediaType,
    manifests,
    ...(annotations ? { annotations } : {}),
  };
  return putJson(blobs, index, mediaType);
}

/** A document as a blob. A cached build writes what is there already: asking first saves the disk a sync. */
export async function putJson(blobs: BlobStore, value: unknown, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value), "utf8");
  const digest = digestOf(bytes);
  if ((await blobs.has(digest)) === bytes.length) return { mediaType, digest, size: bytes.length };
  return blobs.put(bytes, { mediaType, digest, size: bytes.length });
}
