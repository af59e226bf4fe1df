/** What the host can do to a store: no space, no rights, other versions, damage. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import Sqlite from "better-sqlite3";
import { buildSync } from "esbuild";
import { openStore } from "../../../layerfs/store/store.ts";
import { isWbuildError } from "../../../native/error.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { makeTempFolder } from "../tree/files.ts";
import { makeHome, mediaType } from "./home.ts";

test("the layout is only its owner's", (t) => {
  using folder = makeTempFolder();
  const home = join(folder.path, "new", "home");
  openStore(home)[Symbol.dispose]();
  const modes = execFileSync("find", [home, "-printf", "%m %P\n"], { encoding: "utf8" });
  for (const line of modes.trim().split("\n")) t.regex(line, /^[67]00 /, line);
});

test("a newer schema is refused, and untouched", (t) => {
  using folder = makeTempFolder();
  openStore(folder.path)[Symbol.dispose]();
  const db = new Sqlite(join(folder.path, "store-v1/index.db"));
  db.pragma("user_version = 99");
  db.close();
  const error = t.throws(() => openStore(folder.path));
  t.true(isWbuildError(error, "STORE_VERSION") && error.facts.found === 99, String(error));
});

test("a damaged index says STORE_CORRUPT", (t) => {
  using folder = makeTempFolder();
  mkdirSync(join(folder.path, "store-v1"), { recursive: true });
  writeFileSync(join(folder.path, "store-v1/index.db"), "this is no database, whatever its name says".repeat(100));
  const error = t.throws(() => openStore(folder.path));
  t.true(isWbuildError(error, "STORE_CORRUPT"), String(error));
});

test("a home that is a file says so", (t) => {
  using folder = makeTempFolder();
  writeFileSync(join(folder.path, "file"), "");
  const error = t.throws(() => openStore(join(folder.path, "file")));
  t.true(isWbuildError(error) && error.code.startsWith("STORE_"), String(error));
});

/** A file system of its own, with little room. */
function makeTmpfs(bytes: number): { path: string } & Disposable {
  const folder = makeTempFolder();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder.path]);
  return {
    path: folder.path,
    [Symbol.dispose]() {
      execFileSync("umount", ["-l", folder.path]);
      folder[Symbol.dispose]();
    },
  };
}

async function* endless(): AsyncIterable<Uint8Array> {
  for (;;) yield Buffer.alloc(100_000, 1);
}

testUnless(noRoot)("a full disk says STORE_FULL and leaves nothing half-written", async (t) => {
  using disk = makeTmpfs(4 << 20);
  using store = openStore(disk.path);
  const before = await store.blobs.put(Buffer.from("before"), { mediaType });
  const attempts: [string, () => unknown][] = [
    ["put", () => store.blobs.put(endless(), { mediaType })],
    ["index", () => store.layers.setIndex(before.digest, Buffer.alloc(5 << 20))],
    [
      "table",
      () => {
        for (let i = 0; ; i++) store.facts.set(`fact ${i}`, Buffer.alloc(100_000));
      },
    ],
  ];
  for (const [name, attempt] of attempts) {
    const error = await t.throwsAsync(async () => attempt());
    if (!isWbuildError(error, "STORE_FULL")) throw new Error(name, { cause: error });
    t.true(String(error.facts.path).startsWith(disk.path), name);
    t.is(typeof error.facts.freeBytes, "number");
    t.regex(error.hint ?? "", /prune/);
    t.deepEqual(readdirSync(join(disk.path, "store-v1/temp")), [], name);
  }
  t.is(await store.blobs.has(before.digest), 6);
  t.deepEqual((await store.verify()).corrupt, []);
});

testUnless(noRoot)("an ordinary user's leftovers without rights are removed", (t) => {
  using folder = makeTempFolder();
  chmodSync(folder.path, 0o777);
  // Bundled, because the other user may not be allowed to read this checkout.
  const script = join(folder.path, "run.cjs");
  buildSync({
    stdin: {
      contents: `
          import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
          import { removeTree } from "./remove-tree.ts";
          const top = process.argv[2];
          mkdirSync(top + "/a/b/c", { recursive: true });
          writeFileSync(top + "/a/b/c/file", "x", { mode: 0 });
          for (const at of ["/a/b/c", "/a/b", "/a", ""]) chmodSync(top + at, at === "/a" ? 0o555 : 0);
          removeTree(top).then(() => process.stdout.write(String(existsSync(top))));`,
      resolveDir: fileURLToPath(new URL("../../../layerfs/store", import.meta.url)),
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile: script,
  });
  const out = execFileSync(process.execPath, [script, join(folder.path, "mine")], {
    encoding: "utf8",
    cwd: "/",
    uid: 65534,
    gid: 65534,
  });
  t.is(out, "false");
});

testUnless(noRoot)("a leftover with something mounted in it is not removed", async (t) => {
  using home = makeHome();
  const left = join(home.path, "store-v1/temp/0123456789abcdef-a b");
  mkdirSync(join(left, "mnt"), { recursive: true });
  writeFileSync(join(home.path, "store-v1/temp/0123456789abcdef-other"), "");
  using precious = makeTempFolder();
  writeFileSync(join(precious.path, "file"), "mine");
  execFileSync("mount", ["--bind", precious.path, join(left, "mnt")]);
  try {
    const error = await t.throwsAsync(home.store.collect());
    t.true(isWbuildError(error, "STORE_BUSY"), String(error));
    t.deepEqual(readdirSync(precious.path), ["file"]);
    t.deepEqual(readdirSync(join(left, "..")), ["0123456789abcdef-a b"], "the others went");
  } finally {
    execFileSync("umount", [join(left, "mnt")]);
  }
  await home.store.collect();
  t.deepEqual([readdirSync(join(left, "..")), readdirSync(precious.path)], [[], ["file"]]);
});

/** True where root may make files immutable: not on every file system, and not in every container. */
function canBeImmutable(): boolean {
  using folder = makeTempFolder();
  const file = join(folder.path, "file");
  writeFileSync(file, "");
  const made = spawnSync("chattr", ["+i", file]).status === 0;
  spawnSync("chattr", ["-i", file]);
  return made;
}

const notImmutable = noRoot ?? (canBeImmutable() ? undefined : "chattr +i does not work here");
testUnless(notImmutable)("leftovers that are immutable or append-only are removed", async (t) => {
  using home = makeHome();
  const left = join(home.path, "store-v1/temp/0123456789abcdef-0");
  mkdirSync(join(left, "folder"), { recursive: true });
  writeFileSync(join(left, "folder/immutable"), "");
  writeFileSync(join(left, "append"), "");
  execFileSync("chattr", ["+i", join(left, "folder/immutable"), join(left, "folder")]);
  execFileSync("chattr", ["+a", join(left, "append")]);
  await home.store.collect();
  t.deepEqual(readdirSync(join(left, "..")), []);
});
