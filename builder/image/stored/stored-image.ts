/** What a descriptor of the store means: one image, or an index of images for several platforms. */
import type { Descriptor, Platform } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import type { ImageConfig, Index, Manifest } from "../../../registry/oci/image.ts";
import { isIndexType, isManifestType, parseConfig, parseIndex, parseManifest } from "../../../registry/oci/schema.ts";
import { formatPlatform, platformOf } from "../platform.ts";
import { readBytes } from "./read-bytes.ts";

/** An index that names an index is legal; a tower of them is an attack. */
const maxDepth = 3;

export async function readManifest(store: Store, descriptor: Descriptor): Promise<Manifest> {
  return parseManifest(await readBytes(store.blobs.open(descriptor)), descriptor.mediaType);
}

export async function readConfig(store: Store, descriptor: Descriptor): Promise<ImageConfig> {
  return parseConfig(await readBytes(store.blobs.open(descriptor)));
}

export async function readIndex(store: Store, descriptor: Descriptor): Promise<Index> {
  return parseIndex(await readBytes(store.blobs.open(descriptor)), descriptor.mediaType);
}

/**
 * The manifests of a descriptor's images, each with its platform, in the index's order: the descriptor itself when it
 * is no index. Attestations, which stand beside images under `unknown/unknown`, and images that are not in the store are
 * left out. Throws REG_MANIFEST, REG_CONFIG.
 */
export async function imagesIn(store: Store, descriptor: Descriptor): Promise<Descriptor[]> {
  return imagesBelow(store, descriptor, 0, new Set());
}

/** `seen`: attack: an index that names another ten thousand times, which does the same, is a few megabytes. */
async function imagesBelow(
  store: Store,
  descriptor: Descriptor,
  depth: number,
  seen: Set<string>,
): Promise<Descriptor[]> {
  if (!isIndexType(descriptor.mediaType)) return [await withPlatform(store, descriptor)];
  if (depth === maxDepth) throw new WbuildError("REG_MANIFEST", "an image has indexes in indexes in indexes");
  const found: Descriptor[] = [];
  for (const child of (await readIndex(store, descriptor)).manifests) {
    const isImage = isIndexType(child.mediaType) || isManifestType(child.mediaType);
    if (!isImage || child.platform?.os === "unknown") continue;
    const name = isIndexType(child.mediaType) ? child.digest : JSON.stringify([child.digest, child.platform]);
    if (seen.has(name)) continue;
    seen.add(name);
    if ((await store.blobs.has(child.digest)) !== child.size) continue;
    for (const image of await imagesBelow(store, child, depth + 1, seen)) found.push(image);
  }
  return found;
}

async function withPlatform(store: Store, descriptor: Descriptor): Promise<Descriptor> {
  if (descriptor.platform !== undefined) return descriptor;
  const { config } = await readManifest(store, descriptor);
  return { ...descriptor, platform: platformOf(await readConfig(store, config)) };
}

/** Every digest that a ref to the descriptor must keep: of an index also what its manifests name, attestations too. */
export async function keepsOf(store: Store, descriptor: Descriptor): Promise<Digest[]> {
  const keeps = new Set<Digest>();
  await keepsBelow(store, descriptor, 0, keeps);
  return [...keeps];
}

async function keepsBelow(store: Store, descriptor: Descriptor, depth: number, keeps: Set<Digest>): Promise<void> {
  if (keeps.has(descriptor.digest) || (await store.blobs.has(descriptor.digest)) !== descriptor.size) return;
  keeps.add(descriptor.digest);
  if (isManifestType(descriptor.mediaType)) {
    const { config, layers } = await readManifest(store, descriptor);
    for (const { digest } of [config, ...layers]) keeps.add(digest);
  } else if (isIndexType(descriptor.mediaType) && depth < maxDepth) {
    for (const child of (await readIndex(store, descriptor)).manifests)
      await keepsBelow(store, child, depth + 1, keeps);
  }
}

/** IMG_PLATFORM: what was asked for, and what there is. */
export function noSuchPlatform(what: string, wanted: Platform, offered: readonly Descriptor[]): WbuildError {
  const names = offered.flatMap(({ platform }) => (platform ? [formatPlatform(platform)] : []));
  return new WbuildError("IMG_PLATFORM", `${what} is not made for ${formatPlatform(wanted)}`, {
    facts: { wanted: formatPlatform(wanted), offered: names },
    hint: `it is made for ${names.join(", ") || "nothing that names a platform"}`,
  });
}
