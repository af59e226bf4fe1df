/** An image as `docker image inspect` shows it. Field names are docker's. */
import type { Store } from "../../../layerfs/store/store.ts";
import { type LocalImage, listImages, shortName } from "../stored/local.ts";
import { layerSizes } from "./layer-sizes.ts";

/** One element of the array that `inspect` prints. Size is uncompressed bytes, as docker counts. */
export async function inspectImage(store: Store, image: LocalImage): Promise<Readonly<Record<string, unknown>>> {
  const { config, id, images, manifest, whole } = image;
  const names = (await listImages(store)).filter((row) => row.id === id && row.name !== undefined);
  const tags = names
    .map((row) => shortName(row.name ?? ""))
    .filter((name) => name !== undefined && !name.includes("@"));
  const digests = names.map((row) => `${row.repository}@${row.whole.digest}`);
  const sizes = await layerSizes(store, image);
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
    Size: sizes.reduce((sum, size) => sum + size, 0),
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Descriptor: { mediaType: whole.mediaType, digest: whole.digest, size: whole.size },
    ...(images.length > 1
      ? { Manifests: images.map(({ digest, size, platform }) => ({ Digest: digest, Size: size, Platform: platform })) }
      : {}),
    Layers: manifest.layers.map(({ mediaType, digest, size }, i) => ({
      MediaType: mediaType,
      Digest: digest,
      Size: size,
      Uncompressed: sizes[i],
    })),
  };
}
