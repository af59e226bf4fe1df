/** Layers that were left elsewhere come here because somebody needs their bytes: side by side, told as one step. */
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import type { Image } from "../../../registry/oci/image.ts";
import { sideBySide } from "../../../registry/side-by-side.ts";
import type { Report } from "../../progress/events.ts";
import { bringLayer, isLayout, type LeftLayer, leftLayers, placeOf } from "../stored/left-layers.ts";
import { toldAsStep } from "../told-step.ts";

export interface BringImagesWorld {
  readonly store: Store;
  /** Asked for only when something is missing, with the registries that have it. */
  readonly registry: (registries: readonly string[]) => Promise<RegistryClient>;
  readonly report: () => Promise<Report>;
  readonly signal: AbortSignal;
}

/** Downloads at a time. */
const concurrency = 4;

/**
 * Makes images whole. What is lost, and was not left anywhere, is passed over: whoever reads it tells of it.
 * Throws REG_FETCH, IMG_LAYERS, STORE_*.
 */
export async function bringImages(images: readonly Image[], world: BringImagesWorld): Promise<void> {
  const layers = await leftLayers(world.store, images);
  if (layers.length === 0) return;
  const registry = () => world.registry(registriesOf(layers));
  await toldAsStep(await world.report(), titleOf(layers), (onProgress) =>
    sideBySide(layers, concurrency, world.signal, (layer, signal) =>
      bringLayer(layer, { store: world.store, registry }, { signal, onProgress }),
    ),
  );
}

/**
 * Brings blobs of these images one by one, when they are asked for; undefined when nothing of them was left anywhere.
 * Blobs that were not left are none of its business. Throws as bringImages.
 */
export async function bringerOf(
  images: readonly Image[],
  { store, registry, signal }: Omit<BringImagesWorld, "report">,
): Promise<((blob: Pick<Descriptor, "digest">) => Promise<void>) | undefined> {
  const layers = await leftLayers(store, images);
  if (layers.length === 0) return undefined;
  const world = { store, registry: () => registry(registriesOf(layers)) };
  return async ({ digest }) => {
    for (const layer of layers) if (layer.blob.digest === digest) await bringLayer(layer, world, { signal });
  };
}

function registriesOf(layers: readonly LeftLayer[]): string[] {
  return [...new Set(layers.flatMap(({ sources }) => sources.flatMap((one) => (isLayout(one) ? [] : [one.registry]))))];
}

/** `fetch 2 layers of alpine`: as people would type the name of where they are. */
function titleOf(layers: readonly LeftLayer[]): string {
  const names = layers.flatMap(({ sources: [source] }) => (source === undefined ? [] : [placeOf(source)]));
  return `fetch ${layers.length === 1 ? "a layer" : `${layers.length} layers`} from ${[...new Set(names)].join(", ")}`;
}
