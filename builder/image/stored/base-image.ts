/** FROM's name → image config and layers: from the store, else from its registry. Layers' blobs are fetched only at need. */
import { posix } from "node:path";
import * as v from "valibot";
import type { Descriptor, Layer, Platform } from "../../../layerfs/store/descriptor.ts";
import { type Digest, digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import type { ImageConfig, Manifest } from "../../../registry/oci/image.ts";
import { formatReference, parseReference } from "../../../registry/reference.ts";
import { normalizeFolder } from "../config/windows-path.ts";
import { choosePlatform, formatPlatform, hostPlatform } from "../platform.ts";
import { imagesIn, noSuchPlatform, readConfig, readManifest } from "./stored-image.ts";

export interface BaseImage {
  /** Full reference. */
  readonly reference: string;
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly Layer[];
}

export interface BaseOptions {
  readonly platform: Platform;
  /** Nobody asked for that platform: an image that exists for Windows only is taken, too. */
  readonly orWindows?: boolean;
  /** Ask the registry also for what is here. */
  readonly pull: boolean;
  readonly signal: AbortSignal;
}

/** Throws REG_* when neither the store nor the registry has it, IMG_PLATFORM when it is made for something else. */
export async function findBase(
  store: Store,
  registry: () => Promise<RegistryClient>,
  text: string,
  options: BaseOptions,
): Promise<BaseImage> {
  const parsed = parseReference(text);
  const reference = formatReference(parsed);
  const isLocal = parsed.registry === "wbuild.local";
  if (isLocal || !options.pull) {
    const known = await stored(store, reference, options, isLocal);
    if (known) return known;
  }
  const repository = (await registry()).repository(parsed);
  const { resolveImage } = await import("../../../registry/pull.ts");
  const resolved = await resolveImage(repository, parsed.digest ?? parsed.tag ?? "latest", {
    choose: (manifests) => bestOf(manifests, options),
    signal: options.signal,
  });
  const [manifest, config] = [await put(store, resolved.manifest), await put(store, resolved.config)];
  store.cache.put(rowName(reference, options.platform), JSON.stringify({ manifest }), [manifest.digest, config.digest]);
  return imageOf(reference, await readManifest(store, manifest), await readConfig(store, config));
}

/** What may be taken, best first. */
function platformsOf({ platform, orWindows }: Pick<BaseOptions, "platform" | "orWindows">): Platform[] {
  return orWindows ? [platform, { os: "windows", architecture: platform.architecture }] : [platform];
}

function bestOf(
  manifests: readonly Descriptor[],
  options: Pick<BaseOptions, "platform" | "orWindows">,
): Descriptor | undefined {
  for (const each of platformsOf(options)) {
    const found = choosePlatform(manifests, each);
    if (found) return found;
  }
  return undefined;
}

function rowName(reference: string, platform: Platform): string {
  return `base ${reference} ${formatPlatform(platform)}`;
}

const rowShape = v.object({
  manifest: v.object({ mediaType: v.string(), digest: v.string(), size: v.number() }),
});

async function stored(
  store: Store,
  reference: string,
  options: Pick<BaseOptions, "platform" | "orWindows">,
  isLocal: boolean,
): Promise<BaseImage | undefined> {
  const { platform } = options;
  const ref = store.refs.get(reference)?.descriptor;
  const row = ref ? undefined : store.cache.get(rowName(reference, platform));
  const found = ref ?? (row ? (v.parse(rowShape, JSON.parse(row.value)).manifest as Descriptor) : undefined);
  if (!found) return undefined;
  const images = await imagesIn(store, found);
  const chosen = bestOf(images, options);
  if (chosen) {
    const manifest = await readManifest(store, chosen);
    return imageOf(reference, manifest, await readConfig(store, manifest.config));
  }
  if (!isLocal) return undefined;
  const [only] = images;
  if (images.length !== 1 || !only?.platform) throw noSuchPlatform(reference, platform, images);
  const made = formatPlatform(only.platform);
  throw new WbuildError("IMG_PLATFORM", `${reference} is made for ${made}, not for ${formatPlatform(platform)}`, {
    facts: { reference, found: made, wanted: formatPlatform(platform) },
    hint: `for a stage of its own platform write FROM --platform=${only.platform.os}/${only.platform.architecture}`,
  });
}

/** An image whose content is in the store, under a name of its own. Throws IMG_PLATFORM. */
export async function baseOf(
  store: Store,
  descriptor: Descriptor,
  reference: string,
  options: Pick<BaseOptions, "platform" | "orWindows">,
): Promise<BaseImage> {
  const images = await imagesIn(store, descriptor);
  const chosen = bestOf(images, options);
  if (!chosen) throw noSuchPlatform(reference, options.platform, images);
  const manifest = await readManifest(store, chosen);
  return imageOf(reference, manifest, await readConfig(store, manifest.config));
}

/** What a base's name meant when it was looked up: a manifest or an index; undefined when nobody remembers. */
export function baseDigest(store: Store, reference: string, platform: Platform): Digest | undefined {
  const named = parseReference(reference).digest ?? store.refs.get(reference)?.descriptor.digest;
  if (named !== undefined) return named;
  const row = store.cache.get(rowName(reference, platform));
  return row ? (v.parse(rowShape, JSON.parse(row.value)).manifest.digest as Digest) : undefined;
}

/** The layers of a base that was looked up, now fetched, stay as long as what its name means is remembered. */
export async function keepBase(store: Store, reference: string, platform: Platform, layers: readonly Layer[]) {
  const here = new Set(layers.map(({ blob }) => blob.digest));
  for (const name of new Set([platform, hostPlatform()].map((each) => rowName(reference, each)))) {
    const row = store.cache.get(name);
    if (row === undefined) continue;
    const found = v.parse(rowShape, JSON.parse(row.value)).manifest as Descriptor;
    const { config, layers: named } = await readManifest(store, found);
    if (named.every(({ digest }) => here.has(digest)))
      store.cache.put(name, row.value, [found.digest, config.digest, ...here]);
  }
}

async function put(store: Store, blob: { bytes: Uint8Array; mediaType: string }): Promise<Descriptor> {
  const { bytes, mediaType } = blob;
  return store.blobs.put(bytes, { mediaType, digest: digestOf(bytes), size: bytes.length });
}

/** Pairs the manifest's layers with the config's diff IDs. Throws IMG_LAYERS when their numbers differ. */
export function layersOf(manifest: Manifest, config: ImageConfig): Layer[] {
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== manifest.layers.length) {
    throw new WbuildError(
      "IMG_LAYERS",
      `the image's manifest has ${manifest.layers.length} layers, its configuration ${diffIds.length}`,
      { facts: { layers: manifest.layers.length, diffIds: diffIds.length } },
    );
  }
  return manifest.layers.map((blob, i) => ({ blob, diffId: diffIds[i] as Digest }));
}

function imageOf(reference: string, manifest: Manifest, config: ImageConfig): BaseImage {
  const { WorkingDir } = config.config ?? {};
  // Foreign configurations have folders such as "app" or "../app": as in other builders they are meant from the root.
  const folder = config.os === "windows" ? normalizeFolder : (text: string) => posix.resolve("/", text);
  const absolute = WorkingDir ? { config: { ...config.config, WorkingDir: folder(WorkingDir) } } : {};
  return { reference, config: { ...config, ...absolute }, layers: layersOf(manifest, config) };
}
