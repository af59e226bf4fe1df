import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Mount } from "../../../native/core/spec.ts";
import { isWbuildError } from "../../../native/error.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, putFiles, runArgv } from "./box.ts";

const run = testUnless(noContainers);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

let count = 0;
function folder(files: Readonly<Record<string, string>>): string {
  const path = join(place!.folder, `layers-${count++}`);
  mkdirSync(path);
  putFiles(path, files);
  return path;
}

const layers = (source: string, lower: readonly string[], more: Partial<Mount> = {}): Mount => ({
  kind: "layers",
  source,
  lower,
  target: "/m",
  readonly: true,
  ...more,
});

run("layers: the topmost file wins, a folder or a file of it is shown", async (t) => {
  const [below, above] = [folder({ "a/x": "old\n", "a/y": "y\n", f: "file\n" }), folder({ "a/x": "new\n" })];
  for (const [source, script, expected] of [
    ["", "cat /m/a/x /m/a/y /m/f", "new\ny\nfile\n"],
    ["a", "cat /m/x /m/y", "new\ny\n"],
    ["a/x", "cat /m", "new\n"],
  ] as const) {
    const done = await runArgv(place!, ["sh", "-c", script], { mounts: [layers(source, [above, below])] });
    t.is(done.stdout, expected, source);
  }
});

run("layers: nothing can be written, or what is written is forgotten", async (t) => {
  const below = folder({ "a/x": "old\n", f: "f\n" });
  const script = "echo new > /m/x 2>/dev/null || echo refused; cat /m/x";
  t.is((await runArgv(place!, ["sh", "-c", script], { mounts: [layers("a", [below])] })).stdout, "refused\nold\n");
  const { upper, work } = place!.layer();
  const writable = layers("a", [below], { readonly: false, upper, work });
  t.is((await runArgv(place!, ["sh", "-c", script], { mounts: [writable] })).stdout, "new\n");
  t.is(readFileSync(join(below, "a/x"), "utf8"), "old\n");
  const file = layers("f", [below], { readonly: false, ...place!.layer() });
  t.is((await runArgv(place!, ["sh", "-c", "echo 2 >> /m; cat /m"], { mounts: [file] })).stdout, "f\n2\n");
});

run("layers: links lead nowhere but to what lies in them", async (t) => {
  const secret = join(place!.folder, "secret");
  writeFileSync(secret, "of the host\n");
  const below = folder({ "secret-not": "", "in/x": "inside\n" });
  symlinkSync(secret, join(below, "absolute"));
  symlinkSync("../../../../../../../../../etc/passwd", join(below, "up"));
  symlinkSync("/in/../in/x", join(below, "fine"));
  const done = await runArgv(place!, ["cat", "/m"], { mounts: [layers("fine", [below])] });
  t.is(done.stdout, "inside\n");
  for (const source of ["absolute", "up", "nothing", "../../etc/passwd", "fine/below"]) {
    const error = await t.throwsAsync(runArgv(place!, ["cat", "/m"], { mounts: [layers(source, [below])] }));
    t.true(isWbuildError(error, "BOX_MOUNT_SOURCE"), `${source}: ${error}`);
  }
});

run("layers: none at all is an empty folder, and fifty are fifty", async (t) => {
  t.is((await runArgv(place!, ["ls", "-A", "/m"], { mounts: [layers("", [])] })).stdout, "");
  const many = Array.from({ length: 50 }, (_, i) => folder({ [`f${i}`]: "" }));
  t.is((await runArgv(place!, ["sh", "-c", "ls /m | wc -l"], { mounts: [layers("", many)] })).stdout.trim(), "50");
});

run("files: bytes, mode and owner are as given, and run only when the mode says so", async (t) => {
  const bytes = Buffer.from([0, 255, 10, 61, 0]);
  const file = (target: string, more: Partial<Mount>): Mount => ({ kind: "file", target, readonly: true, ...more });
  const mounts = [
    file("/run/secrets/raw", { bytes, mode: 0o400, uid: 7, gid: 8 }),
    file("/go", { bytes: Buffer.from("#!/bin/sh\necho ran\n"), mode: 0o755 }),
    file("/stay", { bytes: Buffer.from("#!/bin/sh\necho ran\n"), mode: 0o644 }),
    file("/empty", { bytes: new Uint8Array() }),
  ];
  const script = `od -An -tx1 /run/secrets/raw; stat -c '%a %u:%g' /run/secrets/raw; /go; /stay 2>/dev/null || echo no
    stat -c %s /empty; echo x > /go || echo read-only; grep -c ' /run/secrets/raw .*noexec' /proc/mounts`;
  const done = await runArgv(place!, ["sh", "-c", `${script} 2>/dev/null`], { mounts });
  t.is(done.stdout, " 00 ff 0a 3d 00\n400 7:8\nran\nno\n0\nread-only\n1\n");
});

run("tmpfs: size, mode and owner", async (t) => {
  const mounts: Mount[] = [
    { kind: "tmpfs", target: "/t", readonly: false, sizeBytes: 1 << 20, mode: 0o1770, uid: 3, gid: 4 },
  ];
  const script = "stat -c '%a %u:%g' /t; dd if=/dev/zero of=/t/big bs=1k count=2000 2>/dev/null; stat -c %s /t/big";
  t.is((await runArgv(place!, ["sh", "-c", script], { mounts })).stdout, "1770 3:4\n1048576\n");
});

run("device: the node can be opened, one in a bind cannot, and what is no device is refused", async (t) => {
  const device = (source: string): Mount => ({ kind: "device", source, target: "/dev/mine", readonly: false });
  const bind: Mount = { kind: "bind", source: "/dev/zero", target: "/bound", readonly: false };
  const script = "head -c 3 /dev/mine | od -An -tx1; head -c 1 /bound 2>/dev/null || echo closed";
  const done = await runArgv(place!, ["sh", "-c", script], { mounts: [device("/dev/zero"), bind] });
  t.is(done.stdout, " 00 00 00\nclosed\n");
  for (const source of ["/dev", place!.root, "/etc/passwd"]) {
    const error = await t.throwsAsync(runArgv(place!, ["true"], { mounts: [device(source)] }));
    t.true(isWbuildError(error, "BOX_DEVICE"), `${source}: ${error}`);
  }
});
