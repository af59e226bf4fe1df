/** Images of the store by what people call them: a name, an image ID or the start of one, a digest. */

import type { Descriptor, Platform } from "../../../layerfs/store/descriptor.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import { isDigest } from "../../../layerfs/store/digest.ts";
import type { Ref } from "../../../layerfs/store/refs.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import type { Image } from "../../../registry/oci/image.ts";
import { formatName, formatReference, parseReference } from "../../../registry/reference.ts";
import { nearest } from "../../diagnose/nearest.ts";
import { formatBytes } from "../../progress/units.ts";
import { humanAge } from "../format/go-text.ts";
import { choosePlatform, chooseUsual, formatPlatform } from "../platform.ts";
import { leftLayers } from "./left-layers.ts";
import { imagesIn, keepsOf, noSuchPlatform, readConfig, readManifest } from "./stored-image.ts";

/** Refs of images that nobody named, so that they are not collected: this and the manifest's digest. */
const untagged = "<none>@";

/** The name under which the store keeps an image that was built or loaded without one. */
export function untaggedName(manifest: Digest): string {
  return `${untagged}${manifest}`;
}

/** One image. Of an index it is the one for the platform that was asked for, else the one that would run here. */
export interface LocalImage extends Image {
  /** As the store has it; undefined when it was found by its digest and has no name. */
  readonly name: string | undefined;
  /** What people know it by: the digest of the configuration; of an index of several images, the index's own. */
  readonly id: Digest;
  /** What the name means: the same manifest, or the index. What is tagged, pushed and saved. */
  readonly whole: Descriptor;
  /** Every digest that `whole` needs. */
  readonly keeps: readonly Digest[];
  /** The manifests of all images of `whole`, with their platforms. */
  readonly images: readonly Descriptor[];
  readonly ref: Ref;
}

export interface ImageRow extends LocalImage {
  /** As people type it, without `docker.io/library/`; `<none>` when there is no name. */
  readonly repository: string;
  readonly tag: string;
  /** Bytes of everything that the name keeps, as it is stored. */
  readonly sizeBytes: number;
  /** Those of them that were left in a registry. */
  readonly elsewhereBytes: number;
  /** Milliseconds since 1970: when it was made, else when it came here. */
  readonly createdMs: number;
}

/**
 * Finds one image. Names win over IDs. Throws IMG_NOT_FOUND, with the nearest name there is, IMG_AMBIGUOUS for the start of
 * several IDs, and REG_REFERENCE for text that can be neither. With `platform` the image for it alone, as if the index
 * around it were not there; IMG_PLATFORM when there is none.
 */
export async function findImage(store: Store, text: string, platform?: Platform): Promise<LocalImage> {
  const found = await find(store, text);
  if (platform === undefined) return found;
  const chosen = choosePlatform(found.images, platform);
  if (!chosen) throw noSuchPlatform(text, platform, found.images);
  return alone(store, found, chosen);
}

/** Each image of an index by itself; an image that stands alone as it is. */
export async function everyImage(store: Store, image: LocalImage): Promise<LocalImage[]> {
  if (image.images.length <= 1) return [image];
  return Promise.all(image.images.map((one) => alone(store, image, one)));
}

async function find(store: Store, text: string): Promise<LocalImage> {
  const hex = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(text)?.[1];
  const reference = hex?.length === 64 || text.startsWith("sha256:") ? undefined : parseReference(text);
  if (reference) {
    const named = store.refs.get(formatReference(reference));
    if (named) return localImage(store, named);
    if (reference.digest) {
      const wanted = reference.digest;
      const found = store.refs
        .list()
        .find((ref) => ref.descriptor.digest === wanted && isOf(ref.name, formatName(reference)));
      if (found) return localImage(store, found);
    }
  }
  const all = store.refs.list();
  if (hex !== undefined) {
    const found = new Map<Digest, LocalImage>();
    for (const ref of all) {
      for (const image of await meantBy(`sha256:${hex}`, await localImage(store, ref), store))
        found.set(image.id, image);
    }
    const [first] = found.values();
    if (first && found.size === 1) return first;
    if (found.size > 1)
      throw new WbuildError("IMG_AMBIGUOUS", `${found.size} images have an ID that starts with ${hex}`, {
        facts: { text, found: [...found.keys()] },
        hint: "give more of its digits",
      });
  }
  const names = all.map((ref) => shortName(ref.name)).filter((name) => name !== undefined);
  const near = nearest(text, [...names, ...names.map((name) => name.replace(/:latest$/, ""))]);
  throw new WbuildError("IMG_NOT_FOUND", `the store has no image ${JSON.stringify(text.slice(0, 200))}`, {
    facts: { text: text.slice(0, 200), nearest: near },
    hint: near
      ? `did you mean ${near}? \`wbuild images\` lists what there is`
      : "`wbuild images` lists what there is, `wbuild pull` fetches one",
  });
}

