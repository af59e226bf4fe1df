/** Which image of the store another one was built on: told by layers and history, since no image names its base. */
import type { Store } from "../../../layerfs/store/store.ts";
import type { History, Image } from "../../../registry/oci/image.ts";
import type { BaseHint } from "../history/to-dockerfile.ts";
import { everyImage, listImages } from "./local.ts";

/** The stored, named image with the most layers and steps that this one begins with; undefined when there is none. */
export async function findBaseOf(store: Store, image: Image): Promise<BaseHint | undefined> {
  let best: BaseHint | undefined;
  for (const row of await listImages(store)) {
    if (row.tag === "<none>") continue;
    const base = (await everyImage(store, row)).find((one) => isBase(one, image));
    if (!base) continue;
    const { config } = base;
    const entries = config.history?.length ?? 0;
    if (best && best.entries >= entries) continue;
    const name = row.tag === "latest" ? row.repository : `${row.repository}:${row.tag}`;
    best = { name, entries, ...(config.config ? { config: config.config } : {}) };
  }
  return best;
}

/** Its layers and its history are the beginning of the other's, which has more of at least one. */
function isBase(base: Image, image: Image): boolean {
  const layers = [base.config.rootfs.diff_ids, image.config.rootfs.diff_ids] as const;
  const steps = [base.config.history ?? [], image.config.history ?? []] as const;
  const isShorter = layers[0].length < layers[1].length || steps[0].length < steps[1].length;
  return isShorter && steps[0].length > 0 && startsWith(...layers) && startsWith(...steps, sameStep);
}

function startsWith<T>(short: readonly T[], long: readonly T[], same: (a: T, b: T) => boolean = Object.is): boolean {
  return short.length <= long.length && short.every((item, i) => same(item, long[i] as T));
}

function sameStep(a: History, b: History): boolean {
  return a.created_by === b.created_by && a.empty_layer === b.empty_layer && a.created === b.created;
}
