import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { boundTimes } from "../../../../builder/image/output/bound-times.ts";
import type { Change, Entry } from "../../../../layerfs/layer/entry.ts";
import { readLayer } from "../../../../layerfs/layer/read.ts";
import { writeLayer } from "../../../../layerfs/layer/write.ts";
import { openStore } from "../../../../layerfs/store/store.ts";

const second = 1_000_000_000n;
const entry = (path: string, seconds: bigint, more: Partial<Entry> = {}): Change => ({
  kind: "set",
  entry: {
    ...{ path, type: "file", mode: 0o644, uid: 0, gid: 0, size: 1, mtimeNs: seconds * second },
    content: { kind: "bytes", bytes: Buffer.from("x") },
    ...more,
  },
});
const creation = (seconds: string) => ({ pax: new Map([["LIBARCHIVE.creationtime", Buffer.from(seconds)]]) });

for (const isIndexed of [true, false])
  test(`later times become the epoch, others stay${isIndexed ? "" : " (without an index)"}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "wbuild-bound-"));
    t.teardown(() => rmSync(folder, { recursive: true }));
    using store = openStore(join(folder, "home"));
    using _lease = store.lease();
    const changes = [
      entry("a", 999n, creation("5")),
      entry("b", 2000n, creation("1999.5")),
      { kind: "delete", path: "c" } as const,
    ];
    const how = { compression: "gzip", mediaTypes: "oci" } as const;
    const { layer, uncompressedSize, index } = await writeLayer(changes, store.blobs, how);
    store.layers.record(layer, { uncompressedSize, ...(isIndexed ? { index } : {}) });
    const bound = await boundTimes(store, layer, 1000);
    if (!bound) return t.fail();
    t.not(bound.diffId, layer.diffId);
    t.is(bound.blob.mediaType, layer.blob.mediaType);
    const seen: unknown[] = [];
    for await (const change of readLayer(store.blobs.open(bound.blob)))
      seen.push(
        change.kind === "set"
          ? [change.entry.path, change.entry.mtimeNs / second, String(change.entry.pax?.get("LIBARCHIVE.creationtime"))]
          : [change.kind, change.path],
      );
    t.deepEqual(seen, [
      ["a", 999n, "5"],
      ["b", 1000n, "1000"],
      ["delete", "c"],
    ]);
    t.deepEqual(await boundTimes(store, bound, 1000), bound, "once is enough");
    t.is((await boundTimes(store, layer, 3000))?.diffId, layer.diffId, "a later epoch changes nothing");
  });

test("a layer that is not here cannot be judged", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-bound-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  using store = openStore(join(folder, "home"));
  const digest = `sha256:${"0".repeat(64)}` as const;
  t.is(await boundTimes(store, { blob: { mediaType: "x", digest, size: 1 }, diffId: digest }, 1), undefined);
});
