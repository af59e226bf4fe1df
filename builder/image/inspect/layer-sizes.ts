/** How large an image's layers are uncompressed. The store knows it of most; of others it is counted once and noted. */
import { decompressStream } from "../../../layerfs/layer/compress.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import type { Image } from "../../../registry/oci/image.ts";
import { layersOf } from "../stored/base-image.ts";
import { leftLayers } from "../stored/left-layers.ts";

/** Bytes, bottom layer first; undefined of a layer that was left in a registry. Throws IMG_LAYERS, STORE_NO_BLOB for a lost one. */
export async function layerSizes(store: Store, image: Image): Promise<(number | undefined)[]> {
  const left = new Set((await leftLayers(store, [image])).map(({ blob }) => blob.digest));
  const sizes: (number | undefined)[] = [];
  for (const layer of layersOf(image.manifest, image.config)) {
    if (left.has(layer.blob.digest)) {
      sizes.push(undefined);
      continue;
    }
    const known = store.layers.byBlob(layer.blob.digest);
    let uncompressedSize = known?.uncompressedSize ?? 0;
    if (!known) {
      for await (const part of decompressStream(store.blobs.open(layer.blob))) uncompressedSize += part.length;
      store.layers.record(layer, { uncompressedSize });
    }
    sizes.push(uncompressedSize);
  }
  return sizes;
}
