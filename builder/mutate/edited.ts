/** One edit of one image, or of every image of an index: new documents in the store, and what a name for them must keep. */
import { compressionOf } from "../../layerfs/layer/compression.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { type History, type Image, type ImageConfig, type Index, mediaTypes } from "../../registry/oci/image.ts";
import { isIndexType } from "../../registry/oci/schema.ts";
import { type NewImage, type WrittenImage, writeImage, writeIndex } from "../image/output/write-image.ts";
import { platformOf } from "../image/platform.ts";
import { everyImage, type LocalImage, nameFor, untaggedName } from "../image/stored/local.ts";
import { readIndex } from "../image/stored/stored-image.ts";

/** What an image becomes. */
export type Edit = (image: Image) => Promise<NewImage>;

export interface Edited {
  /** The manifest, or the index where there was one. */
  readonly descriptor: Descriptor;
  readonly keeps: readonly Digest[];
  readonly images: readonly WrittenImage[];
  /** What people know the result by: the configuration's digest; of an index of several images its own. */
  readonly id: Digest;
  /** Entries of the index that could not come along: what was said about the images before, and images that are not here. */
  readonly leftOut: number;
}

/**
 * Carries the edit out on every image of the store that the name means. An index stays an index, with its annotations;
 * SBOMs, provenances and signatures speak of the images as they were and are left out. Documents keep Docker's or OCI's types.
 */
export async function editImages(store: Store, found: LocalImage, edit: Edit): Promise<Edited> {
  const index = isIndexType(found.whole.mediaType) ? await readIndex(store, found.whole) : undefined;
  const images: WrittenImage[] = [];
  for (const image of await everyImage(store, found)) images.push(await writeLike(store, image, await edit(image)));
  const [first] = images;
  if (first === undefined) throw new TypeError("an index without images");
  if (index === undefined) return { ...one(first), images, leftOut: 0 };
  const descriptor = await writeIndex(
    store.blobs,
    {
      manifests: images.map((image) => image.descriptor),
      ...(index.annotations ? { annotations: index.annotations } : {}),
    },
    found.whole.mediaType === mediaTypes.dockerIndex ? "docker" : "oci",
  );
  const keeps = [...new Set([descriptor.digest, ...images.flatMap((image) => image.keeps)])];
  const id = images.length > 1 ? descriptor.digest : first.manifest.config.digest;
  return { descriptor, keeps, images, id, leftOut: othersIn(index, images.length) };
}

function one({ descriptor, keeps, manifest }: WrittenImage) {
  return { descriptor, keeps, id: manifest.config.digest };
}

function othersIn({ manifests }: Index, images: number): number {
  return Math.max(0, manifests.length - images);
}

/** Docker's documents stay Docker's, but for annotations and layers of zstd, for which only OCI's have a place. */
async function writeLike(store: Store, before: Image, after: NewImage): Promise<WrittenImage> {
  const isDocker = before.manifest.mediaType === mediaTypes.dockerManifest;
  const needsOci =
    after.annotations !== undefined || after.layers.some(({ blob }) => compressionOf(blob.mediaType) === "zstd");
  const types = isDocker ? (needsOci ? "oci" : "docker") : undefined;
  const written = await writeImage(store.blobs, after, types);
  const { platform, annotations } = before.descriptor;
  const { variant } = platform?.architecture === written.config.architecture ? platform : { variant: undefined };
  return {
    ...written,
    descriptor: {
      ...written.descriptor,
      // An index may know the variant that a configuration leaves out.
      platform: { ...(variant === undefined ? {} : { variant }), ...platformOf(written.config) },
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}

/** Points the names at the result; without any it is kept under its digest. Throws REG_REFERENCE before anything is named. */
export function nameResult(store: Store, { descriptor, keeps }: Edited, names: readonly string[]): readonly string[] {
  const full = names.map(nameFor);
  for (const name of full) store.refs.set(name, descriptor, keeps);
  if (full.length === 0) store.refs.set(untaggedName(descriptor.digest), descriptor, keeps);
  return full;
}

/** A line of history: what was done, by which command. `created` is RFC 3339. */
export function historyLine(command: string, created: string, hasLayer = false): History {
  return { created, created_by: command, comment: "wbuild", ...(hasLayer ? {} : { empty_layer: true }) };
}

/** The image's history with a line for each layer: readers pair lines and layers by their order. */
export function fullHistory({ history = [], rootfs }: Pick<ImageConfig, "history" | "rootfs">): readonly History[] {
  const told = history.filter((line) => line.empty_layer !== true).length;
  const missing = Math.max(0, rootfs.diff_ids.length - told);
  return [...history, ...Array.from({ length: missing }, () => ({ created_by: "a layer without history" }))];
}
