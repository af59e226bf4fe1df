/** Cache mounts: who shares a folder with whom, also across processes and kill -9; that none goes while it is used. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import type { CacheMountWish, CacheSharing } from "../../../layerfs/store/cache-mounts.ts";
import type { CollectOptions } from "../../../layerfs/store/choose.ts";
import { hour, makeHome } from "./home.ts";

const never = new AbortController().signal;
const wish = (id: string, sharing: CacheSharing, more: Partial<CacheMountWish> = {}): CacheMountWish => ({
  id,
  sharing,
  description: `/${id}`,
  signal: never,
  ...more,
});

/** "same" folder, a "new" one, or "waits" until the first user is done. */
async function second(first: CacheSharing, then: CacheSharing): Promise<string> {
  using home = makeHome();
  const one = await home.store.cacheMounts.use(wish("x", first));
  const aborted = new AbortController();
  const asked = home.again().cacheMounts.use(wish("x", then, { signal: aborted.signal }));
  // Four looks at the lock are enough to have had it, were it free.
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 200, undefined));
  const two = await Promise.race([asked, late]);
  if (two) {
    const isSame = two.folder === one.folder;
    await two[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
    return isSame ? "same" : "new";
  }
  await one[Symbol.asyncDispose]();
  await using after = await asked;
  return after.folder === one.folder ? "waits" : "waits for nothing";
}

for (const [first, then, expected] of [
  ["shared", "shared", "same"],
  ["shared", "locked", "waits"],
  ["locked", "shared", "waits"],
  ["locked", "locked", "waits"],
  ["private", "private", "new"],
  ["private", "locked", "waits"],
  ["shared", "private", "new"],
  ["locked", "private", "new"],
] as const) {
  test(`while one uses it ${first}, one who wants it ${then}: ${expected}`, async (t) => {
    t.is(await second(first, then), expected);
  });
}

test("what is written stays, until the next user and the next process", async (t) => {
  using home = makeHome();
  {
    await using used = await home.store.cacheMounts.use(wish("go", "shared", { mode: 0o1777, uid: 5, gid: 6 }));
    writeFileSync(join(used.folder, "made"), "kept");
    const { mode, uid, gid } = statSync(used.folder);
    t.deepEqual([mode & 0o7777, uid, gid], [0o1777, 5, 6]);
  }
  await using again = await home.again().cacheMounts.use(wish("go", "locked"));
  t.is(readFileSync(join(again.folder, "made"), "utf8"), "kept");
  await using other = await home.store.cacheMounts.use(wish("npm", "shared"));
  t.deepEqual(readdirSync(other.folder), []);
});

test("a private folder is taken again when it is free", async (t) => {
  using home = makeHome();
  const folders = new Set<string>();
  for (let i = 0; i < 3; i++) {
    await using one = await home.store.cacheMounts.use(wish("x", "private"));
    await using two = await home.store.cacheMounts.use(wish("x", "private"));
    folders.add(one.folder).add(two.folder);
  }
  t.is(folders.size, 2);
});

test("it is filled once; a filling that fails leaves nothing", async (t) => {
  using home = makeHome();
  let fills = 0;
  const fill = async (folder: string) => {
    fills++;
    writeFileSync(join(folder, "seed"), "");
  };
  const failing = async (folder: string) => {
    writeFileSync(join(folder, "half"), "");
    throw new Error("no room");
  };
  await t.throwsAsync(home.store.cacheMounts.use(wish("x", "shared", { fill: failing })), { message: /no room/ });
  for (let i = 0; i < 2; i++) {
    await using used = await home.store.cacheMounts.use(wish("x", "shared", { fill }));
    t.deepEqual(readdirSync(used.folder), ["seed"]);
  }
  t.is(fills, 1);
  t.deepEqual(readdirSync(join(home.path, "store-v1/temp")), []);
});

test("waiting ends when the build does", async (t) => {
  using home = makeHome();
  await using _used = await home.store.cacheMounts.use(wish("x", "locked"));
  const aborted = new AbortController();
  const asked = home.store.cacheMounts.use(wish("x", "locked", { signal: aborted.signal }));
  aborted.abort(new Error("stop"));
  await t.throwsAsync(asked, { message: "stop" });
});

function holder(t: ExecutionContext, home: string, sharing: string): ChildProcess {
  const file = fileURLToPath(new URL("./cache-mount-holder.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import=tsx", file, home, "x", sharing], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  return child;
}

test("another process has it until it dies, by kill -9 too", async (t) => {
  using home = makeHome();
  const child = holder(t, home.path, "locked");
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  await home.store.collect({ all: true });
  const folder = String(line).trim().replace("using ", "");
  t.true(existsSync(folder), "a collection leaves it");
  t.true((await home.store.usage()).rows.some((row) => row.kind === "cache mount" && row.inUse));
  let got = false;
  const asked = home.store.cacheMounts.use(wish("x", "locked")).then((used) => {
    got = true;
    return used;
  });
  await home.store.usage();
  t.false(got);
  child.kill("SIGKILL");
  await using used = await asked;
  t.is(used.folder, folder);
});

for (const [name, options, left] of [
  ["only garbage", {}, ["new", "old"]],
  ["all", { all: true }, []],
  ["what is old", { until: 1_700_000_000_000 + hour }, ["new"]],
  ["cache mounts", { only: "cache mounts" }, []],
  ["old cache mounts", { only: "cache mounts", until: 1_700_000_000_000 + hour }, ["new"]],
  ["all but cache mounts", { only: "all but cache mounts", all: true }, ["new", "old"]],
  ["the longest unused until there is room", { keepStorageBytes: 150_000 }, ["new"]],
  ["cache mounts until there is room", { only: "cache mounts", keepStorageBytes: 150_000 }, ["new"]],
] as [string, CollectOptions, string[]][]) {
  test(`collecting ${name} leaves ${left.join(" and ") || "none"}`, async (t) => {
    using home = makeHome();
    const put = async (id: string) => {
      await using used = await home.store.cacheMounts.use(wish(id, "shared"));
      writeFileSync(join(used.folder, id), Buffer.alloc(100_000, 1));
    };
    await put("old");
    home.clock.ms += hour * 2;
    await put("new");
    const told = await home.store.collect({ ...options, dryRun: true });
    const report = await home.store.collect(options);
    t.deepEqual(told.removed, report.removed);
    const rows = (await home.store.usage()).rows.filter((row) => row.kind === "cache mount");
    t.deepEqual(rows.map((row) => row.description.slice(1)).sort(), left);
    t.true(rows.every((row) => row.bytes >= 100_000 && !row.inUse));
    for (const id of left) {
      await using used = await home.store.cacheMounts.use(wish(id, "shared"));
      t.true(existsSync(join(used.folder, id)));
    }
  });
}

test("a database that cannot be written to keeps nobody from giving a folder back", async (t) => {
  using home = makeHome();
  const used = await home.store.cacheMounts.use(wish("x", "locked"));
  const other = home.again();
  home.store[Symbol.dispose]();
  await used[Symbol.asyncDispose]();
  await using again = await other.cacheMounts.use(wish("x", "locked"));
  t.is(again.folder, used.folder);
});
