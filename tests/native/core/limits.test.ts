import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { makeCgroups, ownCgroups, readCgroups, removeCgroups } from "../../../native/core/cgroup.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, runScript } from "./box.ts";

const host = ownCgroups();
const noGroups = noContainers ?? (host.version === 0 ? "needs control groups" : undefined);
const run = testUnless(noGroups);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

const limits = { shmBytes: 1 << 20, ulimits: {} };

run("a process that takes more memory than allowed is killed, and the exit says why", async (t) => {
  const { exit, warnings } = await runScript(place!, "tail /dev/zero", {
    limits: { ...limits, memoryBytes: 16 << 20 },
  });
  t.deepEqual(warnings, []);
  t.true(exit.outOfMemory, JSON.stringify(exit));
});

run("a process that stays within its memory is not", async (t) => {
  const { exit } = await runScript(place!, "head -c 1000000 /dev/zero > /dev/null", {
    limits: { ...limits, memoryBytes: 64 << 20 },
  });
  t.deepEqual(exit, { code: 0 });
});

run("no more processes than allowed", async (t) => {
  const script = "i=0; while [ $i -lt 20 ]; do sleep 1 & i=$((i+1)); done; echo all";
  const { stdout, stderr } = await runScript(place!, script, { limits: { ...limits, pids: 8 } });
  t.regex(stderr, /can't fork/);
  t.false(stdout.includes("all"));
});

run("CPU time is rationed", async (t) => {
  const script =
    "cat /sys/fs/cgroup/cpu.max 2>/dev/null; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; cat /proc/self/cgroup";
  const { exit, warnings } = await runScript(place!, script, { limits: { ...limits, cpus: 0.5 } });
  t.deepEqual(exit, { code: 0 });
  t.deepEqual(warnings, []);
});

run("groups are gone when the container is", async (t) => {
  const before = new Set(ownGroups());
  await runScript(place!, "true", { limits: { ...limits, pids: 50, memoryBytes: 64 << 20, cpus: 1 } });
  t.deepEqual(
    ownGroups().filter((name) => !before.has(name) && name.includes(`-${process.pid}-`)),
    [],
  );
});

function ownGroups(): string[] {
  const parents = host.version === 2 ? [join("/sys/fs/cgroup", "wbuild")] : [...host.controllers.values()];
  return parents.flatMap((parent) =>
    existsSync(parent) ? readdirSync(parent).filter((name) => name.startsWith("wbuild-")) : [],
  );
}

test("without control groups a limit is a warning", (t) => {
  const warnings: string[] = [];
  const none = { version: 0, controllers: new Map() } as const;
  t.deepEqual(
    makeCgroups({ ...limits, memoryBytes: 1 << 20, cpus: 1 }, (text) => warnings.push(text), none),
    [],
  );
  t.deepEqual(warnings, [
    "--memory cannot be enforced: this host has no memory control group",
    "--cpus cannot be enforced: this host has no cpu control group",
  ]);
});

test("nothing asked for, nothing made", (t) => {
  t.deepEqual(
    makeCgroups(limits, () => t.fail()),
    [],
  );
  removeCgroups(["/nowhere/at/all"]);
});

const mountinfo = {
  hybrid: `30 29 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 29 0:26 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 29 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`,
  unified: "30 29 0:25 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate",
};
const rows = [
  [
    "hybrid",
    mountinfo.hybrid,
    "3:memory:/a/b\n2:cpu,cpuacct:/docker/abc/x\n0::/",
    1,
    {
      memory: "/sys/fs/cgroup/memory/a/b",
      cpu: "/sys/fs/cgroup/cpu,cpuacct/x",
      cpuacct: "/sys/fs/cgroup/cpu,cpuacct/x",
    },
  ],
  ["unified", mountinfo.unified, "0::/user.slice/session-1.scope", 2, {}],
  ["none", "", "", 0, {}],
] as const;
for (const [title, info, own, version, controllers] of rows) {
  test(`control groups are read: ${title}`, (t) => {
    const found = readCgroups(info, own);
    t.is(found.version, version);
    t.deepEqual(Object.fromEntries(found.controllers), { ...controllers });
    if (version === 2) t.is(found.unified, "/sys/fs/cgroup/user.slice/session-1.scope");
  });
}

run("a parent for the groups is made where it is missing, and is what the process is in", async (t) => {
  const name = `wbuild-test-${process.pid}`;
  const parents =
    host.version === 2 ? ["/sys/fs/cgroup"] : ["memory", "cpu", "pids"].flatMap((each) => host.tops?.get(each) ?? []);
  t.teardown(() => removeCgroups(parents.flatMap((top) => [join(top, name, "deep"), join(top, name)])));
  const limited = { ...limits, cgroupParent: `/${name}/deep`, pids: 50 };
  const groups = makeCgroups(limited, (text) => t.fail(text));
  t.teardown(() => removeCgroups(groups));
  t.deepEqual(
    groups.map((folder) => folder.split("/").slice(0, -1).join("/")).sort(),
    parents.map((top) => join(top, name, "deep")).sort(),
  );
  const { warnings, exit } = await runScript(place!, "true", { limits: limited });
  t.deepEqual([warnings, exit], [[], { code: 0 }]);
});

run("a parent that leads out is refused with a warning", (t) => {
  const warnings: string[] = [];
  t.deepEqual(
    makeCgroups({ ...limits, cgroupParent: "../../tmp/x" }, (text) => warnings.push(text)),
    [],
  );
  t.regex(warnings.join(), /--cgroup-parent cannot be enforced/);
});
