/** A layer whose times are bounded by SOURCE_DATE_EPOCH, also one that was kept from a build without it. */
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import type { Store } from "../../../layerfs/store/store.ts";

/**
 * The layer itself when no time in it is later; else one that was written anew. undefined: its blob is not here and must
 * be fetched before that can be said.
 */
export async function boundTimes(store: Store, layer: Layer, epochSeconds: number): Promise<Layer | undefined> {
  const latest = BigInt(epochSeconds) * 1_000_000_000n;
  const index = await store.layers.index(layer.diffId);
  const isLater = (change: ReturnType<typeof decodeIndex>[number]) =>
    change.kind === "set" && change.entry.mtimeNs > latest;
  if (index && !decodeIndex(index).some(isLater)) return layer;
  if ((await store.blobs.has(layer.blob.digest)) === undefined) return undefined;
  const [{ readLayer }, { writeLayer }, { compressionOf }] = await Promise.all([
    import("../../../layerfs/layer/read.ts"),
    import("../../../layerfs/layer/write.ts"),
    import("../../../layerfs/layer/compression.ts"),
  ]);
  const changes = boundCreation(readLayer(store.blobs.open(layer.blob)), epochSeconds);
  const written = await writeLayer(changes, store.blobs, {
    compression: compressionOf(layer.blob.mediaType) ?? "gzip",
    mediaTypes: "oci",
    epochSeconds,
  });
  if (written.layer.diffId === layer.diffId) return layer;
  store.layers.record(written.layer, { uncompressedSize: written.uncompressedSize, index: written.index });
  return written.layer;
}

const creationKey = "LIBARCHIVE.creationtime";

/** Files of Windows also say when they were made; the layer writer bounds the other time. */
async function* boundCreation(changes: AsyncIterable<Change>, epochSeconds: number): AsyncGenerator<Change> {
  for await (const change of changes) {
    const made = change.kind === "set" ? change.entry.pax?.get(creationKey) : undefined;
    if (change.kind !== "set" || made === undefined || Number(Buffer.from(made).toString("latin1")) <= epochSeconds) {
      yield change;
      continue;
    }
    const pax = new Map(change.entry.pax).set(creationKey, Buffer.from(String(epochSeconds)));
    yield { ...change, entry: { ...change.entry, pax } };
  }
}
