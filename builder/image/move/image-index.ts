/** An index made of images that are there already: what `manifest create` and `manifest annotate` do. */
import type { Descriptor, Platform } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { WbuildError } from "../../../native/error.ts";
import { copyParts } from "../../../registry/copy/copy.ts";
import type { CopySource } from "../../../registry/copy/place.ts";
import { fromWhoHasIt } from "../../../registry/from-who-has-it.ts";
import { type Index, mediaTypes } from "../../../registry/oci/image.ts";
import {
  isIndexType,
  isManifestType,
  maxConfigBytes,
  parseConfig,
  parseIndex,
  parseManifest,
} from "../../../registry/oci/schema.ts";
import type { FetchedManifest } from "../../../registry/repository.ts";
import type { Report } from "../../progress/events.ts";
import type { Annotation } from "../output/output-spec.ts";
import { formatPlatform, normalizePlatform, platformMatches, platformOf } from "../platform.ts";
import { readBytes } from "../stored/read-bytes.ts";
import { toldAsStep } from "../told-step.ts";
import { formatPlace, openSource, openTarget, type Place, type PlaceWorld } from "./copy-place.ts";

export interface IndexSource {
  readonly place: Place;
  /** Instead of the platform that its configuration tells. */
  readonly platform?: Platform;
}

export interface IndexOptions {
  /** The index that is there stays, but for images of platforms that come anew. */
  readonly append?: boolean;
  readonly annotations: readonly Annotation[];
  /** Says what would be made, and makes nothing. */
  readonly dryRun?: boolean;
  readonly report: Report;
}

/** BuildKit: the image that an attestation beside it is about. */
const attestedKey = "vnd.docker.reference.digest";

/** What an index says besides its list: its subject, the type of artifact that it is, and what we do not know of. */
type Rest = Pick<Index, "annotations">;

interface Part {
  readonly source: CopySource;
  readonly entry: Descriptor;
}

/**
 * Makes an index of images and gives it the target's name. Indexes among the sources are taken apart. What the target lacks
 * is copied; in a registry that has all of it only the index is sent. Throws CLI_USAGE for two images of one platform.
 */
export async function createIndex(
  target: Place,
  sources: readonly IndexSource[],
  world: PlaceWorld,
  options: IndexOptions,
): Promise<FetchedManifest> {
  const old = options.append ? await openIndex(target, world) : undefined;
  const fresh = (await Promise.all(sources.map((source) => partsOf(source, world)))).flat();
  const clash = firstClash(fresh);
  if (clash)
    throw new WbuildError("CLI_USAGE", `two of the images are for ${formatPlatform(clash)}`, {
      hint: "an index has one image for a platform; name another with --platform IMAGE=OS/ARCH",
    });
  const parts = [...(old ? withoutReplaced(old.parts, fresh) : []), ...fresh];
  return write(
    target,
    [...new Map(parts.map((part) => [part.entry.digest, part])).values()],
    old?.rest ?? {},
    world,
    options,
  );
}

/**
 * Changes what an index says of its images, and of itself; the images stay as they are. `platforms` are given by the digest
 * of an entry. Throws REG_MANIFEST for what is no index, CLI_USAGE for a digest that is not in it.
 */
export async function annotateIndex(
  place: Place,
  platforms: ReadonlyMap<string, Platform>,
  world: PlaceWorld,
  options: Omit<IndexOptions, "append">,
): Promise<FetchedManifest> {
  const { parts, rest } = await openIndex(place, world);
  for (const digest of platforms.keys())
    if (!parts.some(({ entry }) => entry.digest === digest))
      throw new WbuildError("CLI_USAGE", `${formatPlace(place)} has no image ${digest.slice(0, 100)}`, {
        hint: "`wbuild manifest show` lists its images",
      });
  const changed = parts.map(({ source, entry }) => {
    const platform = platforms.get(entry.digest);
    return { source, entry: platform ? { ...entry, platform } : entry };
  });
  return write(place, changed, rest, world, options);
}

async function write(
  target: Place,
  parts: readonly Part[],
  { annotations, ...rest }: Rest,
  world: PlaceWorld,
  options: Omit<IndexOptions, "append">,
): Promise<FetchedManifest> {
  const manifests = parts.map(({ entry }) => annotated(entry, options.annotations));
  const own = { ...annotations, ...valuesOf(options.annotations.filter(({ on }) => on === "index")) };
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    ...rest,
    manifests,
    ...(Object.keys(own).length === 0 ? {} : { annotations: own }),
  };
  const bytes = Buffer.from(JSON.stringify(index));
  const mediaType = mediaTypes.ociIndex;
  const made = { bytes, mediaType, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
  if (options.dryRun) return made;
  return toldAsStep(options.report, `index ${formatPlace(target)}`, async (onProgress) => {
    const to = await openTarget(target, world);
    try {
      for (const source of new Set(parts.map((part) => part.source))) {
        const own = parts.filter((part) => part.source === source).map(({ entry }) => entry);
        await copyParts(source, to, own, { onProgress, signal: world.signal });
      }
      await to.putManifest(made, "named");
      await to.finish();
    } catch (error) {
      await to.abort();
      throw error;
    }
    return made;
  });
}

