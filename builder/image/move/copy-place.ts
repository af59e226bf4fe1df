/** Places of images as people type them, for `copy`, `sync` and `manifest`: skopeo's transports, and names of registries. */
import type { Platform } from "../../../layerfs/store/descriptor.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { WbuildError } from "../../../native/error.ts";
import type { NamedImage } from "../../../registry/archive/layout.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import type { CopySource, CopyTarget } from "../../../registry/copy/place.ts";
import { formatReference, parseReference, type Reference } from "../../../registry/reference.ts";
import { repositoriesWith } from "../stored/left-layers.ts";
import { everyImage, findImage, nameFor } from "../stored/local.ts";
import { bringerOf } from "./bring-images.ts";

export type Place =
  | { readonly kind: "registry"; readonly reference: Reference }
  | { readonly kind: "store"; readonly name: string }
  /** `image` is what the place calls the image: a tag, a full name or a digest. */
  | { readonly kind: "oci" | "oci-archive" | "docker-archive"; readonly path: string; readonly image?: string }
  | { readonly kind: "dir"; readonly path: string };

const transports = ["docker", "store", "oci", "oci-archive", "docker-archive", "dir"] as const;
/** Of skopeo's, those that need another program's storage or daemon. */
const unknown = ["containers-storage", "docker-daemon", "ostree", "sif", "tarball", "atomic"];

/**
 * `docker://REF`, `oci:PATH[:TAG]`, `oci-archive:PATH[:REF]`, `docker-archive:PATH[:REF]`, `dir:PATH`, `store:NAME`; what has
 * none of these words is the name of an image in a registry. Throws CLI_VALUE, REG_REFERENCE.
 */
export function parsePlace(text: string): Place {
  const [, word = "", rest = ""] = /^([a-z-]+):(.*)$/s.exec(text) ?? [];
  if (unknown.includes(word))
    throw new WbuildError("CLI_VALUE", `${JSON.stringify(`${word}:`)} is a place that wbuild does not know`, {
      facts: { text: text.slice(0, 200) },
      hint: "go through an archive: oci-archive:FILE or docker-archive:FILE",
    });
  const kind = transports.find((one) => one === word);
  if (kind === undefined || (kind === "docker" && !rest.startsWith("//"))) return named(text);
  if (kind === "docker") return named(rest.slice(2));
  if (rest === "")
    throw new WbuildError("CLI_VALUE", `${JSON.stringify(text)} names no ${kind === "store" ? "image" : "path"}`);
  if (kind === "store") return { kind, name: rest };
  if (kind === "dir") return { kind, path: rest };
  // As in skopeo, a path has no colon: what follows the first one is the image's name.
  const colon = rest.indexOf(":");
  const image = colon < 0 ? "" : rest.slice(colon + 1);
  return { kind, path: colon < 0 ? rest : rest.slice(0, colon), ...(image === "" ? {} : { image }) };
}

function named(text: string): Place {
  if (/^(?:\.{0,2}\/|~)/.test(text) || text === "." || text === "..")
    throw new WbuildError(
      "CLI_VALUE",
      `${JSON.stringify(text.slice(0, 200))} is a path, and says nothing of its kind`,
      {
        hint: "write oci:PATH, oci-archive:FILE, docker-archive:FILE or dir:PATH",
      },
    );
  return { kind: "registry", reference: parseReference(text) };
}

/** As people would type it again. */
export function formatPlace(place: Place): string {
  if (place.kind === "registry") return formatReference(place.reference, { familiar: true });
  if (place.kind === "store") return `store:${place.name}`;
  return `${place.kind}:${place.path}${"image" in place && place.image !== undefined ? `:${place.image}` : ""}`;
}

/** The registries that places name, for --plain-http. */
export function registriesOf(places: readonly Place[]): string[] {
  return [...new Set(places.flatMap((place) => (place.kind === "registry" ? [place.reference.registry] : [])))];
}

/** What places are opened with; each is asked for only when a place needs it. */
export interface PlaceWorld {
  registry(): Promise<RegistryClient>;
  store(): Promise<Store>;
  readonly signal: AbortSignal;
}

export interface SourceOptions {
  /** Of a store's index this image alone. */
  readonly platform?: Platform;
  /** It is read in order to be changed there: a mirror may have an older one. */
  readonly isTarget?: boolean;
}

