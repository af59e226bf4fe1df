/** An image of the store as a stack of layers: what `run`, `diff` and `export` work on. */
import type { Layer } from "../layerfs/store/descriptor.ts";
import type { Store } from "../layerfs/store/store.ts";
import { WbuildError } from "../native/error.ts";
import type { Image } from "../registry/oci/image.ts";
import { layersOf } from "./image/stored/base-image.ts";
import { LayerStack, storedLayer } from "./steps/stack.ts";

/** Nothing is unpacked or read before somebody asks the stack. Throws IMG_LAYERS, IMG_INCOMPLETE. */
export function openImage(store: Store, image: Image): LayerStack {
  let stack = LayerStack.of(image.config.os);
  for (const layer of layersOf(image.manifest, image.config))
    stack = stack.with(storedLayer(store, stack, layer, { fetch: () => needStored(store, layer) }));
  return stack;
}

async function needStored(store: Store, layer: Layer): Promise<void> {
  if ((await store.blobs.has(layer.blob.digest)) !== undefined) return;
  throw new WbuildError("IMG_INCOMPLETE", `the store lacks layer ${layer.blob.digest} of the image`, {
    facts: { digest: layer.blob.digest },
    hint: "pull or build the image again",
  });
}
