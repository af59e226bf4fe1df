/** Garbage collection: what goes, what stays, and that nobody loses what he uses. */
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { CollectOptions } from "../../../layerfs/store/choose.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { type Home, hour, makeHome, named, putText, start } from "./home.ts";

/** A layer with blob, row, index and snapshot; its snapshot holds `bytes` bytes. */
async function putLayer(store: Store, name: string, bytes = 100_000): Promise<{ blob: Digest; chain: Digest }> {
  const blob = await putText(store, name);
  const diffId = named(name);
  store.layers.record({ blob, diffId }, { uncompressedSize: 1, index: Buffer.from(`index of ${name}`) });
  await using place = await store.snapshots.reserve();
  writeFileSync(join(place.folder, "file"), Buffer.alloc(bytes, 1));
  place.commit(diffId, diffId);
  return { blob: blob.digest, chain: diffId };
}

const nameOf = (names: Map<string, string>, id: string) => names.get(id) ?? id;

/** A store with an image, two cached results of different age, a shared layer and an orphan; names for what is in it. */
async function furnish(home: Home): Promise<Map<string, string>> {
  const { store, clock } = home;
  const names = new Map<string, string>();
  const put = async (name: string) => {
    const layer = await putLayer(store, name);
    names.set(layer.blob, name).set(layer.chain, name);
    return layer;
  };
  const image = await put("image");
  const old = await put("old");
  const shared = await put("shared");
  await put("orphan");
  store.refs.set("image", { mediaType: "x", digest: image.blob, size: 5 }, [shared.blob]);
  store.cache.put("old", "", [old.blob, shared.blob]);
  clock.ms += hour;
  const fresh = await put("fresh");
  store.cache.put("fresh", "", [fresh.blob, fresh.chain]);
  return names;
}

const cases: [name: string, options: CollectOptions, gone: string[]][] = [
  ["nothing asked: only garbage goes", {}, ["blob orphan", "index orphan", "snapshot orphan"]],
  [
    "all: cache and snapshots go, what the image keeps stays",
    { all: true },
    [
      ...[
        "blob fresh",
        "blob old",
        "blob orphan",
        "cache fresh",
        "cache old",
        "index fresh",
        "index old",
        "index orphan",
      ],
      ...["snapshot fresh", "snapshot image", "snapshot old", "snapshot orphan", "snapshot shared"],
    ],
  ],
  [
    "until: what was used later stays",
    { until: start + hour },
    [
      ...["blob old", "cache old", "index old"],
      ...["snapshot image", "snapshot old", "snapshot orphan", "snapshot shared"],
    ],
  ],
  ["until long ago: nothing goes", { until: start }, []],
  ["keep more than there is", { keepStorageBytes: 1e9 }, ["blob orphan", "index orphan", "snapshot orphan"]],
  [
    "keep the two snapshots that were used last",
    { keepStorageBytes: 250_000 },
    [
      ...["blob old", "blob orphan", "cache old", "index old", "index orphan"],
      ...["snapshot image", "snapshot old", "snapshot orphan"],
    ],
  ],
];

for (const [name, options, gone] of cases) {
  test(`collect: ${name}`, async (t) => {
    using home = makeHome();
    const names = await furnish(home);
    const { store } = home;
    if (name.startsWith("keep the two")) {
      home.clock.ms += hour;
      store.snapshots.find(named("image"));
      home.clock.ms += hour;
      store.snapshots.find(named("shared"));
      store.snapshots.find(named("fresh"));
      store.cache.get("fresh");
    }
    const before = await store.usage();
    const dry = await store.collect({ ...options, dryRun: true });
    t.deepEqual((await store.usage()).layers, before.layers, "a dry run removes nothing");
    const report = await store.collect(options);
    t.deepEqual(report, dry, "a dry run tells the truth");
    t.deepEqual(report.removed.map((one) => `${one.kind} ${nameOf(names, one.id)}`).sort(), gone);
    t.is(
      report.freedBytes,
      report.removed.reduce((sum, one) => sum + one.bytes, 0),
    );
    for (const [id, what] of names) {
      if (id === named(what)) t.is(store.snapshots.find(id as Digest) === undefined, gone.includes(`snapshot ${what}`));
      else t.is((await store.blobs.has(id as Digest)) === undefined, gone.includes(`blob ${what}`));
    }
    t.deepEqual(readdirSync(join(home.path, "store-v1/temp")), []);
    t.deepEqual((await store.collect(options)).removed, [], "a second time there is nothing to do");
  });
}

test("collect: a cached result whose blob is gone goes with any collection, and frees what it kept besides", async (t) => {
  using home = makeHome();
  const { store } = home;
  const [lost, beside] = [await putText(store, "lost"), await putText(store, "beside")];
  store.cache.put("half", "", [lost.digest, beside.digest]);
  store.cache.put("whole", "", [beside.digest]);
  store.cache.put("nothing", "", []);
  rmSync(store.blobs.path(lost.digest));
  t.is((await store.usage()).cache.count, 3);
  const first = await store.collect();
  t.deepEqual(
    first.removed.map(({ kind, id }) => `${kind} ${id}`),
    ["cache half"],
  );
  t.true(store.cache.delete("whole"));
  const second = await store.collect();
  t.deepEqual(
    second.removed.map(({ kind, id }) => `${kind} ${id}`),
    [`blob ${beside.digest}`],
  );
});

