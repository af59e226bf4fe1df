/** How many changes of the registry each layer of a Windows image brings, told by its deltas alone; counted once and noted. */
import { countChanges } from "../../../layerfs/hive/changes.ts";
import { readHive } from "../../../layerfs/hive/regf/read.ts";
import { decompressStream } from "../../../layerfs/layer/compress.ts";
import { readTar } from "../../../layerfs/layer/read.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { deltaNames, deltaPath } from "../../../layerfs/windows/deltas.ts";
import { foldPath } from "../../../layerfs/windows/names.ts";
import { isWbuildError } from "../../../native/error.ts";
import type { Image } from "../../../registry/oci/image.ts";
import { layersOf } from "../stored/base-image.ts";

/** Bytes. No hive of any base comes near. */
const largestHive = 512 * 1024 * 1024;

/** Keys and values together, bottom layer first; undefined of a base layer, and of one whose blob is elsewhere. */
export async function registryCounts(store: Store, image: Image): Promise<(number | undefined)[]> {
  const layers = layersOf(image.manifest, image.config);
  if (image.config.os !== "windows") return layers.map(() => undefined);
  const counts: (number | undefined)[] = [];
  for (const [at, layer] of layers.entries()) counts.push(at === 0 ? undefined : await countOf(store, layer));
  return counts;
}

async function countOf(store: Store, layer: Layer): Promise<number | undefined> {
  const name = `registry changes ${layer.diffId}`;
  const known = store.facts.get(name);
  if (typeof known === "string") return Number(known);
  if ((await store.blobs.has(layer.blob.digest)) !== layer.blob.size) return undefined;
  const count = await countDeltas(store.blobs.open(layer.blob));
  store.facts.set(name, String(count));
  return count;
}

/** Reads no further than to the last of the five: our layers and most others have them at the start. */
async function countDeltas(blob: AsyncIterable<Uint8Array>): Promise<number> {
  const wanted = new Set(deltaNames.map((name) => foldPath(deltaPath(name))));
  let count = 0;
  for await (const entry of readTar(decompressStream(blob))) {
    if (!wanted.delete(foldPath(entry.path)) || entry.content?.kind !== "stream") continue;
    // Attack: a "hive" of a hundred gigabytes of zeros, which packs to nothing.
    if (entry.size > largestHive) continue;
    const parts: Uint8Array[] = [];
    for await (const part of entry.content.open()) parts.push(part);
    count += countDelta(Buffer.concat(parts));
    if (wanted.size === 0) break;
  }
  return count;
}

/** What cannot be read counts nothing here: `wbuild inspect --verify` tells it. */
function countDelta(bytes: Uint8Array): number {
  try {
    const { keys, values } = countChanges(readHive(bytes, { onDamage() {} }));
    return [keys, values].reduce((sum, each) => sum + each.added + each.changed + each.deleted, 0);
  } catch (error) {
    if (isWbuildError(error)) return 0;
    throw error;
  }
}
