/** A store in a folder of its own that goes with the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { openStore, type Store } from "../../../layerfs/store/store.ts";

export const mediaType = "application/octet-stream";
/** Half a minute and an hour past nothing in particular. */
export const start = 1_700_000_000_000;
export const hour = 3_600_000;

export interface Home extends Disposable {
  readonly path: string;
  readonly store: Store;
  /** The clock of the store; tests move it. */
  readonly clock: { ms: number };
  /** Another process's view of the same folder, as far as one process can play two. */
  again(): Store;
}

export function makeHome(): Home {
  const path = mkdtempSync(join(tmpdir(), "wbuild-store-"));
  const clock = { ms: start };
  const stores: Store[] = [];
  const again = () => {
    const store = openStore(path, { now: () => clock.ms });
    stores.push(store);
    return store;
  };
  return {
    path,
    clock,
    store: again(),
    again,
    [Symbol.dispose]() {
      for (const store of stores) store[Symbol.dispose]();
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** A digest of nothing that is stored. */
export const named = (text: string) => digestOf(`not stored: ${text}`);

/** Stores text; the store's lease is the caller's business. */
export const putText = (store: Store, text: string) => store.blobs.put(Buffer.from(text), { mediaType });
