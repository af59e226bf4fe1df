/** Random layers all the way: written, stored, unpacked, found by chain ID, and seen as a tree. The kernel is the judge. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex } from "../../../layerfs/layer/layer-index.ts";
import { unpackLayer } from "../../../layerfs/layer/unpack.ts";
import { writeLayer } from "../../../layerfs/layer/write.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { folderTree } from "../../../layerfs/tree/folder.ts";
import type { TreeLayer } from "../../../layerfs/tree/laid.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { gather } from "../../contracts/blob-store.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { makeHome } from "../store/home.ts";
import { naiveStack, randomLayer } from "./random-layers.ts";

interface Stacked {
  readonly layers: TreeLayer[];
  readonly folders: string[];
}

/** As a build does it: the layer becomes a blob, the blob an unpacked folder, and only the store remembers. */
async function store(into: Store, all: readonly (readonly Change[])[]): Promise<Stacked> {
  const layers: TreeLayer[] = [];
  const folders: string[] = [];
  let chain: Digest | undefined;
  for (const changes of all) {
    const written = await writeLayer(changes, into.blobs, {
      compression: "zstd",
      mediaTypes: "oci",
      fileDigests: true,
    });
    const { blob, diffId } = written.layer;
    into.layers.record(written.layer, written);
    const parent = chain;
    const id: Digest = into.snapshots.chainId(parent, diffId);
    if (into.snapshots.find(id) === undefined) {
      await using place = await into.snapshots.reserve();
      const lower = [...folders].reverse();
      await unpackLayer({ path: into.blobs.path(blob.digest) }, place.folder, {
        expect: { diffId },
        form: "overlay",
        lower,
      });
      place.commit(id, diffId, parent);
    }
    chain = id;
    const folder = into.snapshots.find(id)!.folder;
    folders.push(folder);
    layers.push({
      diffId,
      changes: async () => decodeIndex((await into.layers.index(diffId))!),
      folder: async () => folder,
    });
  }
  return { layers, folders };
}

async function show(tree: Tree): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of await tree.walk("")) {
    if (entry.path === "") continue;
    const text = entry.type === "file" ? String(await gather(tree.read(entry))) : (entry.target ?? "");
    // A link's own mode means nothing on Linux.
    const mode = entry.type === "symlink" ? "" : entry.mode.toString(8);
    const time = entry.type === "file" ? entry.mtimeNs : "";
    lines.push(JSON.stringify([entry.path, entry.type, mode, text, String(time)]));
    if (entry.type === "file") lines.push(await tree.digest(entry));
  }
  return lines;
}

const title = "layers that were written, stored and unpacked look the same as a tree and mounted";
testUnless(noRoot)(`${title}`, async (t) => {
  using home = makeHome();
  using _lease = home.store.lease();
  let mounts = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(randomLayer, { minLength: 2, maxLength: 4 }), async (changes) => {
      const { layers, folders } = await store(home.store, changes);
      const tree = await stackTree(layers);
      t.is((await tree.walk("")).length - 1, naiveStack(changes).size);
      const mounted = join(home.path, `mounted${mounts++}`);
      mkdirSync(mounted);
      const lower = `lowerdir=${[...folders].reverse().join(":")}`;
      // By mount(2): the newer calls, which Debian 13's program prefers, do not work with every kernel's overlay.
      const env = { ...process.env, LIBMOUNT_FORCE_MOUNT2: "always" };
      execFileSync("mount", ["-t", "overlay", "overlay", "-o", lower, mounted], { env });
      try {
        t.deepEqual(await show(tree), await show(folderTree(mounted)));
      } finally {
        execFileSync("umount", ["-l", mounted]);
      }
    }),
    { numRuns: 40 },
  );
  await home.store.collect({ all: true });
  t.deepEqual((await home.store.verify()).corrupt, []);
});
