/** Layers of a result that nobody needed yet: of those that stay elsewhere the store learns where, before a name keeps the image. */
import type { Digest } from "../../layerfs/store/digest.ts";
import type { ConnectionException } from "../../layerfs/store/sources.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { WrittenResult } from "../image/output/write-result.ts";
import { isLayout, sourceOf } from "../image/stored/left-layers.ts";
import type { RemoteBlob } from "../steps/stack.ts";

interface LeftWorld {
  readonly store: Store;
  /** See DeliveryWorld. */
  readonly remoteOf: (digest: string) => RemoteBlob | undefined;
  readonly exceptionFor: (name: string) => ConnectionException | undefined;
}

/** Layers of the result that are not in the store. */
async function leftOf({ images }: WrittenResult, { store, remoteOf }: LeftWorld) {
  const left: { readonly digest: Digest; readonly diffId: Digest | undefined; readonly remote: RemoteBlob }[] = [];
  for (const { manifest, config } of images)
    for (const [i, { digest, size }] of manifest.layers.entries()) {
      const remote = remoteOf(digest);
      if (remote === undefined || (await store.blobs.has(digest)) === size) continue;
      left.push({ digest, diffId: config.rootfs.diff_ids[i], remote });
    }
  return left;
}

/** A layer of it can be had from a place that may be gone when the build is over, and from nowhere else before it is pushed. */
export async function isForAWhile(result: WrittenResult, world: LeftWorld): Promise<boolean> {
  for (const { remote } of await leftOf(result, world)) if ((await remote.lasting?.()) === undefined) return true;
  return false;
}

/** Before a name keeps it: of layers that were left where they are the store learns where that is. `pushed`: where to. */
export async function noteLeftLayers(
  result: WrittenResult,
  pushed: readonly string[],
  world: LeftWorld,
): Promise<void> {
  const { sources } = world.store;
  for (const { digest, diffId, remote } of await leftOf(result, world)) {
    const source = await remote.lasting?.();
    if (source !== undefined) sources.note(digest, source);
    if (source !== undefined && !isLayout(source)) continue;
    const targets = pushed.flatMap((name) => sourceOf(name, world.exceptionFor(name)) ?? []);
    // Nobody has compared with the diffID what went from a cache to a registry.
    for (const target of targets)
      sources.note(digest, { ...target, ...(diffId === undefined ? {} : { claimed: diffId }) });
    if (source === undefined && targets.length === 0) await remote.fetch();
  }
}
