/** What a build does again and what it finds: touched files, changes and the way back, damage, other stages. */
import {
  chmodSync,
  mkdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "ava";
import { readManifest } from "../../builder/image/stored/stored-image.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { buildWorld } from "../doubles/builds.ts";
import { lastLayer } from "./last-layer.ts";

test("a second build of an unchanged context runs no step and gives the same image", async (t) => {
  const { build, write } = buildWorld(t);
  write("a/one", "1");
  write("a/two", "2");
  const lines = ["FROM scratch", "WORKDIR /w", "COPY a /a", "COPY a/one .", "ENV X=1"];
  const first = await build(lines);
  t.deepEqual(first.ran, ["COPY a /a", "COPY a/one .", "WORKDIR /w"]);
  const second = await build(lines);
  t.deepEqual([second.ran, second.cached], [[], first.ran]);
  t.is(second.manifest.digest, first.manifest.digest);
});

test("touching a file keeps the cache; changing it re-runs what depends on it and nothing else", async (t) => {
  const { build, write, folder } = buildWorld(t);
  write("a", "1");
  write("b", "1");
  const lines = ["FROM scratch AS one", "COPY a /a", "FROM scratch", "COPY b /b", "COPY --from=one /a /c"];
  const first = await build(lines);
  utimesSync(join(folder, "a"), 1, 1);
  t.deepEqual((await build(lines)).ran, []);
  write("a", "2");
  const changed = await build(lines);
  t.deepEqual(changed.ran, ["COPY --from=one /a /c", "COPY a /a"]);
  t.not(changed.imageId, first.imageId);
  write("a", "1");
  t.is((await build(lines)).imageId, first.imageId);
});

test("a step is found by content when what lies below was made another way", async (t) => {
  const { build, write } = buildWorld(t);
  write("a", "same");
  write("other/a", "same");
  write("b", "b");
  await build(["FROM scratch", "COPY a /", "COPY b /"], { sourceDateEpoch: 0 });
  const second = await build(["FROM scratch", "COPY other/a /", "COPY b /"], { sourceDateEpoch: 0 });
  t.deepEqual([second.ran, second.cached], [["COPY other/a /"], ["COPY b /"]]);
});

test("--no-cache runs every step again; a list of stages only theirs", async (t) => {
  const { build, write } = buildWorld(t);
  write("a", "1");
  const lines = ["FROM scratch AS one", "COPY a /a", "FROM scratch AS two", "COPY a /b", "COPY --from=one /a /c"];
  await build(lines);
  t.is((await build(lines, { noCache: true })).ran.length, 3);
  t.deepEqual((await build(lines, { noCache: ["one"] })).ran, ["COPY a /a"]);
});

test("a damaged or lost blob of a cached step is made again", async (t) => {
  const { build, write, store } = buildWorld(t);
  write("a", "1");
  const lines = ["FROM scratch", "COPY a /a"];
  const first = await build(lines);
  const manifest = await readManifest(store, first.manifest);
  rmSync(store.blobs.path(manifest.layers[0]?.digest as `sha256:${string}`));
  const second = await build(lines);
  t.deepEqual(second.ran, ["COPY a /a"]);
});

test("a damaged blob of the right size is found out when somebody needs its files, told of, and made again", async (t) => {
  const { build, write, store } = buildWorld(t);
  write("a", "1");
  write("b", "2");
  const first = await build(["FROM scratch", "COPY a /a"]);
  const manifest = await readManifest(store, first.manifest);
  const { digest, size } = manifest.layers[0] as { digest: `sha256:${string}`; size: number };
  const path = store.blobs.path(digest);
  rmSync(path);
  writeFileSync(path, Buffer.alloc(size, 7));
  await store.collect({ all: true, dryRun: true });
  rmSync(join(store.home, "store-v1/indexes"), { recursive: true });
  rmSync(join(store.home, "store-v1/snapshots"), { recursive: true });
  mkdirSync(join(store.home, "store-v1/snapshots"));
  const second = await build(["FROM scratch", "COPY a /a", "COPY b /b"]);
  t.deepEqual(second.ran, ["COPY a /a", "COPY b /b"]);
  t.is(second.warnings.filter((text) => text.includes(digest)).length, 1, second.warnings.join("\n"));
  t.is(await store.blobs.has(digest), size);
  t.deepEqual((await store.verify()).corrupt, []);
  t.deepEqual(await lastLayer(store, second), ["file b 644"]);
});

test("SOURCE_DATE_EPOCH: two builds in different stores at different times are the same image", async (t) => {
  const { build, write, folder } = buildWorld(t);
  write("a", "1");
  const lines = ["FROM scratch", "WORKDIR /w", "COPY a .", "LABEL x=y"];
  const first = await build(lines, { sourceDateEpoch: 1_000_000_000 });
  utimesSync(join(folder, "a"), 2_000_000_000, 2_000_000_000);
  const second = await build(lines, { sourceDateEpoch: 1_000_000_000, noCache: true });
  t.is(second.manifest.digest, first.manifest.digest);
});

test("a folder: touching keeps the cache, each kind of change is seen, and going back finds the old result", async (t) => {
  const { build, write, folder } = buildWorld(t);
  for (const name of ["d/a", "d/b", "d/sub/c"]) write(name, name);
  const lines = ["FROM scratch", "COPY d /x"];
  const first = await build(lines);
  utimesSync(join(folder, "d/a"), 1, 1);
  t.deepEqual((await build(lines)).ran, [], "a touched file");
  const steps: [what: string, change: () => void, back: () => void][] = [
    ["content", () => write("d/sub/c", "D/SUB/C"), () => write("d/sub/c", "d/sub/c")],
    ["mode", () => chmodSync(join(folder, "d/b"), 0o600), () => chmodSync(join(folder, "d/b"), 0o644)],
    ["a new file", () => write("d/new", ""), () => rmSync(join(folder, "d/new"))],
    ["a new folder", () => mkdirSync(join(folder, "d/e")), () => rmdirSync(join(folder, "d/e"))],
    [
      "a name",
      () => renameSync(join(folder, "d/a"), join(folder, "d/z")),
      () => renameSync(join(folder, "d/z"), join(folder, "d/a")),
    ],
  ];
  for (const [what, change, back] of steps) {
    change();
    const changed = await build(lines);
    t.deepEqual(changed.ran, ["COPY d /x"], what);
    t.not(changed.imageId, first.imageId, what);
    back();
    t.is((await build(lines)).imageId, first.imageId, `${what}, and back`);
  }
});

test("ignore rules that hide nothing change no key: both ways to read a folder agree", async (t) => {
  const { build, write, folder } = buildWorld(t);
  for (const name of ["d/a", "d/b.txt", "d/sub/c", "d/sub-2"]) write(name, name);
  symlinkSync("../a", join(folder, "d/sub/l"));
  const lines = ["FROM scratch", "COPY d /x"];
  const first = await build(lines);
  write(".dockerignore", "nothing-like-this\n");
  const second = await build(lines);
  t.deepEqual([second.ran, second.imageId], [[], first.imageId]);
  write(".dockerignore", "**/*.txt\n");
  t.deepEqual((await build(lines)).ran, ["COPY d /x"]);
});

test("what is remembered of a context holds nothing of other stages", async (t) => {
  const { build, write, folder, store } = buildWorld(t);
  write("a", "1");
  await build(["FROM scratch AS one", "COPY a /a", "FROM scratch", "COPY a /b", "COPY --from=one /a /c"]);
  const scope = digestOf(JSON.stringify([realpathSync(folder), null]));
  const known = Buffer.from((store.facts.get(`files ${scope}`) as Uint8Array | undefined) ?? "").toString("utf8");
  t.regex(known, /\/context\/a\0/);
  t.notRegex(known, /\/home\//);
});
