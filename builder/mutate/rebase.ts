/** `rebase`: the layers and settings of an image on another base, without building. No layer is read but those of Windows. */
import type { Changes } from "../../layerfs/layer/change-list.ts";
import { openIndex } from "../../layerfs/layer/layer-index.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { type Image, mediaTypes } from "../../registry/oci/image.ts";
import type { NewImage } from "../image/output/write-image.ts";
import { formatPlatform } from "../image/platform.ts";
import { layersOf } from "../image/stored/base-image.ts";
import { historyLine } from "./edited.ts";
import { blobOf, namesOf, readHeads } from "./heads.ts";
import { mergeConfigs, mergeHistories } from "./merge-config.ts";
import { baseDigestKey, baseNameKey, checkLower } from "./old-base.ts";
import type { RebasedImages } from "./rebase-windows.ts";

export interface Rebase {
  readonly old: Image;
  readonly base: Image;
  /** As annotations name it: a full reference. */
  readonly baseName?: string;
  /** RFC 3339. */
  readonly created: string;
  readonly command: string;
}

/**
 * The image's own layers over those of the new base; the base's annotations say where it stands now (OCI manifests only).
 * Throws IMG_NOT_BASE when the old base is not below it, IMG_PLATFORM when the new one is for another system.
 */
export function rebaseImage(image: Image, { old, base, baseName, created, command }: Rebase): NewImage {
  checkLower(old, image, "the old base");
  checkSystem(image, base);
  const own = ownLayers(image, old);
  const config = mergeConfigs(old.config, image.config, base.config);
  const history = [...mergeHistories(old.config, image.config, base.config), historyLine(command, created)];
  const isOci = image.manifest.mediaType === mediaTypes.ociManifest;
  const now = {
    ...(baseName === undefined ? {} : { [baseNameKey]: baseName }),
    [baseDigestKey]: base.descriptor.digest,
  };
  // A name of the old base would be wrong beside the digest of the new one.
  const { [baseNameKey]: _, ...kept } = image.manifest.annotations ?? {};
  const annotations = isOci ? { ...kept, ...now } : image.manifest.annotations;
  return {
    ...(annotations ? { annotations } : {}),
    config: { ...config, created, history },
    layers: [...layersOf(base.manifest, base.config), ...own],
  };
}

function ownLayers(image: Image, old: Image): Layer[] {
  return layersOf(image.manifest, image.config).slice(old.manifest.layers.length);
}

function checkSystem({ config }: Image, base: Image): void {
  const [own, other] = [formatPlatform(bare(config)), formatPlatform(bare(base.config))];
  if (own === other) return;
  throw new WbuildError("IMG_PLATFORM", `an image for ${own} cannot stand on a base for ${other}`, {
    facts: { image: own, base: other },
  });
}

function bare({ os, architecture }: Image["config"]) {
  return { os, architecture };
}

/**
 * Whether the result can be used. A hard link of the image's own layers must not lead to a file that only the old base had.
 * Of Windows images the registry changes must fit the new base's hives, and importers find no error in the result which the
 * image did not have. Throws IMG_REBASE, which says what does not fit; for Windows IMG_INCOMPLETE where layers are not here.
 */
export async function checkRebased(store: Store, images: RebasedImages, signal: AbortSignal): Promise<void> {
  if (images.image.config.os === "windows") {
    const { checkWindowsRebase } = await import("./rebase-windows.ts");
    await checkWindowsRebase(store, images, signal);
  } else await checkLinks(store, images, signal);
}

/** Layers of bases are read only when a link leads there, and none where the registry alone has them. */
async function checkLinks(store: Store, { image, old, result }: RebasedImages, signal: AbortSignal): Promise<void> {
  const own: Changes[] = [];
  for (const layer of ownLayers(image, old)) {
    const index = store.layers.openIndex(layer.diffId);
    if (index !== undefined) own.push(openIndex(index));
    else if ((await store.blobs.has(layer.blob.digest)) === layer.blob.size)
      own.push((await readHeads(store, blobOf(store, layer, signal))).changes);
  }
  if (!leadsBelow(own)) return;
  const sizes = await Promise.all(result.manifest.layers.map(({ digest }) => store.blobs.has(digest)));
  if (sizes.includes(undefined)) return;
  try {
    await (await namesOf(store, result, signal)).stat("");
  } catch (cause) {
    if (!isWbuildError(cause, "TREE_HARDLINK")) throw cause;
    throw new WbuildError("IMG_REBASE", `the image's layers need a file of the old base: ${cause.message}`, {
      facts: cause.facts ?? {},
      hint: "build it on the new base",
    });
  }
}

/** A hard link leads to what none of these layers has. */
function leadsBelow(layers: readonly Changes[]): boolean {
  const targets = new Set<string>();
  for (const changes of layers)
    for (const change of changes)
      if (change.kind === "set" && change.entry.type === "hardlink") targets.add(change.entry.target ?? "");
  if (targets.size > 0)
    for (const changes of layers)
      for (const change of changes) if (change.kind === "set") targets.delete(change.entry.path);
  return targets.size > 0;
}