test("a lease keeps what was put, found or reserved under it, against another process's collection", async (t) => {
  using home = makeHome();
  const { store } = home;
  const other = home.again();
  const found = await putLayer(store, "found");
  const lost = await putLayer(store, "lost");
  other.cache.put("row", "", [lost.blob]);
  const lease = store.lease();
  const inner = store.lease();
  const put = await putText(store, "put");
  await store.blobs.has(found.blob);
  store.snapshots.find(found.chain);
  store.cache.get("row");
  const place = await store.snapshots.reserve();
  const file = await store.blobs.reserve();
  writeFileSync(file.path, "half");
  inner[Symbol.dispose]();
  await other.collect({ all: true });
  t.is(await other.blobs.has(put.digest), put.size);
  t.not(await other.blobs.has(found.blob), undefined);
  t.not(await other.blobs.has(lost.blob), undefined, "the row went, its content is in use");
  t.not(other.snapshots.find(found.chain), undefined);
  t.true(existsSync(place.folder) && existsSync(place.scratch) && existsSync(file.path));
  await place[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
  lease[Symbol.dispose]();
  lease[Symbol.dispose]();
  await other.collect({ all: true });
  t.is((await other.usage()).layers.count + (await other.usage()).snapshots.count, 0);
  t.deepEqual(readdirSync(join(home.path, "store-v1/leases")), []);
});

test("what a ref keeps stays while a lease that found it is open, though the ref is gone", async (t) => {
  using home = makeHome();
  const { store } = home;
  const blob = await putText(store, "image");
  store.refs.set("x", blob, []);
  const lease = store.lease();
  store.refs.get("x");
  home.again().refs.delete("x");
  await home.again().collect();
  t.is(await store.blobs.has(blob.digest), blob.size);
  lease[Symbol.dispose]();
  await home.again().collect();
  t.is(await store.blobs.has(blob.digest), undefined);
});

test("leftovers of dead processes go, also folders without rights and folders without a row", async (t) => {
  using home = makeHome();
  const root = join(home.path, "store-v1");
  const left = join(root, "temp", "0123456789abcdef-0123");
  mkdirSync(join(left, "a/b"), { recursive: true });
  writeFileSync(join(left, "a/b/file"), "x");
  symlinkSync("/etc", join(left, "a/etc"));
  chmodSync(join(left, "a/b"), 0o000);
  chmodSync(join(left, "a"), 0o500);
  mkdirSync(join(root, "snapshots", "feedfeedfeedfeed", "layer"), { recursive: true });
  writeFileSync(join(root, "leases", "0123456789abcdef"), `${named("x")}\n`);
  const { removed } = await home.store.collect();
  t.deepEqual(
    removed.map((one) => [one.kind, one.id]),
    [
      ["snapshot", "feedfeedfeedfeed"],
      ["temp", "0123456789abcdef-0123"],
    ],
  );
  t.deepEqual(
    ["temp", "snapshots", "leases"].flatMap((name) => readdirSync(join(root, name))),
    [],
  );
  t.true(existsSync("/etc/passwd"));
});

test("once an hour an opened store tidies up by itself", async (t) => {
  using home = makeHome();
  const root = join(home.path, "store-v1");
  const left = join(root, "temp", "0123456789abcdef-0123");
  writeFileSync(left, "x");
  const settled = async () => {
    for (let turn = 0; turn < 200 && existsSync(left); turn++) await new Promise((resolve) => setImmediate(resolve));
    return !existsSync(left);
  };
  home.again();
  utimesSync(join(root, "upkeep"), 1, 1);
  home.clock.ms += hour;
  home.again();
  while (!(await settled()));
  t.false(existsSync(left));
});

test("du: sums and rows", async (t) => {
  using home = makeHome();
  await furnish(home);
  const usage = await home.store.usage();
  const size = (...names: string[]) => names.join("").length;
  t.deepEqual(usage.images, { count: 1, bytes: size("image", "shared"), reclaimableBytes: 0 });
  t.deepEqual(usage.cache, { count: 2, bytes: size("old", "fresh"), reclaimableBytes: size("old", "fresh") });
  t.deepEqual(usage.layers, {
    count: 5,
    bytes: size("image", "old", "shared", "orphan", "fresh"),
    reclaimableBytes: size("old", "orphan", "fresh"),
  });
  t.is(usage.snapshots.count, 5);
  t.true(usage.snapshots.bytes >= 500_000);
  t.true(usage.databaseBytes > 0);
  const rows = (kind: string) => usage.rows.filter((row) => row.kind === kind);
  t.deepEqual(
    rows("cache").map((row) => [row.id, row.lastUsedMs, row.inUse]),
    [
      ["old", start, false],
      ["fresh", start + hour, false],
    ],
  );
  t.deepEqual(
    rows("image").map((row) => [row.id, row.bytes, row.inUse]),
    [["image", size("image", "shared"), true]],
  );
  t.deepEqual([rows("layer").length, rows("snapshot").length, rows("temp").length], [5, 5, 0]);
});
