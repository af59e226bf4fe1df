/** What a name means, wherever the image is: its manifest as text for people and as fields for programs. */
import type { Descriptor, Platform } from "../../../layerfs/store/descriptor.ts";
import { contentOf } from "../../../registry/copy/content.ts";
import { isIndexType, maxManifestBytes, parseIndex, parseJson } from "../../../registry/oci/schema.ts";
import { subjectOf } from "../../../registry/referrers.ts";
import type { FetchedManifest } from "../../../registry/repository.ts";
import { harmless } from "../../progress/harmless.ts";
import { formatBytes } from "../../progress/units.ts";
import { alignColumns } from "../format/format.ts";
import { choosePlatform, formatPlatform } from "../platform.ts";
import { noSuchPlatform } from "../stored/stored-image.ts";
import { formatPlace, openSource, type Place, type PlaceWorld } from "./copy-place.ts";

export interface ShownManifest {
  readonly name: string;
  readonly manifest: FetchedManifest;
}

/** With a platform, that of an index's images. Throws IMG_PLATFORM, and what opening and reading throws. */
export async function openManifest(place: Place, world: PlaceWorld, platform?: Platform): Promise<ShownManifest> {
  const source = await openSource(place, world);
  const name = formatPlace(place);
  const named = await source.named();
  if (platform === undefined || !isIndexType(named.mediaType)) return { name, manifest: named };
  const { manifests } = parseIndex(named.bytes, named.mediaType);
  const chosen = choosePlatform(manifests, platform);
  if (!chosen) throw noSuchPlatform(name, platform, manifests);
  return { name, manifest: await source.manifest(chosen) };
}

export function manifestFields({ name, manifest }: ShownManifest): object {
  const { mediaType, digest, size } = manifest.descriptor;
  const content = parseJson(manifest.bytes, maxManifestBytes, "REG_MANIFEST", "manifest");
  return { name, descriptor: { mediaType, digest, size }, manifest: content };
}

export function manifestText({ name, manifest }: ShownManifest): string {
  const { bytes, mediaType, descriptor } = manifest;
  const json = parseJson(bytes, maxManifestBytes, "REG_MANIFEST", "manifest");
  const { artifactType, annotations } = json as { artifactType?: unknown; annotations?: object };
  const subject = subjectOf(bytes);
  const head: [string, string][] = [
    ["Name:", name],
    ["Type:", mediaType],
    ["Digest:", descriptor.digest],
    ["Size:", `${descriptor.size} bytes`],
    ...(typeof artifactType === "string" ? [["Artifact:", artifactType] as [string, string]] : []),
    ...(subject === undefined ? [] : [["Subject:", subject] as [string, string]]),
    ...Object.entries(annotations ?? {}).map(([key, value]): [string, string] => [`  ${key}`, String(value)]),
  ];
  return `${columns(head)}\n${isIndexType(mediaType) ? childrenOf(manifest) : blobsOf(manifest)}`;
}

function childrenOf({ bytes, mediaType }: FetchedManifest): string {
  const rows = parseIndex(bytes, mediaType).manifests.map((child) => [
    child.platform === undefined ? "-" : formatPlatform(child.platform),
    child.digest,
    formatBytes(child.size),
    child.artifactType ?? kindOf(child),
    Object.entries(child.annotations ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(" "),
  ]);
  return columns([["PLATFORM", "DIGEST", "SIZE", "TYPE", "ANNOTATIONS"], ...rows]);
}

function blobsOf(manifest: FetchedManifest): string {
  const rows = contentOf(manifest).blobs.map((blob) => [blob.digest, formatBytes(blob.size), blob.mediaType]);
  return columns([["BLOB", "SIZE", "TYPE"], ...rows]);
}

/** The end of a media type tells enough in a column. */
function kindOf({ mediaType }: Descriptor): string {
  return isIndexType(mediaType) ? "index" : mediaType.replace(/^application\/vnd\.(?:oci|docker)\./, "");
}

function columns(rows: readonly (readonly string[])[]): string {
  return alignColumns(rows.map((row) => row.map((cell) => harmless(cell.replaceAll("\n", " ")))));
}
