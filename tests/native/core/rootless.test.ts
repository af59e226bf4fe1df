/** The same containers for an ordinary user. The user's name and id ranges are written by the test. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { mapArguments, parseIdRanges } from "../../../native/core/id-ranges.ts";
import { findProgram } from "../../../native/core/programs.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers } from "./box.ts";

const reason = noContainers ?? (findProgram("newuidmap") === undefined ? "needs uidmap" : undefined);
const run = testUnless(reason, test.serial);
const checkout = fileURLToPath(new URL("../../..", import.meta.url));
/** Relative to the checkout. */
const child = "tests/native/core/rootless-child.ts";

for (const [title, text, expected] of [
  ["by name", "other:1:2\nme:100000:65536\n", [{ start: 100000, count: 65536 }]],
  ["by number", "1234:5:6\n", [{ start: 5, count: 6 }]],
  [
    "several",
    "me:5:6\nme:50:60\n",
    [
      { start: 5, count: 6 },
      { start: 50, count: 60 },
    ],
  ],
  ["nonsense is left out", "me:x:1\nme:1\nme:-1:5\nme:1:0\nme:4294967295:65536\nme\n\n# me:1:1", []],
] as const) {
  test(`subuid: ${title}`, (t) => {
    t.deepEqual(parseIdRanges(text, "me", 1234), [...expected]);
  });
}

test("the map: we are root, the ranges follow", (t) => {
  t.deepEqual(
    mapArguments(1000, [
      { start: 100000, count: 10 },
      { start: 5, count: 6 },
    ]),
    [0, 1000, 1, 1, 100000, 10, 11, 5, 6],
  );
});

interface Told {
  readonly inside: boolean;
  readonly ids: number;
  readonly mark: string;
  readonly exit: object;
  readonly stdout: string;
  readonly stderr: string;
  readonly warnings: readonly string[];
}

/** Shell lines: checkout and Node where an ordinary user can reach them. They may lie in root's home. */
const reachable = (folder: string) => `
  mkdir ${folder}/checkout && mount --bind "$CHECKOUT" ${folder}/checkout
  touch ${folder}/node && mount --bind "$NODE" ${folder}/node
  cd ${folder}/checkout`;
const paths = { PATH: process.env.PATH, CHECKOUT: checkout, NODE: process.execPath };

/**
 * Runs a script in a container as user `uid`. In a mount namespace of the test's own /etc/subuid and /etc/subgid are `ranges`,
 * /dev/net/tun is open to everybody, as udev makes it.
 */
function asUser(uid: number, ranges: string, script: string, options: object = {}, flags: string[] = []): Told {
  const place = makePlace();
  const folder = mkdtempSync(join(tmpdir(), "wbuild-user-"));
  try {
    execFileSync("cp", ["-a", place.root, join(folder, "root")]);
    chmodSync(folder, 0o755);
    execFileSync("chown", ["-Rh", `${uid}:${uid}`, folder]);
    writeFileSync(join(folder, "ranges"), ranges);
    chmodSync(join(folder, "ranges"), 0o644);
    // newuidmap wants to know the user's name.
    const passwd = `${readFileSync("/etc/passwd", "utf8").trimEnd()}\nwbuildtest:x:${uid}:${uid}::/:/bin/sh\n`;
    writeFileSync(join(folder, "passwd"), passwd);
    chmodSync(join(folder, "passwd"), 0o644);
    const before = `
      mknod -m 666 ${folder}/tun c 10 200 && mount --bind ${folder}/tun /dev/net/tun
      touch /etc/subuid /etc/subgid
      mount --bind ${folder}/ranges /etc/subuid && mount --bind ${folder}/ranges /etc/subgid
      mount --bind ${folder}/passwd /etc/passwd
      ${reachable(folder)}
      exec "$@"`;
    const { stdout, stderr, status } = spawnSync(
      "unshare",
      [
        ...[
          "--mount",
          "sh",
          "-c",
          before,
          "sh",
          "setpriv",
          `--reuid=${uid}`,
          `--regid=${uid}`,
          "--clear-groups",
          ...flags,
          join(folder, "node"),
          "--import=tsx",
          child,
        ],
        folder,
        script,
        JSON.stringify(options),
      ],
      {
        encoding: "utf8",
        env: { ...paths, HOME: folder, TMPDIR: folder },
      },
    );
    if (status !== 4) throw new Error(`exit ${status}: ${stdout}${stderr}`);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Told;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    place.remove();
  }
}

