/** The door for programs to compare images: two of them, or one layer with what lies below it. */
import type { Store } from "../layerfs/store/store.ts";
import type { Image } from "../registry/oci/image.ts";
import { type Difference, diffLayer, diffTrees } from "./image/diff.ts";
import { openImage } from "./open-image.ts";
import { LayerStack } from "./steps/stack.ts";

/** How the files of `after` differ from those of `before`. */
export async function diffImages(store: Store, before: Image, after: Image): Promise<Difference[]> {
  return diffTrees(await openImage(store, before).tree(), await openImage(store, after).tree());
}

/** What a layer changes in those below it. `layer` counts from 1, the lowest; absent: the last. [] for an image without layers. */
export async function diffOwnLayer(store: Store, image: Image, layer?: number): Promise<Difference[]> {
  const { layers } = openImage(store, image);
  const top = layers[(layer ?? layers.length) - 1];
  if (!top) return [];
  let below = LayerStack.of(image.config.os);
  for (const each of layers.slice(0, layers.indexOf(top))) below = below.with(each);
  return diffLayer(await below.tree(), await top.changes());
}
