import { lstatSync, mkdirSync, readdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, putFiles, runScript } from "./box.ts";

const run = testUnless(noContainers);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

run("120 layers whose names would never fit into one page of mount options", async (t) => {
  const deep = join(place!.folder, "many", "x".repeat(200));
  const lower = Array.from({ length: 120 }, (_, i) => join(deep, `layer-${i}`));
  for (const [i, folder] of lower.entries()) putFiles(folder, { [`file${i}`]: `${i}`, same: `${i}` });
  const { stdout } = await runScript(place!, "ls / | grep -c file; cat /same /file0 /file119", {
    root: { lower: [...lower, place!.root] },
  });
  t.is(stdout, "120\n00119");
});

run("names with the characters that mean something to overlayfs", async (t) => {
  const lower = ["a:b", "c,d=e", "f\\g", "h\\:i", "ü ☃"].map((name) => join(place!.folder, "odd", name));
  for (const [i, folder] of lower.entries()) putFiles(folder, { [`file${i}`]: "x" });
  const { stdout } = await runScript(place!, "ls / | grep -c file", { root: { lower: [...lower, place!.root] } });
  t.is(stdout, "5\n");
});

run("what the step changes is in the upper folder, and nothing else", async (t) => {
  const { spec } = await runScript(place!, "echo x > /new; rm /bin/vi");
  const upper = spec.root.upper!;
  t.deepEqual(readdirSync(upper).sort(), ["bin", "new"]);
  t.deepEqual(readdirSync(join(upper, "bin")), ["vi"]);
});

run("mount points that the image lacks are not in the upper folder, nor any trace on a folder's time", async (t) => {
  const base = join(place!.folder, "old");
  putFiles(base, { "etc/keep": "x", "srv/keep": "x" });
  const old = new Date("2001-02-03T04:05:06Z");
  for (const name of ["etc", "srv", ""]) utimesSync(join(base, name), old, old);
  const { spec, stdout } = await runScript(
    place!,
    "stat -c '%Y %a' /etc /srv /; cat /etc/hosts >/dev/null && ls /srv",
    {
      root: { lower: [base, place!.root] },
      mounts: [{ kind: "tmpfs", target: "/srv/new/deep", readonly: false }],
    },
  );
  t.regex(stdout, /^981173106 755\n981173106 755\n\d+ 755\nkeep\nnew\n$/);
  t.deepEqual(readdirSync(spec.root.upper!), []);
});

run(
  "a folder copied up because of the step keeps its metadata, though a mount point of ours stands in it",
  async (t) => {
    const base = join(place!.folder, "meta");
    putFiles(base, { "etc/keep": "x" });
    const { spec } = await runScript(place!, "touch /etc/mine", { root: { lower: [base, place!.root] } });
    t.deepEqual(readdirSync(join(spec.root.upper!, "etc")), ["mine"]);
    t.is(lstatSync(join(spec.root.upper!, "etc")).mode & 0o7777, lstatSync(join(base, "etc")).mode & 0o7777);
  },
);

run("an image from nothing: one empty layer", async (t) => {
  const empty = join(place!.folder, "empty");
  mkdirSync(empty);
  const { spec, stdout } = await runScript(place!, "/b/busybox ls /", {
    root: { lower: [empty] },
    mounts: [
      { kind: "bind", source: join(place!.root, "bin"), target: "/bin", readonly: true },
      { kind: "bind", source: join(place!.root, "bin"), target: "/b", readonly: true },
    ],
  });
  t.is(stdout, "b\nbin\ndev\netc\nproc\nsys\n");
  t.deepEqual(readdirSync(spec.root.upper!), []);
});

run("resolv.conf as a dangling link, as systemd makes it: the link's target is mounted, inside", async (t) => {
  const base = join(place!.folder, "dangling");
  mkdirSync(join(base, "etc"), { recursive: true });
  symlinkSync("../run/systemd/resolve/stub-resolv.conf", join(base, "etc/resolv.conf"));
  const { spec, stdout } = await runScript(place!, "test -s /etc/resolv.conf && readlink -f /etc/resolv.conf", {
    root: { lower: [base, place!.root] },
  });
  t.is(stdout, "/run/systemd/resolve/stub-resolv.conf\n");
  t.deepEqual(readdirSync(spec.root.upper!), []);
});

run("one folder without an upper one is the root itself", async (t) => {
  const base = join(place!.folder, "direct");
  putFiles(base, { keep: "x" });
  const { exit } = await runScript(place!, "echo y > /made", {
    root: { lower: [base], upper: undefined as never, work: undefined as never },
    mounts: [{ kind: "bind", source: join(place!.root, "bin"), target: "/bin", readonly: true }],
  });
  t.deepEqual(exit, { code: 0 });
  t.true(readdirSync(base).includes("made"));
});
