/** The base that an image stands on: as it was named, as its annotations say, or as the store knows it. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import { findBaseOf } from "../image/stored/base-of.ts";

/** OCI image specification, "Pre-Defined Annotation Keys". */
export const baseNameKey = "org.opencontainers.image.base.name";
export const baseDigestKey = "org.opencontainers.image.base.digest";

/** Finds an image for a platform by name or digest; the caller decides where. */
export type Find = (text: string, platform: Platform) => Promise<Image>;

export interface Bases {
  readonly old: Image;
  /** The name under which the old base was built on; undefined when only its digest is known. */
  readonly name: string | undefined;
}

/**
 * The image's base: the one that was named, else that of its annotations, else the stored image that it begins with.
 * Throws IMG_NOT_BASE when nothing tells, or when its layers are not the image's lowest ones; and what `find` throws.
 */
export async function oldBaseOf(store: Store, image: Image, named: string | undefined, find: Find): Promise<Bases> {
  const { annotations = {} } = image.manifest;
  const [name, digest] = [annotations[baseNameKey], annotations[baseDigestKey]];
  const text = named ?? annotated(name, digest) ?? (await findBaseOf(store, image))?.name;
  if (text === undefined)
    throw new WbuildError("IMG_NOT_BASE", "nothing says which base the image was built on", {
      hint: "name it: --old-base NAME",
    });
  const old = await findLike(image, text, find);
  checkLower(old, image, text);
  return { old, name: named === undefined ? (name ?? text) : text };
}

/** Throws IMG_NOT_BASE unless the image begins with all layers of the base. */
export function checkLower(base: Image, image: Image, name: string): void {
  const [below, all] = [base.config.rootfs.diff_ids, image.config.rootfs.diff_ids];
  const wrong = below.findIndex((diffId, at) => diffId !== all[at]);
  if (wrong < 0) return;
  throw new WbuildError("IMG_NOT_BASE", `the layers of ${name} are not the lowest of the image`, {
    facts: { base: name, layer: wrong + 1, ofBase: below[wrong], ofImage: all[wrong] ?? "none" },
    hint: "name the base with which it was built, perhaps by its digest: a name may have moved since",
  });
}

/** A name may have moved since; the digest has not. */
function annotated(name: string | undefined, digest: string | undefined): string | undefined {
  if (digest === undefined) return name;
  if (name === undefined) return digest;
  return `${name.replace(/@.*$/s, "").replace(/:[^/:]*$/, "")}@${digest}`;
}

/** Of an index with several versions of Windows the image's own is meant; without it any that is for the system. */
async function findLike({ config }: Image, text: string, find: Find): Promise<Image> {
  const { os, architecture, variant, "os.version": version } = config;
  const platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (version === undefined) return find(text, platform);
  try {
    return await find(text, { ...platform, "os.version": version });
  } catch (error) {
    if (!isWbuildError(error, "IMG_PLATFORM")) throw error;
    return find(text, platform);
  }
}
