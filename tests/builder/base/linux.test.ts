import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import anyTest, { type TestFn } from "ava";
import { linuxBaseName, makeLinuxBase } from "../../../builder/base/linux.ts";
import { skeleton } from "../../../builder/base/skeleton.ts";
import { openStore } from "../../../layerfs/store/store.ts";

const test = anyTest as TestFn<{ dir: string }>;

test.beforeEach(async (t) => {
  t.context.dir = await mkdtemp(join(tmpdir(), "wbuild-base-"));
});
test.afterEach.always((t) => rm(t.context.dir, { recursive: true, force: true }));

const ingredients = {
  busybox: Buffer.from("program"),
  version: 'BusyBox v1 ("$x")',
  applets: ["bin/sh", "usr/bin/awk", "linuxrc", "bin/busybox", "etc/passwd", "nowhere/tool"],
  epochSeconds: 5,
};

test("the skeleton: parents first, no path twice, links that lead to busybox", (t) => {
  const seen = new Map<string, string>([["", "directory"]]);
  let last = "";
  for (const change of skeleton(ingredients)) {
    if (change.kind !== "set") return t.fail(`${change.kind} in a base`);
    const { entry } = change;
    const folder = entry.path.slice(0, Math.max(0, entry.path.lastIndexOf("/")));
    t.is(seen.get(folder), "directory", `${entry.path} comes after its folder`);
    t.false(seen.has(entry.path), entry.path);
    t.is(entry.mtimeNs, 5_000_000_000n);
    seen.set(entry.path, entry.type === "symlink" ? `-> ${entry.target}` : entry.type);
    last = entry.path;
  }
  t.truthy(last);
  t.is(seen.get("bin/sh"), "-> busybox");
  t.is(seen.get("usr/bin/awk"), "-> ../../bin/busybox");
  t.is(seen.get("bin/busybox"), "file");
  t.is(seen.get("etc/passwd"), "file");
  t.false(seen.has("linuxrc"));
  t.false(seen.has("nowhere/tool"));
});

test("what busybox says of itself cannot add lines or commands to os-release", (t) => {
  const change = skeleton(ingredients).find((c) => c.kind === "set" && c.entry.path === "etc/os-release");
  if (change?.kind !== "set" || change.entry.content?.kind !== "bytes") return t.fail();
  const text = Buffer.from(change.entry.content.bytes).toString();
  t.is(text, 'NAME="wbuild base"\nID=wbuild\nPRETTY_NAME="wbuild base (BusyBox v1 (x))"\n');
});

test("the same ingredients make the same image; another time makes another", async (t) => {
  const certificates = join(t.context.dir, "ca.crt");
  await writeFile(certificates, "-----BEGIN CERTIFICATE-----\n");
  using one = openStore(join(t.context.dir, "one"));
  using two = openStore(join(t.context.dir, "two"));
  const first = await makeLinuxBase(one, { certificates });
  const second = await makeLinuxBase(two, { certificates, name: "other.example/base:1" });
  t.is(first.digest, second.digest);
  t.deepEqual(one.refs.get(linuxBaseName)?.descriptor, first);
  t.deepEqual(
    two.refs.list().map((ref) => ref.name),
    ["other.example/base:1"],
  );
  t.not((await makeLinuxBase(two, { certificates, epochSeconds: 1_000_000 })).digest, first.digest);
});

test("tar reads the layer: a shell, accounts, a /tmp for everybody, all of it root's", async (t) => {
  using store = openStore(join(t.context.dir, "home"));
  await makeLinuxBase(store);
  const keeps = store.refs.get(linuxBaseName)?.keeps ?? [];
  const layer = keeps.map((digest) => store.layers.byBlob(digest)).find((record) => record !== undefined);
  if (!layer) return t.fail("the ref keeps no layer");
  const tar = join(t.context.dir, "layer.tar");
  await writeFile(tar, execFileSync("zstd", ["-dc", store.blobs.path(layer.blob.digest)], { maxBuffer: 64 << 20 }));
  t.is(`sha256:${execFileSync("sha256sum", [tar], { encoding: "utf8" }).split(" ")[0]}`, layer.diffId);
  const list = execFileSync("tar", ["--numeric-owner", "-tvf", tar], { encoding: "utf8", env: { TZ: "UTC" } });
  const lines = list.trim().split("\n");
  t.true(lines.every((line) => / 0\/0 +\d+ 1970-01-01 00:00 /.test(line)));
  t.true(lines.some((line) => /^drwxrwxrwt .* tmp\/$/.test(line)));
  t.true(lines.some((line) => /^drwx------ .* root\/$/.test(line)));
  t.true(lines.some((line) => /^-rwxr-xr-x .* bin\/busybox$/.test(line)));
  t.true(lines.some((line) => / bin\/sh -> busybox$/.test(line)));
  t.regex(
    execFileSync("tar", ["-xOf", tar, "etc/passwd"], { encoding: "utf8" }),
    /^root:x:0:0:root:\/root:\/bin\/sh\n/,
  );
});