/** Every name that is an image, by name. Names that lost their content are left out. */
export async function listImages(store: Store): Promise<ImageRow[]> {
  const rows: ImageRow[] = [];
  for (const ref of store.refs.list()) {
    const image = await localImage(store, ref).catch(() => undefined);
    if (image) rows.push(await rowOf(store, image));
  }
  return rows;
}

/** The full name for a ref; throws REG_REFERENCE, and REG_REFERENCE for one with a digest, which nobody can give away. */
export function nameFor(text: string): string {
  const reference = parseReference(text);
  if (reference.digest === undefined) return formatReference(reference);
  throw new WbuildError("REG_REFERENCE", `an image cannot be named ${JSON.stringify(text)}: a digest is no tag`, {
    hint: "leave out what follows the @",
  });
}

/** Points another name at the image. */
export function tagImage(store: Store, image: LocalImage, text: string): string {
  const name = nameFor(text);
  store.refs.set(name, image.whole, image.keeps);
  store.refs.delete(untaggedName(image.whole.digest));
  return name;
}

export interface Removal {
  readonly untagged: readonly string[];
  /** Set when the last name went; the content goes with the next collection. */
  readonly deleted: Digest | undefined;
}

/**
 * Removes a name; by ID, all its names. With several names `force` is needed to remove by ID (IMG_SEVERAL_NAMES).
 * Throws IMG_NOT_FOUND.
 */
export async function removeImage(store: Store, text: string, force: boolean): Promise<Removal> {
  const image = await findImage(store, text);
  const sameImage: Ref[] = [];
  for (const ref of store.refs.list()) {
    const other = await localImage(store, ref).catch(() => undefined);
    if (other?.id === image.id) sameImage.push(ref);
  }
  if (sameImage.length === 0)
    throw new WbuildError(
      "IMG_NOT_FOUND",
      `${text} is one image of several under one name, and cannot be removed alone`,
      {
        facts: { text, name: image.ref.name },
        hint: `remove ${shortName(image.ref.name) ?? image.ref.descriptor.digest}, which holds it`,
      },
    );
  const byId =
    /^(?:sha256:)?[0-9a-f]{4,64}$/.test(text) && shortName(image.ref.name) !== shortName(fullName(text) ?? "");
  if (byId && sameImage.length > 1 && !force)
    throw new WbuildError("IMG_SEVERAL_NAMES", `image ${text} has ${sameImage.length} names`, {
      facts: { names: sameImage.map((ref) => ref.name) },
      hint: "remove one name, or all of them with --force",
    });
  const going = byId ? sameImage : [image.ref];
  for (const ref of going) store.refs.delete(ref.name);
  return {
    untagged: going.map((ref) => shortName(ref.name)).filter((name) => name !== undefined),
    deleted: going.length === sameImage.length ? image.id : undefined,
  };
}

/** As people type it: `docker.io/library/alpine:3` is `alpine:3`. undefined for an image without a name. */
export function shortName(name: string): string | undefined {
  if (name.startsWith(untagged)) return undefined;
  try {
    return formatReference(parseReference(name), { familiar: true });
  } catch {
    return name;
  }
}

function fullName(text: string): string | undefined {
  try {
    return formatReference(parseReference(text));
  } catch {
    return undefined;
  }
}

function isOf(name: string, repository: string): boolean {
  return name.startsWith(`${repository}:`) || name.startsWith(`${repository}@`);
}

async function localImage(store: Store, ref: Ref): Promise<LocalImage> {
  const images = await imagesIn(store, ref.descriptor);
  const descriptor = chooseUsual(images) ?? images[0];
  if (!descriptor)
    throw new WbuildError("IMG_INCOMPLETE", `the store has none of the images of ${ref.name}`, {
      hint: "pull or build it again",
    });
  const manifest = await readManifest(store, descriptor);
  const config = await readConfig(store, manifest.config);
  const name = ref.name.startsWith(untagged) ? undefined : ref.name;
  const id = images.length > 1 ? ref.descriptor.digest : manifest.config.digest;
  return { descriptor, manifest, config, id, name, ref, whole: ref.descriptor, keeps: ref.keeps, images };
}