const uid = 23451;

run("with a range: root inside, other ids too, the exit code and the environment come through", (t) => {
  const told = asUser(
    uid,
    `${uid}:500000:65536\n`,
    "id -u; touch /x; chown 33:44 /x; stat -c '%u %g' /x; rm /bin/vi; ls /bin | grep -c '^vi$'; grep CapEff /proc/self/status | cut -f2; exit 6",
  );
  t.deepEqual(
    { ...told, stderr: "" },
    {
      inside: true,
      ids: 65537,
      mark: "kept",
      exit: { code: 6 },
      stdout: "0\n33 44\n0\n00000000a80425fb\n",
      stderr: "",
      warnings: [],
    },
  );
});

run("USER of another id, with its groups", (t) => {
  const told = asUser(uid, `${uid}:500000:65536\n`, "id -u; id -G; echo x > /dev/stdout", {
    process: { uid: 1000, gid: 1001, groups: [20, 30] },
  });
  t.is(told.stdout, "1000\n1001 20 30\nx\n");
});

run("without a range: a single id, nobody else to become", (t) => {
  const told = asUser(
    uid,
    "",
    "id -u; touch /x && chown 33 /x 2>/dev/null || echo refused; grep NoNewPrivs /proc/self/status | cut -f2",
  );
  t.is(told.ids, 1);
  t.is(told.stdout, "0\nrefused\n1\n");
});

run("with a range that newuidmap may not use (no_new_privs): a single id", (t) => {
  const told = asUser(uid, `${uid}:500000:65536\n`, "id -u", {}, ["--no-new-privs"]);
  t.is(told.ids, 1);
  t.is(told.stdout, "0\n");
});

run("without a range USER of another id is BOX_ID_MAP", (t) => {
  const told = asUser(uid, "", "true", { process: { uid: 1000, gid: 1000 } }) as unknown as { code: string };
  t.is(told.code, "BOX_ID_MAP");
});

run("the host's network, a read-only /sys of the host's, no way to its kernel settings", (t) => {
  const told = asUser(
    uid,
    `${uid}:500000:65536\n`,
    "ls /sys | grep -c kernel; mkdir /sys/fs/x 2>/dev/null || echo no; echo 1 > /proc/sys/kernel/panic || echo no",
    { network: "host" },
  );
  t.is(told.stdout, "1\nno\nno\n", told.stderr);
});

const noPasta = reason ?? (findProgram("pasta") === undefined ? "needs passt" : undefined);
const runPasta = testUnless(noPasta, test.serial);
runPasta("a private network through pasta, which ends with the container", (t) => {
  const told = asUser(
    uid,
    `${uid}:500000:65536\n`,
    "ip route | grep -c ^default; tail -n +3 /proc/net/dev | cut -d: -f1 | wc -l",
    { network: "private" },
  );
  t.deepEqual(told.warnings, []);
  t.is(told.stdout, "1\n2\n", told.stderr);
  const left = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.startsWith("pasta --foreground"));
  t.deepEqual(left, []);
});

run("a command that is not there is told, with its code", (t) => {
  t.true(readFileSync("/proc/self/uid_map", "utf8").trim().startsWith("0"));
  const folder = mkdtempSync(join(tmpdir(), "wbuild-user-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const script = `import { enterUserNamespace } from "${folder}/checkout/native/core/userns.ts";
    await enterUserNamespace(["/nowhere/x"], {}).catch((error) => console.log(error.code));`;
  const node = [join(folder, "node"), "--import=tsx", "--input-type=module", "-e", script];
  const { stdout, stderr } = spawnSync(
    "unshare",
    [
      ...["--mount", "sh", "-c", `${reachable(folder)}\nexec "$@"`, "sh"],
      ...["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", ...node],
    ],
    { encoding: "utf8", env: paths },
  );
  t.is(stdout, "BOX_COMMAND\n", stderr);
});
