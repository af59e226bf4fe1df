import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import {
  decodeWalk,
  digestFiles,
  getXattrs,
  lockFile,
  lockFileSync,
  makeNode,
  setMtime,
  setXattr,
  tryLockFile,
  tryLockFileSync,
  walkFolder,
} from "../../../native/addon/addon.ts";
import { distFolder } from "../../../native/addon/load.ts";
import { scratch } from "../../layerfs/layer/workbench.ts";

const isRoot = process.geteuid?.() === 0;

test("walk: parents first, siblings in byte order, sockets left out", async (t) => {
  const top = await scratch(t);
  mkdirSync(join(top, "b/deep"), { recursive: true });
  mkdirSync(join(top, "b-"));
  writeFileSync(join(top, "b/x"), "12345", { mode: 0o640 });
  writeFileSync(join(top, "b-/y"), "");
  writeFileSync(join(top, "é"), "");
  writeFileSync(join(top, "Z"), "");
  symlinkSync("b/x", join(top, "a"));
  linkSync(join(top, "Z"), join(top, "c"));
  const server = createServer().listen(join(top, "socket"));
  await once(server, "listening");
  const { records, count } = await walkFolder(top);
  server.close();
  const found = decodeWalk(records);
  t.deepEqual(
    found.map((entry) => entry.path),
    ["Z", "a", "b", "b/deep", "b/x", "b-", "b-/y", "c", "é"],
  );
  t.is(count, found.length);
  const by = new Map(found.map((entry) => [entry.path, entry]));
  t.is(by.get("a")?.target, "b/x");
  t.is(by.get("b/x")?.size, 5);
  t.is(by.get("b/x")?.mode, 0o640);
  t.is(by.get("Z")?.nlink, 2);
  t.is(by.get("Z")?.ino, by.get("c")?.ino);
  const real = lstatSync(join(top, "b/x"), { bigint: true });
  t.is(by.get("b/x")?.mtimeNs, real.mtimeNs);
  t.is(by.get("b/x")?.ctimeNs, real.ctimeNs);
  t.is(by.get("b/x")?.dev, real.dev);
  const one = decodeWalk((await walkFolder(top, { depth: "one", self: true })).records);
  t.deepEqual(
    one.map((entry) => entry.path),
    ["", "Z", "a", "b", "b-", "c", "é"],
  );
});

test("walk: the stamp tells every change of metadata", async (t) => {
  const top = await scratch(t);
  writeFileSync(join(top, "f"), "1");
  symlinkSync("f", join(top, "l"));
  const seen = new Set<string>();
  const stamp = async () => (await walkFolder(top)).stamp;
  seen.add(await stamp());
  t.is(seen.size, seen.add(await stamp()).size);
  const steps = [
    () => chmodSync(join(top, "f"), 0o600),
    () => utimesSync(join(top, "f"), 1, 2),
    () => writeFileSync(join(top, "f"), "2"),
    () => setMtime(join(top, "f"), 2_000_000_001n),
    () => writeFileSync(join(top, "g"), ""),
    () => {
      unlinkSync(join(top, "l"));
      symlinkSync("g", join(top, "l"));
    },
  ];
  for (const step of steps) {
    const before = seen.size;
    step();
    t.is(seen.add(await stamp()).size, before + 1, String(step));
  }
});

test("walk: names that are no UTF-8, and what cannot be read", async (t) => {
  const top = await scratch(t);
  writeFileSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0x61, 0xff])]), "");
  t.is(decodeWalk((await walkFolder(top)).records)[0]?.path, "a\udcff");
  await t.throwsAsync(walkFolder(join(top, "none")), { code: "LAYER_IO", message: /none: no such file/ });
  await t.throwsAsync(walkFolder("/proc/self/status"), { code: "LAYER_IO" });
});

test("walk: a folder that goes away meanwhile is no error", async (t) => {
  const top = await scratch(t);
  for (let i = 0; i < 200; i++) mkdirSync(join(top, `d${i}/e`), { recursive: true });
  const walks = Promise.all([walkFolder(top), walkFolder(top), walkFolder(top)]);
  for (let i = 0; i < 200; i++) rmSync(join(top, `d${i}`), { recursive: true });
  await t.notThrowsAsync(walks);
});