/** An image of an index, taken by itself. */
async function alone(store: Store, image: LocalImage, descriptor: Descriptor): Promise<LocalImage> {
  const manifest = await readManifest(store, descriptor);
  const config = await readConfig(store, manifest.config);
  const keeps = await keepsOf(store, descriptor);
  const own = { descriptor, manifest, config, whole: descriptor, keeps, images: [descriptor] };
  return { ...image, ...own, id: manifest.config.digest };
}

/** What the start of a digest means in a name's content: the whole, or one image of several. */
async function meantBy(start: string, image: LocalImage, store: Store): Promise<LocalImage[]> {
  if ([image.id, image.whole.digest].some((digest) => digest.startsWith(start))) return [image];
  const each = await everyImage(store, image);
  const found = each.filter((one) => one.id.startsWith(start) || one.descriptor.digest.startsWith(start));
  // An image that is alone in its index (beside attestations) is meant with them.
  return each.length === 1 && found.length === 1 ? [image] : found;
}

async function rowOf(store: Store, image: LocalImage): Promise<ImageRow> {
  const { config, name, ref } = image;
  const made = Date.parse(config.created ?? "");
  const reference = name === undefined ? undefined : parseReferenceOf(name);
  const images = await everyImage(store, image);
  const left = await leftLayers(store, images).catch(() => []);
  return {
    ...image,
    repository: reference ? formatName(reference, { familiar: true }) : "<none>",
    tag: reference?.tag ?? "<none>",
    sizeBytes: sizeOf(image, images),
    elsewhereBytes: left.reduce((sum, { blob }) => sum + blob.size, 0),
    createdMs: Number.isFinite(made) ? made : ref.createdMs,
  };
}

/** Manifests, configurations and layers; what images of an index share counts once. */
function sizeOf(image: LocalImage, images: readonly LocalImage[]): number {
  const sizes = new Map<Digest, number>([[image.whole.digest, image.whole.size]]);
  for (const { descriptor, manifest } of images)
    for (const { digest, size } of [descriptor, manifest.config, ...manifest.layers]) sizes.set(digest, size);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

function parseReferenceOf(name: string) {
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}

/** `sha256:0123456789ab…` as the twelve digits that people compare. */
function shortId(id: string): string {
  return isDigest(id) ? id.slice("sha256:".length, "sha256:".length + 12) : id.slice(0, 12);
}

/** Forgets images that have no name (made before `until`, milliseconds since 1970, when given). Gives how many. */
export function removeUntagged(store: Store, until: number | undefined): number {
  const going = store.refs
    .list()
    .filter((ref) => ref.name.startsWith(untagged) && (until === undefined || ref.updatedMs < until));
  for (const ref of going) store.refs.delete(ref.name);
  return going.length;
}

/** Images whose name fits: `app` any tag, `app:1` that one, `*` any characters. All of them without a pattern. */
export function matchImages(images: readonly ImageRow[], pattern: string | undefined): ImageRow[] {
  if (pattern === undefined) return [...images];
  const words = pattern.split("*").map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const shape = new RegExp(`^${words.join(".*")}$`);
  return images.filter(({ repository, tag, name }) =>
    [repository, `${repository}:${tag}`, name, name?.replace(/:[^:/]*$/, "")].some(
      (text) => text !== undefined && shape.test(text),
    ),
  );
}

/** Docker's field names for templates and JSON. */
export function imageFields(image: ImageRow, options: { readonly isFull: boolean; readonly now: number }) {
  return {
    Repository: image.repository,
    Tag: image.tag,
    Digest: image.whole.digest,
    ID: options.isFull ? image.id : shortId(image.id),
    CreatedSince: humanAge(image.createdMs, options.now),
    CreatedAt: new Date(image.createdMs).toISOString(),
    Size: formatBytes(image.sizeBytes),
    Elsewhere: formatBytes(image.elsewhereBytes),
    Platforms: image.images.map(({ platform }) => (platform ? formatPlatform(platform) : "unknown")).join(", "),
  };
}
