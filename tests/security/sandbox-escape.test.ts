/** What a hostile image or a hostile step tries, with root inside. Each row names the attack. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "ava";
import { launcherPath } from "../../native/core/launch.ts";
import { isWbuildError } from "../../native/error.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { makePlace, noContainers, putFiles, runScript } from "../native/core/box.ts";

const run = testUnless(noContainers);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

/** An image layer with links at places where a launcher mounts or makes something. */
function hostile(name: string, links: Readonly<Record<string, string>>): string {
  const folder = join(place!.folder, name);
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    symlinkSync(target, join(folder, path));
  }
  return folder;
}

for (const [title, make] of [
  ["absolute", (out: string) => out],
  ["relative with too many ..", (out: string) => `../../../../../../../../../..${out}`],
  ["through /proc/self/root", (out: string) => `/proc/self/root${out}`],
  ["through /proc/1/root", (out: string) => `/proc/1/root${out}`],
] as const) {
  run(`a mount point that is a link to the host, ${title}: stays inside`, async (t) => {
    const outside = join(place!.folder, `outside ${title.replaceAll("/", "_")}`);
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "host");
    const layer = hostile(`links ${title.replaceAll("/", "_")}`, {
      "etc/resolv.conf": make(join(outside, "file")),
      "etc/hosts": make(join(outside, "new")),
      data: make(outside),
    });
    try {
      await runScript(place!, "echo stolen > /etc/resolv.conf; echo made > /etc/hosts; touch /data/made", {
        root: { lower: [layer, place!.root] },
        mounts: [{ kind: "tmpfs", target: "/data/deep/er", readonly: false }],
      });
    } catch (error) {
      t.true(isWbuildError(error, "BOX_MOUNT_TARGET"), String(error));
    }
    t.is(readFileSync(join(outside, "file"), "utf8"), "host");
    t.deepEqual(readdirSync(outside), ["file"]);
  });
}

for (const name of ["proc", "sys", "dev"]) {
  run(`/${name} is a link in the image: refused`, async (t) => {
    const layer = hostile(`root-${name}`, { [name]: "tmp" });
    const error = await t.throwsAsync(runScript(place!, "true", { root: { lower: [layer, place!.root] } }));
    t.true(isWbuildError(error, "BOX_ROOT"), String(error));
  });
}

for (const target of ["/proc/self/attr", "/proc", "/sys/fs", "/", "/data"]) {
  run(`a mount over ${target}${target === "/data" ? ", which is a link to /proc" : ""}: refused`, async (t) => {
    const layer = hostile(`over${target.replaceAll("/", "_")}`, { data: "proc/sys" });
    const error = await t.throwsAsync(
      runScript(place!, "true", {
        root: { lower: [layer, place!.root] },
        mounts: [{ kind: "tmpfs", target, readonly: false }],
      }),
    );
    t.true(isWbuildError(error, "BOX_MOUNT_TARGET"), String(error));
  });
}

run("links in a circle end", async (t) => {
  const layer = hostile("circle", { "etc/resolv.conf": "hosts", "etc/hosts": "resolv.conf" });
  const error = await t.throwsAsync(runScript(place!, "true", { root: { lower: [layer, place!.root] } }));
  t.true(isWbuildError(error, "BOX_MOUNT_TARGET") && /too many links/.test(error.message), String(error));
});

