/** One layer in another compression: what an archive or a registry asks for, made once and then remembered. */
import { compressStream, decompressStream } from "../../../layerfs/layer/compress.ts";
import { compressionOf, layerMediaType } from "../../../layerfs/layer/compression.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import type { Compression } from "./output-spec.ts";

/** The layer as it is when it already has that compression, else a stored blob that has it. The diffID stays. */
export async function transcodeLayer(
  store: Store,
  layer: Layer,
  compression: Compression,
  level?: number,
): Promise<Layer> {
  const wanted = layerMediaType(compression, "oci");
  const fits = (one: Layer) => compressionOf(one.blob.mediaType) === compression;
  if (fits(layer)) return layer;
  for (const other of store.layers.find(layer.diffId)) {
    if (fits(other) && (await store.blobs.has(other.blob.digest)) === other.blob.size) return other;
  }
  let uncompressedSize = 0;
  const counted = async function* () {
    for await (const bytes of decompressStream(store.blobs.open(layer.blob))) {
      uncompressedSize += bytes.length;
      yield bytes;
    }
  };
  const bytes = compression === "none" ? counted() : compressStream(counted(), compression, level);
  const blob = await store.blobs.put(bytes, { mediaType: wanted });
  const made = { blob, diffId: layer.diffId };
  store.layers.record(made, { uncompressedSize });
  return made;
}
