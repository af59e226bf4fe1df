/** Where blobs can be had that were left in a registry or a layout: what is told, for how long it stays, and what it says of a lost blob. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import Sqlite from "better-sqlite3";
import { chooseVictims } from "../../../layerfs/store/choose.ts";
import type { BlobSource } from "../../../layerfs/store/sources.ts";
import { hour, makeHome, named, putText } from "./home.ts";

const base: BlobSource = { registry: "r.example", repository: "base", reference: "r.example/base:1" };
const other: BlobSource = { registry: "r.example", repository: "other", reference: "r.example/other:1" };
const layer = named("layer");

test("a source is found by the blob's digest, also by another process; the last noted comes first", (t) => {
  using home = makeHome();
  const { sources } = home.store;
  const next = home.again();
  t.deepEqual([sources.find(layer), next.sources.find(layer)], [[], []]);
  sources.note(layer, base);
  home.clock.ms += hour;
  sources.note(layer, other);
  t.deepEqual(next.sources.find(layer), [other, base]);
  home.clock.ms += hour;
  next.sources.note(layer, { ...base, reference: "r.example/base:2" });
  t.deepEqual(sources.find(layer), [{ ...base, reference: "r.example/base:2" }, other]);
  t.deepEqual(sources.find(named("another")), []);
  t.throws(() => sources.note("sha256:no" as typeof layer, base), { code: "STORE_DIGEST_SYNTAX" });
});

test("a claim stays one, whoever names the same place without it", (t) => {
  using home = makeHome();
  const { sources } = home.store;
  const claimed = named("tar");
  sources.note(layer, { ...base, claimed });
  sources.note(layer, base);
  t.deepEqual(sources.find(layer), [{ ...base, claimed }]);
});

test("what is allowed of the connection is remembered, as the last one to name the place had it", (t) => {
  using home = makeHome();
  const { sources } = home.store;
  sources.note(layer, { ...base, exception: "insecure" });
  t.deepEqual(sources.find(layer), [{ ...base, exception: "insecure" }]);
  sources.note(layer, { ...base, exception: "plain-http" });
  t.deepEqual(home.again().sources.find(layer), [{ ...base, exception: "plain-http" }]);
  sources.note(layer, base);
  t.deepEqual(sources.find(layer), [base]);
});

test("a table of before that was remembered is read, and gets its column with the next note", (t) => {
  using home = makeHome();
  const db = new Sqlite(join(home.path, "store-v1/index.db"));
  db.exec(`CREATE TABLE sources (blob TEXT NOT NULL, registry TEXT NOT NULL, repository TEXT NOT NULL,
    reference TEXT NOT NULL, claimed TEXT, noted INTEGER NOT NULL,
    PRIMARY KEY (blob, registry, repository)) STRICT, WITHOUT ROWID`);
  db.prepare("INSERT INTO sources VALUES (?, ?, ?, ?, NULL, 1)").run(
    ...[layer, base.registry, base.repository, base.reference],
  );
  db.close();
  const { sources } = home.store;
  t.deepEqual(sources.find(layer), [base]);
  sources.note(layer, { ...base, exception: "insecure" });
  t.deepEqual(sources.find(layer), [{ ...base, exception: "insecure" }]);
});

test("layouts are found before repositories, each once, with what was claimed of the blob; they go with them", async (t) => {
  using home = makeHome();
  const { sources } = home.store;
  const claimed = named("tar");
  sources.note(layer, base);
  sources.note(layer, { layout: "/one", claimed });
  home.clock.ms += hour;
  sources.note(layer, { layout: "/two" });
  sources.note(layer, { layout: "/one" });
  t.deepEqual(home.again().sources.find(layer), [{ layout: "/one", claimed }, { layout: "/two" }, base]);
  sources.note(named("another"), { layout: "/one" });
  await home.store.collect();
  t.deepEqual([sources.find(layer), sources.find(named("another"))], [[], []]);
});

test("a store of before there were layouts is read, and gets their table with the next note", async (t) => {
  using home = makeHome();
  home.store.sources.note(layer, base);
  const db = new Sqlite(join(home.path, "store-v1/index.db"));
  db.exec("DROP TABLE layout_sources");
  db.close();
  const next = home.again();
  t.deepEqual(next.sources.find(layer), [base]);
  next.sources.note(layer, { layout: "/one" });
  t.deepEqual(next.sources.find(layer), [{ layout: "/one" }, base]);
});

test("a source stays while a name or a lease keeps its blob, and goes with the next collection after that", async (t) => {
  using home = makeHome();
  const { store } = home;
  const manifest = await putText(store, "manifest");
  store.sources.note(layer, base);
  store.refs.set("image", manifest, [layer]);
  await store.collect({ all: true });
  t.deepEqual(store.sources.find(layer), [base]);
  const lease = store.lease();
  store.refs.get("image");
  const next = home.again();
  next.refs.delete("image");
  await next.collect();
  t.deepEqual(store.sources.find(layer), [base], "somebody works with it");
  lease[Symbol.dispose]();
  await next.collect({ dryRun: true });
  t.deepEqual(store.sources.find(layer), [base], "a dry run removes nothing");
  await next.collect();
  t.deepEqual(store.sources.find(layer), []);
});

test("what was noted under a lease stays until a name keeps it", async (t) => {
  using home = makeHome();
  const { store } = home;
  using _lease = store.lease();
  store.sources.note(layer, base);
  await home.again().collect({ all: true });
  t.deepEqual(store.sources.find(layer), [base]);
});

test("a collection of cache mounts alone forgets no source", (t) => {
  const nothing = { held: new Set<string>(), refs: [], cache: [], snapshots: [], layers: [], folders: [] };
  const all = { ...nothing, blobs: new Map(), indexes: new Map(), sourced: [layer] };
  t.deepEqual(chooseVictims(all, { only: "cache mounts" }).sources, []);
  t.deepEqual(chooseVictims(all, {}).sources, [layer]);
});

test("verify tells a blob that was left in a registry from one that is lost", async (t) => {
  using home = makeHome();
  const { store } = home;
  const [manifest, gone] = [await putText(store, "manifest"), await putText(store, "gone")];
  await using place = await store.snapshots.reserve();
  place.commit(named("tar"), named("tar"));
  store.sources.note(layer, base);
  store.refs.set("image", manifest, [layer, gone.digest, named("tar")]);
  rmSync(store.blobs.path(gone.digest));
  const { checked, elsewhere, missing } = await store.verify();
  t.deepEqual([checked, elsewhere, missing], [1, [layer], [{ digest: gone.digest, name: "image" }]]);
  t.deepEqual((await store.usage()).images, { count: 1, bytes: "manifest".length, reclaimableBytes: 0 });
});
