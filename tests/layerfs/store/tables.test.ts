/** Layers, snapshots, cache and facts: what was put is found again, and what is no longer whole is not. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Database } from "../../../layerfs/store/database.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { forgetFacts } from "../../../layerfs/store/facts.ts";
import { layoutOf } from "../../../layerfs/store/layout.ts";
import { chainId } from "../../../layerfs/store/snapshots.ts";
import { hour, makeHome, named, putText } from "./home.ts";

test("a layer is found by its tar and by its blob, in each of its compressions", async (t) => {
  using home = makeHome();
  const { layers } = home.store;
  const gzip = { blob: await putText(home.store, "gzip"), diffId: named("tar") };
  const zstd = { blob: await putText(home.store, "zstd"), diffId: named("tar") };
  t.deepEqual(layers.find(named("tar")), []);
  layers.record(zstd, { uncompressedSize: 9, createdMs: 2 });
  layers.record(gzip, { uncompressedSize: 9, createdMs: 1 });
  const found = [gzip, zstd].map((layer) => ({ ...layer, uncompressedSize: 9 }));
  t.deepEqual(layers.find(named("tar")), found);
  t.deepEqual(layers.byBlob(zstd.blob.digest), found[1]);
  t.is(layers.byBlob(named("none")), undefined);
  rmSync(home.store.blobs.path(gzip.blob.digest));
  t.deepEqual(layers.find(named("tar")), [found[1]!]);
  t.is(layers.byBlob(gzip.blob.digest), undefined);
});

test("the index of a layer comes back byte for byte, and not at all when it was damaged", async (t) => {
  using home = makeHome();
  const { layers } = home.store;
  const layer = { blob: await putText(home.store, "blob"), diffId: named("tar") };
  t.is(await layers.index(layer.diffId), undefined);
  layers.record(layer, { uncompressedSize: 1, index: Buffer.from("index one") });
  t.is(String(await layers.index(layer.diffId)), "index one");
  layers.setIndex(layer.diffId, Buffer.from("index two"));
  t.is(String(await home.again().layers.index(layer.diffId)), "index two");
  const hex = layer.diffId.slice(7);
  const file = join(home.path, "store-v1/indexes", hex.slice(0, 2), hex);
  t.is(readFileSync(file, "utf8"), "index two");
  for (const damage of [() => writeFileSync(file, "index 2wo"), () => truncateSync(file, 3), () => rmSync(file)]) {
    damage();
    t.is(await layers.index(layer.diffId), undefined);
    layers.setIndex(layer.diffId, Buffer.from("index two"));
    t.is(String(await layers.index(layer.diffId)), "index two");
  }
});

// The first two rows: OCI image specification, config.md, "Layer ChainID": ChainID(A|B|C) by its own formula.
const a = named("a");
const b = named("b");
const chains: [name: string, parent: Digest | undefined, diffId: Digest, expected: Digest][] = [
  ["the lowest layer is its diffID", undefined, a, a],
  ["a layer above hashes parent, space, diffID", a, b, digestOf(`${a} ${b}`)],
  ["and so on", digestOf(`${a} ${b}`), a, digestOf(`${digestOf(`${a} ${b}`)} ${a}`)],
];
for (const [name, parent, diffId, expected] of chains) {
  test(`chain ID: ${name}`, (t) => t.is(chainId(parent, diffId), expected));
}

test("a reserved folder becomes a snapshot; scratch and what is not committed goes", async (t) => {
  using home = makeHome();
  const { snapshots } = home.store;
  const temp = () => readdirSync(join(home.path, "store-v1/temp"));
  t.is(snapshots.find(a), undefined);
  {
    await using place = await snapshots.reserve();
    t.deepEqual([readdirSync(place.folder), readdirSync(place.scratch)], [[], []]);
    t.is(statSync(place.folder).mode & 0o7777, 0o755);
    t.is(statSync(place.folder).dev, statSync(place.scratch).dev);
    writeFileSync(join(place.folder, "file"), "layer");
    writeFileSync(join(place.scratch, "work"), "x");
    const folder = place.commit(a, a);
    t.is(readFileSync(join(folder, "file"), "utf8"), "layer");
    t.deepEqual(snapshots.find(a), { folder });
  }
  t.deepEqual(temp(), []);
  const { folder } = snapshots.find(a)!;
  t.is(readFileSync(join(folder, "file"), "utf8"), "layer");
  {
    await using place = await snapshots.reserve();
    writeFileSync(join(place.folder, "file"), "never");
  }
  t.deepEqual(temp(), []);
  {
    await using slow = await home.again().snapshots.reserve();
    t.is(slow.commit(a, a), folder, "the first wins");
  }
  t.deepEqual([temp(), readdirSync(join(home.path, "store-v1/snapshots")).length], [[], 1]);
  rmSync(join(folder, ".."), { recursive: true });
  t.is(snapshots.find(a), undefined, "a folder that somebody removed is no snapshot");
  await using again = await snapshots.reserve();
  again.commit(a, a);
  t.not(snapshots.find(a)?.folder, folder);
});

test("a snapshot of an earlier boot that was never synced does not count", async (t) => {
  using home = makeHome();
  const { snapshots } = home.store;
  await using place = await snapshots.reserve();
  place.commit(a, a);
  await using other = await snapshots.reserve();
  other.commit(b, b);
  const { default: Sqlite } = await import("better-sqlite3");
  const db = new Sqlite(join(home.path, "store-v1/index.db"));
  db.prepare("UPDATE snapshots SET boot = 'yesterday' WHERE chain_id = ?").run(a);
  db.prepare("UPDATE snapshots SET boot = NULL WHERE chain_id = ?").run(b);
  db.close();
  const later = home.again().snapshots;
  t.is(later.find(a), undefined);
  t.not(later.find(b), undefined);
});

test("a cache row is found while all that it keeps is there", async (t) => {
  using home = makeHome();
  const { cache, snapshots } = home.store;
  const blob = await putText(home.store, "result");
  {
    await using place = await snapshots.reserve();
    place.commit(a, a);
  }
  t.is(cache.get("key"), undefined);
  cache.put("key", '{"v":1}', [blob.digest, a]);
  t.deepEqual(cache.get("key"), { value: '{"v":1}', createdMs: home.clock.ms });
  home.clock.ms += hour;
  cache.put("key", '{"v":2}', [blob.digest]);
  t.deepEqual(home.again().cache.get("key"), { value: '{"v":2}', createdMs: home.clock.ms });
  rmSync(home.store.blobs.path(blob.digest));
  t.is(cache.get("key"), undefined);
  await putText(home.store, "result");
  t.is(cache.get("key"), undefined, "the row went with its content");
  cache.put("other", "", []);
  t.deepEqual([cache.delete("other"), cache.delete("other")], [true, false]);
});

test("facts are text or bytes", (t) => {
  using home = makeHome();
  const { facts } = home.store;
  t.is(facts.get("key"), undefined);
  facts.set("key", "text");
  t.is(facts.get("key"), "text");
  facts.set("key", Buffer.of(0, 255));
  t.deepEqual(home.again().facts.get("key"), Buffer.of(0, 255));
  facts.set("123", "456");
  t.is(facts.get("123"), "456");
});

test("of too many facts the least recently used are forgotten", (t) => {
  using home = makeHome();
  const { facts } = home.store;
  for (let i = 0; i < 6; i++) {
    home.clock.ms += hour;
    facts.set(`fact ${i}`, String(i));
  }
  home.clock.ms += hour;
  facts.get("fact 0");
  using db = new Database(layoutOf(home.path));
  t.is(forgetFacts(db, 3), 3);
  t.deepEqual(
    [0, 1, 2, 3, 4, 5].filter((i) => facts.get(`fact ${i}`) !== undefined),
    [0, 4, 5],
  );
});