test("walk: a path deeper than descriptors reach", async (t) => {
  const top = await scratch(t);
  const path = Array.from({ length: 1200 }, () => "d").join("/");
  mkdirSync(join(top, path), { recursive: true });
  t.is((await walkFolder(top)).count, 1200);
});

test("digests: many files, in their order", async (t) => {
  const top = await scratch(t);
  const paths = Array.from({ length: 300 }, (_, i) => join(top, `f${i}`));
  for (const [i, path] of paths.entries()) writeFileSync(path, "x".repeat(i * 31));
  t.deepEqual(
    await digestFiles(paths),
    paths.map((_, i) => digestOf("x".repeat(i * 31))),
  );
  t.deepEqual(await digestFiles([]), []);
  await t.throwsAsync(digestFiles([...paths, join(top, "none")]), { code: "LAYER_IO", message: /none/ });
  symlinkSync("f1", join(top, "link"));
  await t.throwsAsync(digestFiles([join(top, "link")]), { code: "LAYER_IO" });
});

test("locks: shared with shared, exclusive with nobody", async (t) => {
  const path = join(await scratch(t), "lock");
  const first = await lockFile(path, "shared");
  const second = tryLockFileSync(path, "shared");
  t.truthy(second);
  t.is(await tryLockFile(path, "exclusive"), undefined);
  first.release();
  first.release();
  t.is(tryLockFileSync(path, "exclusive"), undefined);
  const waiting = lockFile(path, "exclusive");
  second?.release();
  const third = await waiting;
  t.is(tryLockFileSync(path, "shared"), undefined);
  third.release();
  lockFileSync(path, "exclusive").release();
  t.truthy(tryLockFileSync(path, "shared"));
});

test("locks: a killed process holds nothing, and a removed lock file locks nobody out", async (t) => {
  const path = join(await scratch(t), "lock");
  const code = `const a = require(process.argv[1]); a.lockFileSync(Buffer.from(process.argv[2]), true, true);
    process.stdout.write("held"); setInterval(() => {}, 1000);`;
  const addon = process.env.WBUILD_ADDON ?? join(distFolder(), "native.node");
  const child: ChildProcess = spawn(process.execPath, ["-e", code, addon, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  if (child.stdout) await once(child.stdout, "data");
  t.is(await tryLockFile(path, "exclusive"), undefined);
  const waiting = lockFile(path, "exclusive");
  unlinkSync(path);
  child.kill("SIGKILL");
  await once(child, "exit");
  // Whichever file the wait began on, what it got is a lock on the file that has the name now.
  const held = await waiting;
  t.is(tryLockFileSync(path, "exclusive"), undefined);
  held.release();
  t.truthy(tryLockFileSync(path, "exclusive"));
});

test("primitives: attributes, times, nodes", async (t) => {
  const top = await scratch(t);
  const file = join(top, "f");
  writeFileSync(file, "");
  setXattr(file, "user.test", Buffer.from([0, 255, 10]));
  t.deepEqual(
    [...getXattrs(file)].map(([key, value]) => [key, [...value]]),
    [["user.test", [0, 255, 10]]],
  );
  t.is(Buffer.from(execFileSync("getfattr", ["-n", "user.test", "-e", "hex", "--only-values", file])).length > 0, true);
  setMtime(file, -1_500_000_000n);
  t.is(lstatSync(file, { bigint: true }).mtimeNs, -1_500_000_000n);
  makeNode(join(top, "pipe"), "fifo", 0o600);
  t.true(lstatSync(join(top, "pipe")).isFIFO());
  if (isRoot) {
    makeNode(join(top, "null"), "character", 0o666, { major: 1, minor: 3 });
    t.is(lstatSync(join(top, "null")).rdev, 0x103);
  }
  t.throws(() => setXattr(join(top, "none"), "user.a", Buffer.alloc(1)), { code: "LAYER_IO" });
});
