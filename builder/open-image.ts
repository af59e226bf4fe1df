/** An image of the store as a stack of layers: what `run`, `diff` and `export` work on. */
import type { Layer } from "../layerfs/store/descriptor.ts";
import type { Store } from "../layerfs/store/store.ts";
import { WbuildError } from "../native/error.ts";
import type { Image } from "../registry/oci/image.ts";
import { Slots } from "../registry/side-by-side.ts";
import type { Coming } from "./image/move/transfer.ts";
import { layersOf } from "./image/stored/base-image.ts";
import { LayerStack, storedLayer } from "./steps/stack.ts";

/** Downloads at a time. */
const concurrency = 4;

/** Nothing is unpacked or read before somebody asks the stack. Throws IMG_LAYERS, IMG_INCOMPLETE. */
export function openImage(store: Store, image: Image): LayerStack {
  // Of Windows images each stack of lower layers is looked at while the next layer is unpacked: those share.
  let stack = LayerStack.of(image.config.os, { once: image.config.os !== "windows" });
  for (const layer of layersOf(image.manifest, image.config))
    stack = stack.with(storedLayer(store, stack, layer, { fetch: () => needStored(store, layer) }));
  return stack;
}

/**
 * For pulls: has layers fetched and unpacks them while they come. Resolves when all are there in both forms. Throws what
 * `fetch` throws, and LAYER_*.
 */
export async function bringUnpacked(
  { store, signal }: { readonly store: Store; readonly signal: AbortSignal },
  { layers, os, fetch }: Coming,
): Promise<void> {
  const slots = new Slots(concurrency);
  const failed = new AbortController();
  const ended = AbortSignal.any([signal, failed.signal]);
  const bring = async ({ blob }: Layer) => {
    ended.throwIfAborted();
    await fetch(blob, ended);
  };
  const coming = layers.map((layer) => slots.use(() => bring(layer)));
  let stack = LayerStack.of(os);
  for (const [i, layer] of layers.entries())
    stack = stack.with(storedLayer(store, stack, layer, { fetch: async () => coming[i] }));
  const work = [...coming, stack.folders()];
  try {
    await Promise.all(work);
  } catch (error) {
    failed.abort(error);
    throw error;
  } finally {
    await Promise.allSettled(work);
  }
}

async function needStored(store: Store, layer: Layer): Promise<void> {
  if ((await store.blobs.has(layer.blob.digest)) !== undefined) return;
  throw new WbuildError("IMG_INCOMPLETE", `the store lacks layer ${layer.blob.digest} of the image`, {
    facts: { digest: layer.blob.digest },
    hint: "pull or build the image again",
  });
}