/** Throws IMG_NOT_FOUND, REG_NOT_FOUND, REG_ARCHIVE, REG_LOCAL_ONLY. */
export async function openSource(
  place: Place,
  world: PlaceWorld,
  { platform, isTarget = false }: SourceOptions = {},
): Promise<CopySource> {
  switch (place.kind) {
    case "registry": {
      const { remoteSource } = await import("../../../registry/copy/remote.ts");
      return remoteSource(await world.registry(), place.reference, { isTarget });
    }
    case "store": {
      const { storeSource } = await import("../../../registry/copy/stored.ts");
      const store = await world.store();
      const image = await findImage(store, place.name, platform);
      const bring = await bringerOf(await everyImage(store, image), { ...world, store });
      return storeSource(store.blobs, formatPlace(place), image.whole, {
        ...(bring === undefined ? {} : { bring }),
        repositoryOf: (blob, registry) => repositoriesWith(store, blob, registry)[0],
      });
    }
    case "oci": {
      const { layoutSource } = await import("../../../registry/copy/layout.ts");
      return layoutSource(place.path, place.image);
    }
    case "dir": {
      const { folderSource } = await import("../../../registry/copy/folder.ts");
      return folderSource(place.path);
    }
    default:
      return openArchive(place, world);
  }
}

/** Parts of a tar lie in any order, and it may be compressed: it is read once, and the store keeps what is asked for later. */
async function openArchive(place: Extract<Place, { readonly image?: string }>, world: PlaceWorld): Promise<CopySource> {
  const { loadArchive } = await import("../../../registry/archive/load.ts");
  const { storeSource } = await import("../../../registry/copy/stored.ts");
  const { decompressStream } = await import("../../../layerfs/layer/compress.ts");
  const { transcodeLayer } = await import("../output/transcode.ts");
  const store = await world.store();
  const images = await loadArchive({ path: place.path }, store.blobs, {
    decompress: (bytes) => decompressStream(bytes),
    compress: async (layer) => (await transcodeLayer(store, layer, "gzip")).blob,
    signal: world.signal,
  });
  return storeSource(store.blobs, formatPlace(place), meant(images, place).descriptor);
}

function meant(images: readonly NamedImage[], place: Extract<Place, { readonly image?: string }>): NamedImage {
  const { image, path } = place;
  const full = image === undefined ? undefined : normal(image);
  const isMeant = ({ descriptor, refs, tag }: NamedImage) =>
    tag === image || descriptor.digest === image || refs.some((ref) => ref === full || ref.endsWith(`:${image}`));
  // What says something about an image lies beside it without a name.
  const named = images.filter(({ refs, tag }) => refs.length > 0 || tag !== undefined);
  const fitting = image === undefined ? (named.length === 1 ? named : images) : images.filter(isMeant);
  const [found] = fitting;
  if (found && (image !== undefined || fitting.length === 1)) return found;
  const names = images.flatMap(({ refs, tag, descriptor }) => (refs.length > 0 ? refs : [tag ?? descriptor.digest]));
  throw new WbuildError(
    "REG_NOT_FOUND",
    image === undefined ? `${path} has ${images.length} images` : `${path} has no image ${JSON.stringify(image)}`,
    { facts: { path, names: names.slice(0, 20) }, hint: `name one of: ${names.slice(0, 20).join(", ")}` },
  );
}

function normal(text: string): string | undefined {
  try {
    return formatReference(parseReference(text));
  } catch {
    return undefined;
  }
}

/** Throws REG_ARCHIVE_TARGET, REG_REFERENCE, REG_LOCAL_ONLY. */
export async function openTarget(place: Place, world: PlaceWorld): Promise<CopyTarget> {
  switch (place.kind) {
    case "registry": {
      const { remoteTarget } = await import("../../../registry/copy/remote.ts");
      return remoteTarget(await world.registry(), place.reference);
    }
    case "store": {
      const { storeTarget } = await import("../../../registry/copy/stored.ts");
      const store = await world.store();
      const name = nameFor(place.name);
      return storeTarget(store.blobs, formatPlace(place), (image, keeps) => store.refs.set(name, image, keeps));
    }
    case "oci": {
      const { layoutTarget } = await import("../../../registry/copy/layout.ts");
      return layoutTarget(place.path, place.image);
    }
    case "dir": {
      const { folderTarget } = await import("../../../registry/copy/folder.ts");
      return folderTarget(place.path);
    }
    default: {
      const { dockerArchiveTarget, ociArchiveTarget } = await import("../../../registry/copy/archive.ts");
      const { tarFileSink } = await import("../../../registry/archive/sink.ts");
      const refs = place.image === undefined ? [] : [place.image];
      if (place.kind === "oci-archive")
        return ociArchiveTarget(await tarFileSink(place.path), formatPlace(place), place.image);
      const names = refs.map(nameFor);
      return dockerArchiveTarget(await tarFileSink(place.path), formatPlace(place), names);
    }
  }
}
