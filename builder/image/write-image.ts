/** Config and layers → an image in the store: two small blobs, named by what they hold. */

import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { type ImageConfig, type Index, type Manifest, mediaTypes } from "../../registry/oci/image.ts";
import { platformOf } from "./platform.ts";

export interface NewImage {
  /** rootfs is filled in from the layers. */
  readonly config: Omit<ImageConfig, "rootfs">;
  /** Bottom first. */
  readonly layers: readonly Layer[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface WrittenImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Every digest a ref to this image must keep: manifest, config, layers. */
  readonly keeps: readonly Digest[];
}

/** Writes config and manifest (OCI image specification). The layers' blobs must be in the store already. */
export async function writeImage(blobs: BlobStore, image: NewImage): Promise<WrittenImage> {
  const config: ImageConfig = {
    ...image.config,
    rootfs: { type: "layers", diff_ids: image.layers.map((layer) => layer.diffId) },
  };
  const configBlob = await putJson(blobs, config, mediaTypes.ociConfig);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: configBlob,
    layers: image.layers.map((layer) => layer.blob),
    ...(image.annotations ? { annotations: image.annotations } : {}),
  };
  const written = await putJson(blobs, manifest, mediaTypes.ociManifest);
  const descriptor = { ...written, platform: platformOf(config) };
  const keeps = [descriptor.digest, configBlob.digest, ...image.layers.map((layer) => layer.blob.digest)];
  return { descriptor, manifest, config, keeps };
}

export interface NewIndex {
  /** Images with their platforms, then what is said about them. */
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Writes an index (OCI image specification, "Image Index"). What it names must be in the store already. */
export async function writeIndex(blobs: BlobStore, { manifests, annotations }: NewIndex): Promise<Descriptor> {
  const index: Index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests,
    ...(annotations ? { annotations } : {}),
  };
  return putJson(blobs, index, mediaTypes.ociIndex);
}

/** A cached build writes what is there already: asking first saves the disk a sync. */
async function putJson(blobs: BlobStore, value: unknown, mediaType: string): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(value), "utf8");
  const digest = digestOf(bytes);
  if ((await blobs.has(digest)) === bytes.length) return { mediaType, digest, size: bytes.length };
  return blobs.put(bytes, { mediaType, digest, size: bytes.length });
}