/** The images of one source: itself, or those of its index with what is said about them. */
async function partsOf({ place, platform }: IndexSource, world: PlaceWorld): Promise<Part[]> {
  const source = await openSource(place, world);
  const named = await source.named();
  const { mediaType, bytes } = named;
  if (isIndexType(mediaType)) {
    if (platform)
      throw new WbuildError("CLI_USAGE", `${formatPlace(place)} is an index, whose images tell their platforms`, {
        hint: "name one of its images by its digest",
      });
    return parseIndex(bytes, mediaType).manifests.map((entry) => ({ source, entry }));
  }
  const { digest, size } = named.descriptor;
  const told = platform ?? (await platformIn(source, named));
  const artifactType = artifactTypeIn(named);
  const entry: Descriptor = {
    mediaType,
    digest,
    size,
    ...(told ? { platform: told } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
  return [{ source, entry }];
}

/** What an artifact's manifest says that it is, which its descriptor repeats (OCI image specification, "Image Index"). */
function artifactTypeIn({ bytes, mediaType }: FetchedManifest): string | undefined {
  if (!isManifestType(mediaType)) return undefined;
  const { artifactType } = parseManifest(bytes, mediaType) as { artifactType?: unknown };
  return typeof artifactType === "string" && artifactType !== "" ? artifactType : undefined;
}

/** Undefined for what is no image: an artifact has no platform. */
async function platformIn(source: CopySource, { bytes, mediaType }: FetchedManifest): Promise<Platform | undefined> {
  if (!isManifestType(mediaType)) return undefined;
  const { config } = parseManifest(bytes, mediaType);
  const isImage = config.mediaType === mediaTypes.ociConfig || config.mediaType === mediaTypes.dockerConfig;
  if (!isImage || config.size > maxConfigBytes) return undefined;
  const { distrust = () => false } = source;
  const text = await fromWhoHasIt({ distrust }, config.digest, async () => {
    const bytes = await readBytes(source.blob(config, 0));
    if (digestOf(bytes) === config.digest) return bytes;
    throw new WbuildError("REG_DIGEST_MISMATCH", `${source.place} gave another configuration than ${config.digest}`);
  });
  return platformOf(parseConfig(text));
}

async function openIndex(place: Place, world: PlaceWorld) {
  const source = await openSource(place, world, { isTarget: true });
  const named = await source.named();
  if (!isIndexType(named.mediaType))
    throw new WbuildError("REG_MANIFEST", `${formatPlace(place)} is one image and no index`, {
      hint: "`wbuild manifest create` makes an index of images",
    });
  const { schemaVersion, mediaType, manifests, ...rest } = parseIndex(named.bytes, named.mediaType);
  return { rest, parts: manifests.map((entry) => ({ source, entry })) };
}

function isImagePlatform(platform: Platform | undefined): platform is Platform {
  return platform !== undefined && platform.os !== "unknown";
}

function samePlatform(a: Platform, b: Platform): boolean {
  return formatPlatform(normalizePlatform(a)) === formatPlatform(normalizePlatform(b));
}

function firstClash(parts: readonly Part[]): Platform | undefined {
  const seen: Descriptor[] = [];
  for (const { entry } of parts) {
    const { platform, digest } = entry;
    if (!isImagePlatform(platform)) continue;
    const isTaken = seen.some(
      (other) => other.digest !== digest && other.platform && samePlatform(other.platform, platform),
    );
    if (isTaken) return platform;
    seen.push(entry);
  }
  return undefined;
}

/** Without images whose platform comes anew, and without what is said about those. */
function withoutReplaced(old: readonly Part[], fresh: readonly Part[]): Part[] {
  const isReplaced = ({ entry: { platform } }: Part) =>
    isImagePlatform(platform) &&
    fresh.some(({ entry }) => isImagePlatform(entry.platform) && samePlatform(entry.platform, platform));
  const gone = new Set<string>(old.filter(isReplaced).map(({ entry }) => entry.digest));
  return old.filter((part) => !isReplaced(part) && !gone.has(part.entry.annotations?.[attestedKey] ?? ""));
}

function annotated(entry: Descriptor, annotations: readonly Annotation[]): Descriptor {
  const own = annotations.filter(
    ({ on, platform }) =>
      on === "manifest-descriptor" &&
      (platform === undefined || (isImagePlatform(entry.platform) && platformMatches(entry.platform, platform))),
  );
  if (own.length === 0) return entry;
  return { ...entry, annotations: { ...entry.annotations, ...valuesOf(own) } };
}

function valuesOf(annotations: readonly Annotation[]): Record<string, string> {
  return Object.fromEntries(annotations.map(({ key, value }) => [key, value]));
}
