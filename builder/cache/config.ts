/**
 * Results of builds ↔ JSON, in the shape of BuildKit's cache configuration (layers, records). Each of our records has a
 * field `wbuild` of its own: BuildKit finds none of its keys in ours, and we none of ours in BuildKit's.
 */
import * as v from "valibot";
import { compressionOf } from "../../layerfs/layer/compression.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import { type Digest, isDigest } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { parseJson } from "../../registry/oci/schema.ts";
import type { ResultRecord } from "../solve/cache.ts";

export const cacheConfigType = "application/vnd.buildkit.cacheconfig.v0";
/** The member of an image's configuration that holds an inline cache. */
export const inlineMember = "moby.buildkit.cache.v0";

/** Bytes; the results of some ten thousand steps. */
export const maxCacheConfigBytes = 16 * 1024 * 1024;
const maxLayers = 20_000;
const maxRecords = 50_000;
const maxKeys = 16;
/** The end of the year 9999: other readers refuse an image that says it was made later, or before 1970 (RFC 3339). */
const maxCreatedMs = 253_402_300_799_999;

/** A record as it was read: who has the blob, others know. */
export type ReadRecord = Omit<ResultRecord, "remote">;

const digest = v.custom<Digest>((value) => typeof value === "string" && isDigest(value), "expected a sha256 digest");
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Attack: a type that is none would stand in the image, which then nobody could pull. */
const layerType = v.custom<string>(
  (value) => typeof value === "string" && compressionOf(value) !== undefined,
  "expected the type of a layer",
);

const layerShape = v.looseObject({
  blob: digest,
  annotations: v.looseObject({ mediaType: layerType, diffID: digest, size: count }),
});

const recordShape = v.looseObject({
  digest,
  layers: v.pipe(
    v.array(v.looseObject({ layer: count, createdAt: v.pipe(v.string(), v.maxLength(64)) })),
    v.minLength(1),
    v.maxLength(16),
  ),
  wbuild: v.looseObject({
    version: v.literal(1),
    op: digest,
    keys: v.pipe(v.array(digest), v.minLength(1), v.maxLength(maxKeys)),
  }),
});

/** The whole configuration. Records come in a fixed order, so that the same results are the same bytes. */
export function encodeConfig(records: readonly ResultRecord[]): { bytes: Uint8Array; layers: readonly Layer[] } {
  const { indexes, layers } = numbered(records);
  const text = JSON.stringify({
    layers: layers.map(({ blob, diffId }) => ({
      blob: blob.digest,
      parent: -1,
      annotations: { mediaType: blob.mediaType, diffID: diffId, size: blob.size },
    })),
    records: inOrder(records).map((record) => encodeRecord(record, indexes.get(record.layer.blob.digest) ?? 0)),
  });
  return { bytes: Buffer.from(text, "utf8"), layers };
}

/** Records alone, for an image whose own layers they mean: those whose layer the image has, by the tar they hold. */
export function encodeInline(records: readonly ResultRecord[], layers: readonly Pick<Layer, "diffId">[]): string {
  const places = new Map(layers.map(({ diffId }, i) => [diffId, i]));
  const ours = inOrder(records).flatMap((record) => {
    const place = places.get(record.layer.diffId);
    return place === undefined ? [] : [encodeRecord(record, place)];
  });
  return Buffer.from(JSON.stringify(ours), "utf8").toString("base64");
}

/** What is ours in a configuration. Throws CACHE_CONFIG for what is none; records of others are left out. */
export function decodeConfig(bytes: Uint8Array): ReadRecord[] {
  const json = parseJson(bytes, maxCacheConfigBytes, "CACHE_CONFIG", "cache configuration") as {
    layers?: unknown;
    records?: unknown;
  };
  const { layers = [], records = [] } = json;
  if (!Array.isArray(layers) || !Array.isArray(records) || layers.length > maxLayers || records.length > maxRecords)
    throw malformed();
  const known = layers.map((layer): Layer | undefined => {
    const read = v.safeParse(layerShape, layer);
    if (!read.success) return undefined;
    const { mediaType, diffID, size } = read.output.annotations;
    return { blob: { mediaType, digest: read.output.blob, size }, diffId: diffID };
  });
  return decodeRecords(records, known);
}

/** What is ours in an image's inline cache (base64 of a JSON array). Throws CACHE_CONFIG. */
export function decodeInline(text: string, layers: readonly Layer[]): ReadRecord[] {
  if (text.length > maxCacheConfigBytes) throw malformed();
  // As a member of an object it passes the same bounds as any foreign JSON.
  const bytes = Buffer.concat([Buffer.from('{"records":'), Buffer.from(text, "base64"), Buffer.from("}")]);
  const { records = [] } = parseJson(bytes, maxCacheConfigBytes, "CACHE_CONFIG", "inline cache") as {
    records?: unknown;
  };
  if (!Array.isArray(records) || records.length > maxRecords) throw malformed();
  return decodeRecords(records, layers);
}

function decodeRecords(records: readonly unknown[], layers: readonly (Layer | undefined)[]): ReadRecord[] {
  return records.flatMap((record) => {
    const read = v.safeParse(recordShape, record);
    if (!read.success) return [];
    const { digest: definition, wbuild } = read.output;
    const [result] = read.output.layers;
    const layer = result && layers[result.layer];
    const createdMs = Date.parse(result?.createdAt ?? "");
    if (!layer || !(createdMs >= 0 && createdMs <= maxCreatedMs)) return [];
    return [{ op: wbuild.op, definition, keys: wbuild.keys, layer, createdMs }];
  });
}

function encodeRecord({ definition, op, keys, createdMs }: ResultRecord, layer: number): unknown {
  return {
    digest: definition,
    layers: [{ layer, createdAt: new Date(createdMs).toISOString() }],
    wbuild: { version: 1, op, keys },
  };
}

function numbered(records: readonly ResultRecord[]) {
  const indexes = new Map<Digest, number>();
  const layers: Layer[] = [];
  for (const { layer } of inOrder(records)) {
    if (indexes.has(layer.blob.digest)) continue;
    indexes.set(layer.blob.digest, layers.length);
    layers.push(layer);
  }
  return { indexes, layers };
}

function inOrder(records: readonly ResultRecord[]): ResultRecord[] {
  return [...records].sort((a, b) => (a.definition < b.definition ? -1 : a.definition > b.definition ? 1 : 0));
}

function malformed(): WbuildError {
  return new WbuildError("CACHE_CONFIG", "cache configuration is malformed");
}