type Row = readonly [attack: string, script: string, expected: string | RegExp];
const rows: readonly Row[] = [
  [
    "mknod of a device of the host opens nothing, in / or in /dev",
    "for f in /zero /dev/zero2 /tmp/zero; do mkdir -p /tmp; mknod $f c 1 5; head -c 1 $f >/dev/null 2>&1 && echo open || echo no; done",
    "no\nno\nno\n",
  ],
  [
    "mknod in /dev/shm opens nothing",
    "mknod /dev/shm/null c 1 3; echo x > /dev/shm/null && echo open || echo no",
    "no\n",
  ],
  ["mount", "mount -t tmpfs x /tmp 2>/dev/null && echo yes || echo no", "no\n"],
  ["unmount of a mask", "umount /proc/keys 2>/dev/null && echo yes || echo no", "no\n"],
  ["remount of /sys writable", "mount -o remount,rw /sys 2>/dev/null && echo yes || echo no", "no\n"],
  ["a new user namespace", "unshare -U true 2>/dev/null && echo yes || echo no", "no\n"],
  ["a new mount namespace", "unshare -m true 2>/dev/null && echo yes || echo no", "no\n"],
  ["entering process 1's namespaces", "nsenter -t 1 -m true 2>/dev/null && echo yes || echo no", "no\n"],
  [
    "process 1's program (CVE-2019-5736)",
    "cat /proc/1/exe > /dev/null 2>&1 && echo yes || echo no; readlink /proc/1/exe || echo hidden",
    "no\nhidden\n",
  ],
  [
    "process 1's descriptors",
    "for f in /proc/1/fd/*; do readlink $f; done; cat /proc/1/fd/* 2>/dev/null | wc -c",
    "0\n",
  ],
  ["process 1's environment and memory", "cat /proc/1/environ /proc/1/mem 2>/dev/null | wc -c", "0\n"],
  ["process 1's root", "ls /proc/1/root/ 2>/dev/null | wc -l", "0\n"],
  ["killing process 1 from inside", "kill -9 1; sleep 0.1; echo alive", "alive\n"],
  ["chroot out", "mkdir -p /x; chroot /x true 2>/dev/null; ls / | grep -c '^home$\\|^root$'", "0\n"],
  ["the host's name", "hostname hacked 2>/dev/null && echo yes || echo no", "no\n"],
  ["the host's clock", "date -s 2001-01-01 2>&1 | grep -c 'not permitted'", "1\n"],
  [
    "kernel modules and reboot",
    "insmod /bin/busybox 2>/dev/null || echo no; reboot -f 2>/dev/null || echo no",
    "no\nno\n",
  ],
  ["the kernel's log", "dmesg 2>/dev/null | wc -l", "0\n"],
  ["release agents of control groups", "find /sys/fs/cgroup -name release_agent 2>/dev/null | wc -l", "0\n"],
  ["core patterns", "echo '|/x' > /proc/sys/kernel/core_pattern || echo no", "no\n"],
];
for (const [attack, script, expected] of rows) {
  run(`refused: ${attack}`, async (t) => {
    const { stdout, stderr } = await runScript(place!, script);
    if (typeof expected === "string") t.is(stdout, expected, stderr);
    else t.regex(stdout + stderr, expected);
  });
}

for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
  run(`a working directory that is /proc/self/fd/${fd} leads nowhere (CVE-2024-21626)`, async (t) => {
    const error = await t.throwsAsync(runScript(place!, "pwd; ls", { process: { cwd: `/proc/self/fd/${fd}` } }));
    t.true(isWbuildError(error, "BOX_CWD"), String(error));
  });
}

run(
  "an entry point that is a link to /proc/self/exe gets a sealed copy of the launcher, which cannot be written",
  async (t) => {
    const before = statSync(launcherPath());
    const layer = hostile("exe", { "bin/run": "/proc/self/exe" });
    const { runArgv } = await import("../native/core/box.ts");
    const { exit } = await runArgv(place!, ["/bin/run"], { root: { lower: [layer, place!.root] } });
    t.not(exit.code, 0);
    t.is(statSync(launcherPath()).mtimeMs, before.mtimeMs);
    const { stdout } = await runScript(
      place!,
      "for p in /proc/[0-9]*; do echo x > $p/exe; done 2>/dev/null; echo done",
    );
    t.is(stdout, "done\n");
    t.is(statSync(launcherPath()).mtimeMs, before.mtimeMs);
  },
);

run("setuid programs in an image work (no_new_privs is not set), but gain no more than the fourteen", async (t) => {
  const layer = join(place!.folder, "setuid");
  putFiles(layer, { x: "" });
  const { copyFileSync, chmodSync } = await import("node:fs");
  copyFileSync("/bin/busybox", join(layer, "su-id"));
  chmodSync(join(layer, "su-id"), 0o4755);
  symlinkSync("su-id", join(layer, "su"));
  const { stdout } = await runScript(
    place!,
    "exec -a cat /su-id cat /proc/self/status 2>/dev/null || /su-id cat /proc/self/status",
    {
      root: { lower: [layer, place!.root] },
      process: { uid: 1000, gid: 1000 },
    },
  );
  // busybox drops the privilege for `cat`; what counts is the bounding set and that the kernel did not refuse.
  t.regex(stdout, /CapBnd:\t00000000a80425fb/);
  t.is(lstatSync(join(layer, "su-id")).mode & 0o4000, 0o4000);
});

run("a device of the host in a bind mount stays asleep", async (t) => {
  const folder = join(place!.folder, "devices");
  mkdirSync(folder);
  const { execFileSync } = await import("node:child_process");
  execFileSync("mknod", [join(folder, "zero"), "c", "1", "5"]);
  const { stdout } = await runScript(place!, "head -c 1 /d/zero >/dev/null 2>&1 && echo open || echo no", {
    mounts: [{ kind: "bind", source: folder, target: "/d", readonly: false }],
  });
  t.is(stdout, "no\n");
  t.true(existsSync(join(folder, "zero")));
});
