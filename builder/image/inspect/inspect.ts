/** An image as `docker image inspect` shows it. Field names are docker's. */
import type { Store } from "../../../layerfs/store/store.ts";
import { isLayout, leftLayers } from "../stored/left-layers.ts";
import { type LocalImage, listImages, shortName } from "../stored/local.ts";
import { layerSizes } from "./layer-sizes.ts";

/**
 * One element of the array that `inspect` prints. Size is uncompressed bytes, as docker counts; layers that were left
 * elsewhere count as they are there, and are told of.
 */
export async function inspectImage(store: Store, image: LocalImage): Promise<Readonly<Record<string, unknown>>> {
  const { config, id, images, manifest, whole } = image;
  const names = (await listImages(store)).filter((row) => row.id === id && row.name !== undefined);
  const tags = names
    .map((row) => shortName(row.name ?? ""))
    .filter((name) => name !== undefined && !name.includes("@"));
  const digests = names.map((row) => `${row.repository}@${row.whole.digest}`);
  const sizes = await layerSizes(store, image);
  const left = new Map((await leftLayers(store, [image])).map(({ blob, sources }) => [blob.digest, sources]));
  const elsewhere = manifest.layers.filter(({ digest }) => left.has(digest));
  return {
    Id: id,
    RepoTags: tags,
    RepoDigests: [...new Set(digests)],
    Comment: config.history?.at(-1)?.comment ?? "",
    Created: config.created ?? "",
    Author: config.author ?? "",
    Config: config.config ?? {},
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config["os.version"] === undefined ? {} : { OsVersion: config["os.version"] }),
    Size: manifest.layers.reduce((sum, { size }, i) => sum + (sizes[i] ?? size), 0),
    ...(elsewhere.length === 0
      ? {}
      : { Elsewhere: { Layers: elsewhere.length, Size: elsewhere.reduce((sum, { size }) => sum + size, 0) } }),
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Descriptor: { mediaType: whole.mediaType, digest: whole.digest, size: whole.size },
    ...(images.length > 1
      ? { Manifests: images.map(({ digest, size, platform }) => ({ Digest: digest, Size: size, Platform: platform })) }
      : {}),
    Layers: manifest.layers.map(({ mediaType, digest, size }, i) => ({
      MediaType: mediaType,
      Digest: digest,
      Size: size,
      ...(sizes[i] === undefined ? {} : { Uncompressed: sizes[i] }),
      ...(left.has(digest)
        ? { Elsewhere: left.get(digest)?.map((one) => (isLayout(one) ? one.layout : one.reference)) }
        : {}),
    })),
  };
}
