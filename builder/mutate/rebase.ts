/** `rebase`: the layers and settings of an image on another base, without building. No layer is read but those of Windows. */
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { type Image, mediaTypes } from "../../registry/oci/image.ts";
import { layersOf } from "../image/base-image.ts";
import { formatPlatform } from "../image/platform.ts";
import type { NewImage } from "../image/write-image.ts";
import { historyLine } from "./edited.ts";
import { mergeConfigs, mergeHistories } from "./merge-config.ts";
import { baseDigestKey, baseNameKey, checkLower } from "./old-base.ts";

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
  const annotations = isOci ? { ...image.manifest.annotations, ...now } : image.manifest.annotations;
  return {
    ...(annotations ? { annotations } : {}),
    config: { ...config, created, history },
    layers: [...layersOf(base.manifest, base.config), ...own],
  };
}

export function ownLayers(image: Image, old: Image): Layer[] {
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
 * Whether the result can be used: all its layers, laid over each other, make a tree. Of Windows images also that their
 * registry changes fit the new base's hives, and that importers find no error in the result which the image did not have.
 * Throws IMG_REBASE, which says what does not fit, and IMG_INCOMPLETE where layers are not in the store.
 */
export async function checkRebased(
  store: Store,
  images: { readonly image: Image; readonly old: Image; readonly result: Image; readonly force: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (images.image.config.os !== "windows") return;
  const { checkWindowsRebase } = await import("./rebase-windows.ts");
  await checkWindowsRebase(store, images, signal);
}
