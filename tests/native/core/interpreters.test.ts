/** Programs of another format run by an interpreter that only the container knows of (binfmt_misc in a user namespace). */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { canRegisterInterpreters } from "../../../native/core/probe.ts";
import { isWbuildError } from "../../../native/error.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers, runScript } from "./box.ts";

const reason =
  noContainers ??
  ((await canRegisterInterpreters()) ? undefined : "this kernel has no register for each user namespace");
const run = testUnless(reason);
const place = noContainers === undefined ? makePlace() : undefined;
test.after.always(() => place?.remove());

/** Programs that begin with these bytes are run by the host's busybox, which goes by the name of the program. */
const line = ":wbuild-test:M::\\x7fWBX::/bin/busybox:FC";

function program(name: string): string {
  mkdirSync(join(place!.root, "odd"), { recursive: true });
  writeFileSync(join(place!.root, "odd", name), "\x7fWBX and nothing that could be executed");
  chmodSync(join(place!.root, "odd", name), 0o755);
  return `/odd/${name}`;
}

run("the process and its children find the interpreter, and the host does not", async (t) => {
  const path = program("echo");
  const before = existsSync("/proc/sys/fs/binfmt_misc") ? readdirSync("/proc/sys/fs/binfmt_misc") : [];
  const script = `${path} one; sh -c "sh -c '${path} two'"`;
  const { stdout, exit, stderr } = await runScript(place!, script, { interpreters: [line] });
  t.is(stdout, "one\ntwo\n", stderr);
  t.is(exit.code, 0);
  t.deepEqual(existsSync("/proc/sys/fs/binfmt_misc") ? readdirSync("/proc/sys/fs/binfmt_misc") : [], before);
  const without = await runScript(place!, `${path} one`);
  t.notRegex(without.stdout, /one/);
});

run("its rights are those of any container", async (t) => {
  const script =
    "grep -E '^(Cap|Seccomp:|NoNewPrivs|Groups)' /proc/self/status; cat /proc/self/uid_map | tr -s ' '; ls /proc/self/fd";
  const plain = await runScript(place!, script);
  const own = await runScript(place!, script, { interpreters: [line] });
  t.is(own.stdout, plain.stdout);
  const user = { process: { uid: 7, gid: 8, groups: [9] } };
  const both = await Promise.all([
    runScript(place!, `id; ${script}`, user),
    runScript(place!, `id; ${script}`, { ...user, interpreters: [line] }),
  ]);
  t.is(both[1].stdout, both[0].stdout);
});

run("what would undo it is refused", async (t) => {
  const tries = [
    "mount -t binfmt_misc none /mnt",
    "mount -t tmpfs none /mnt",
    "unshare -U true",
    "echo :x:M::xx::/bin/sh: > /proc/sys/fs/binfmt_misc/register",
    "mknod /x c 1 3",
    "readlink /proc/1/fd/3",
  ];
  const script = tries.map((one) => `(${one}) 2>/dev/null && echo "done: ${one.split(" ")[0]}"`).join("\n");
  const { stdout } = await runScript(place!, `mkdir -p /mnt\n${script}\ntrue`, { interpreters: [line] });
  t.is(stdout, "");
});

run("limits, owners and files are as without it", async (t) => {
  const script = "ulimit -n; touch /f && chown 1234:5 /f && chmod 4755 /f && stat -c '%u %g %a' /f";
  const limits = { shmBytes: 1 << 20, ulimits: { nofile: [4096, 500_000] as const } };
  const { stdout, stderr } = await runScript(place!, script, { limits, interpreters: [line] });
  t.is(stdout, "4096\n1234 5 4755\n", stderr);
});

for (const [what, bad] of [
  ["a line that is none", "nonsense"],
  ["an interpreter that is not there", ":wbuild-test:M::xx::/not/there:F"],
] as const)
  run(`${what} is BOX_EMULATOR`, async (t) => {
    const error = await t.throwsAsync(runScript(place!, "true", { interpreters: [bad] }));
    t.true(isWbuildError(error) && error.code === "BOX_EMULATOR", String(error));
  });
