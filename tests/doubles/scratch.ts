/** Folders and stores that go away with the test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { openStore, type Store } from "../../layerfs/store/store.ts";

export function scratchFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-test-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A store of the test's own. Nothing in it is collected while the test runs. */
export function scratchStore(t: ExecutionContext): Store {
  const store = openStore(scratchFolder(t), { upkeep: false });
  const lease = store.lease();
  // The last to be asked for is the first to go, so that the folder is gone after the store.
  t.teardown(() => {
    lease[Symbol.dispose]();
    store[Symbol.dispose]();
  });
  return store;
}
