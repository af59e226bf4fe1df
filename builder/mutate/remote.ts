/** Images of a registry to be changed there: manifests and configurations come here, layers stay where they are. */
import type { Descriptor, Platform } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { isIndexType, isManifestType, maxConfigBytes, parseIndex, parseManifest } from "../../registry/oci/schema.ts";
import { fetchBlob } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { formatReference, isLocalOnly, parseReference, type Reference } from "../../registry/reference.ts";
import type { Repository } from "../../registry/repository.ts";
import type { TransferOptions } from "../image/move/transfer.ts";
import { choosePlatform, chooseUsual } from "../image/platform.ts";
import { findImage, type LocalImage } from "../image/stored/local.ts";
import { imagesIn, noSuchPlatform, readConfig, readManifest } from "../image/stored/stored-image.ts";
import { toldAsStep, warnLeftOut } from "../image/told-step.ts";
import type { Edited } from "./edited.ts";

export interface Remote {
  /** The image or index of this name; with a platform the one image for it. Of this host's own, the store's. Throws REG_*, IMG_PLATFORM. */
  find(text: string, platform?: Platform): Promise<LocalImage>;
  /** Brings a layer of an image that was found here into the store, unless it is there. Throws REG_*. */
  bring(blob: Descriptor): Promise<void>;
  /** Sends what the registry lacks; layers of images that were found here are mounted, or pass through. Gives the full name. */
  push(edited: Edited, text: string): Promise<string>;
}

/** An index that names an index is legal; a tower of them is an attack. */
const maxDepth = 3;

/** Nothing that is found gets a name in the store; it lives as long as the store's lease. */
export function remoteImages(store: Store, client: RegistryClient, options: TransferOptions): Remote {
  /** Where each layer can be had: the first image that named it. */
  const origins = new Map<string, Reference>();
  const bring: Remote["bring"] = async (blob) => {
    const origin = origins.get(blob.digest);
    if (origin === undefined || (await store.blobs.has(blob.digest)) !== undefined) return;
    await fetchBlob(client.repository(origin), blob, store.blobs, { signal: options.signal });
  };
  return {
    bring,
    async find(text, platform) {
      const reference = parseReference(text);
      if (isLocalOnly(reference)) return ofThisHost(store, text, platform);
      const repository = client.repository(reference);
      const named = await takeManifest(store, repository, reference.digest ?? reference.tag ?? "latest", 0);
      const images = await imagesIn(store, named);
      const chosen = platform === undefined ? (chooseUsual(images) ?? images[0]) : choosePlatform(images, platform);
      if (chosen === undefined && platform !== undefined) throw noSuchPlatform(text, platform, images);
      if (chosen === undefined) throw new WbuildError("REG_MANIFEST", `${text} names no image`);
      for (const image of images)
        for (const { digest } of (await readManifest(store, image)).layers)
          if (!origins.has(digest)) origins.set(digest, reference);
      const whole = platform === undefined ? named : chosen;
      return describe(store, formatReference(reference), whole, platform === undefined ? images : [chosen], chosen);
    },
    async push(edited, text) {
      const reference = parseReference(text);
      const name = formatReference(reference);
      await toldAsStep(options.report, `push ${formatReference(reference, { familiar: true })}`, async (onProgress) => {
        const result = await pushImage(client, edited.descriptor, reference, store.blobs, {
          mountFrom: (digest) => {
            const origin = origins.get(digest);
            return origin?.registry === reference.registry ? [origin.repository] : [];
          },
          bring,
          signal: options.signal,
          onProgress,
        });
        warnLeftOut(options.report, result);
      });
      return name;
    },
  };
}

/** What is made on this host comes from no registry: it is whole in the store, and what a push needs of it goes from there. */
async function ofThisHost(store: Store, text: string, platform: Platform | undefined): Promise<LocalImage> {
  try {
    return await findImage(store, text, platform);
  } catch (error) {
    if (!isWbuildError(error, "IMG_NOT_FOUND")) throw error;
    throw new WbuildError(
      "REG_LOCAL_ONLY",
      `${text} was made on a host, is not in this store, and no registry has it`,
      {
        facts: { reference: text },
        hint: "name the image in a registry that has the same layers; of a base: --old-base NAME",
      },
    );
  }
}

/** The document and what it names, but for layers. Other platforms' manifests come too: an index is changed as a whole. */
async function takeManifest(store: Store, repository: Repository, name: string, depth: number): Promise<Descriptor> {
  if (depth === maxDepth) throw new WbuildError("REG_MANIFEST", "an image has indexes in indexes in indexes");
  const { bytes, mediaType } = await repository.manifest(name);
  if (isIndexType(mediaType)) {
    for (const child of parseIndex(bytes, mediaType).manifests) {
      const isImage = isIndexType(child.mediaType) || isManifestType(child.mediaType);
      if (isImage && child.platform?.os !== "unknown") await takeManifest(store, repository, child.digest, depth + 1);
    }
  } else {
    const { config } = parseManifest(bytes, mediaType);
    // Attack: a "configuration" of a hundred gigabytes.
    if (config.size > maxConfigBytes)
      throw new WbuildError("REG_CONFIG", `the configuration has ${config.size} bytes, more than are accepted`);
    await fetchBlob(repository, config, store.blobs, {});
  }
  return store.blobs.put(bytes, { mediaType, digest: digestOf(bytes), size: bytes.length });
}

async function describe(
  store: Store,
  name: string,
  whole: Descriptor,
  images: readonly Descriptor[],
  descriptor: Descriptor,
): Promise<LocalImage> {
  const manifest = await readManifest(store, descriptor);
  const config = await readConfig(store, manifest.config);
  const ref = { name, descriptor: whole, keeps: [], createdMs: 0, updatedMs: 0 };
  const id = images.length > 1 ? whole.digest : manifest.config.digest;
  return { descriptor, manifest, config, name, id, whole, keeps: [], images, ref };
}
