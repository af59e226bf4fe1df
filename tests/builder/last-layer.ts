/** What the last layer of an image sets, as text. */
import { readConfig, readManifest } from "../../builder/image/stored/stored-image.ts";
import { decodeIndex } from "../../layerfs/layer/layer-index.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { Built } from "../doubles/builds.ts";
import { show } from "../doubles/text-tree.ts";

export async function lastLayer(store: Store, built: Built): Promise<string[]> {
  const manifest = await readManifest(store, built.manifest);
  const diffId = (await readConfig(store, manifest.config)).rootfs.diff_ids.at(-1);
  const index = diffId && (await store.layers.index(diffId));
  return index ? decodeIndex(index).map(show) : [];
}
