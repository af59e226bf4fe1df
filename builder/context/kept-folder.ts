/**
 * Folders of the store that are made once and found again by name: unpacked contexts, checked-out commits, downloads.
 * To the store they are snapshots that a cache row keeps, so `du` counts them and `prune` removes them.
 */
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";

function idOf(name: string): Digest {
  return digestOf(`context folder/1 ${name}`);
}

/** The folder of that name, absolute. Under a lease it stays; otherwise the next collection may take it. */
export function findFolder(store: Store, name: string): string | undefined {
  const id = idOf(name);
  return store.cache.get(`context ${id}`) && store.snapshots.find(id)?.folder;
}

/**
 * Finds the folder, or has it made: `make` fills an empty one (mode 0755) and may use `scratch`, which goes afterwards.
 * The name must tell all that decides what is in it.
 */
export async function keptFolder(
  store: Store,
  name: string,
  make: (folder: string, scratch: string) => Promise<void>,
): Promise<string> {
  const found = findFolder(store, name);
  if (found !== undefined) return found;
  await using place = await store.snapshots.reserve();
  await make(place.folder, place.scratch);
  const id = idOf(name);
  const folder = place.commit(id, id);
  store.cache.put(`context ${id}`, JSON.stringify({ context: name.slice(0, 200) }), [id]);
  return folder;
}
