/** Layers of a result that nobody needed yet: of those that stay elsewhere the store learns where, before a name keeps the image. */
import type { Digest } from "../../layerfs/store/digest.ts";
import type { ConnectionException } from "../../layerfs/store/sources.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { WrittenResult } from "../image/output/write-result.ts";
import { sourceOf } from "../image/stored/left-layers.ts";
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

/** A layer of it is known from a cache alone, which nobody has asked for it: what the image is pushed to will have it. */
export async function isUnproved(result: WrittenResult, world: LeftWorld): Promise<boolean> {
  return (await leftOf(result, world)).some(({ remote }) => remote.check !== undefined);
}

/** Before a name keeps it: of layers that were left where they are the store learns where that is. `pushed`: where to. */
export async function noteLeftLayers(
  result: WrittenResult,
  pushed: readonly string[],
  world: LeftWorld,
): Promise<void> {
  const { sources } = world.store;
  const targets = pushed.flatMap((name) => sourceOf(name, world.exceptionFor(name)) ?? []);
  for (const { digest, diffId, remote } of await leftOf(result, world)) {
    // Nobody has compared with the diffID what a registry got from a cache, or had.
    const claim = diffId === undefined ? {} : { claimed: diffId };
    const source = remote.check !== undefined && targets.length > 0 ? undefined : await remote.lasting?.();
    if (source !== undefined) sources.note(digest, source);
    else if (targets.length > 0) for (const target of targets) sources.note(digest, { ...target, ...claim });
    else await remote.fetch();
  }
}
