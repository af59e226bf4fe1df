/** The launcher compiled with address and undefined-behaviour sanitizers, through everything that it does. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { LaunchOption } from "../../../native/core/launch.ts";
import { canRegisterInterpreters } from "../../../native/core/probe.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makePlace, noContainers } from "../core/box.ts";
import { callLauncher } from "./launcher.ts";

const place = noContainers === undefined ? makePlace() : undefined;
const ownRegister = noContainers === undefined && (await canRegisterInterpreters());
const run = testUnless(noContainers);
const program = fileURLToPath(new URL("../../../dist/wbuild-sandbox-asan", import.meta.url));
// The libraries of a sanitizer and leak checks of a process that ends in _exit() are no concern here.
const environment = {
  ASAN_OPTIONS: "detect_leaks=0:abort_on_error=1",
  UBSAN_OPTIONS: "halt_on_error=1:abort_on_error=1",
};

test.before(async () => {
  if (noContainers !== undefined) return;
  // A module of JavaScript without types: named by a variable, so that the compiler does not look for them.
  const builder = "../../../native/setup/build.mjs";
  const { buildSandbox } = (await import(builder)) as { buildSandbox(options: { sanitize: boolean }): Promise<void> };
  await buildSandbox({ sanitize: true });
});
test.after.always(() => place?.remove());

function options(more: readonly LaunchOption[], argv: readonly string[]): LaunchOption[] {
  const { upper, work } = place!.layer();
  return [
    ["lower", place!.root],
    ["upper", upper],
    ["work", work],
    ["network", "none"],
    ["env", "PATH=/bin"],
    ["hostname", "asan"],
    ["relay", true],
    ...more,
    ...argv.map((arg): LaunchOption => ["arg", arg]),
  ];
}

const mounts: readonly LaunchOption[] = [
  ["mount", "file"],
  ["mount.target", "/etc/hosts"],
  ["mount.source", "127.0.0.1 localhost\n"],
  ["mount", "tmpfs"],
  ["mount.target", "/a/b/c"],
  ["mount.size", 65536],
  ["mount", "bind"],
  ["mount.target", "/ro"],
  ["mount.source", "/usr"],
  ["mount.readonly", true],
];

for (const [title, more, argv, exit, stdout] of [
  ["a plain command", [], ["sh", "-c", "echo out; echo err >&2; exit 3"], { code: 3 }, "out\n"],
  [
    "mounts",
    mounts,
    ["sh", "-c", "cat /etc/hosts; ls -d /a/b/c; test -d /ro/bin && echo ro"],
    { code: 0 },
    "127.0.0.1 localhost\n/a/b/c\nro\n",
  ],
  [
    "a user, groups, limits",
    [
      ["uid", 5],
      ["gid", 6],
      ["group", 7],
      ["limit", "nofile:50:60"],
    ],
    ["sh", "-c", "id -u; id -G; ulimit -n"],
    { code: 0 },
    "5\n6 7\n50\n",
  ],
  ["a signal", [], ["sh", "-c", "kill -9 $$"], { signal: "SIGKILL" }, ""],
  ["much output", [], ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"], { code: 0 }, "x".repeat(3000000)],
  [
    "a veth pair",
    [
      ["network", "veth"],
      ["network.range", "10.213.0.0"],
      ["network.mtu", 1400],
    ],
    ["sh", "-c", "ip route | grep -c default; cat /sys/class/net/eth0/mtu"],
    { code: 0 },
    "1\n1400\n",
  ],
  ...(ownRegister
    ? ([
        [
          "an interpreter of its own",
          [["interpreter", ":wbuild-test:M::\\x7fWBX::/bin/busybox:FC"]],
          ["sh", "-c", "printf '\\177WBX' > /echo; chmod 755 /echo; /echo done"],
          { code: 0 },
          "done\n",
        ],
      ] as const)
    : []),
  [
    "a folder that is made",
    [
      ["cwd", "/x/y"],
      ["cwd.make", true],
    ],
    ["pwd"],
    { code: 0 },
    "/x/y\n",
  ],
] as const) {
  run(`sanitized: ${title}`, async (t) => {
    const said = await callLauncher("run", options(more as readonly LaunchOption[], argv), program, environment);
    t.is(said.stdout, stdout, said.stderr);
    t.deepEqual(
      said.report.map((line) => line.event),
      ["started", "exited"],
      said.stderr + JSON.stringify(said.report),
    );
    t.like(said.report[1], { event: "exited", ...exit });
    t.is(said.stderr.replace("err\n", ""), "");
  });
}

for (const [script, code] of [
  ["echo out; exit 3", 3],
  ["kill -9 $$", 128 + 9],
  ["head -c 9000 /dev/zero > large || exit 4", 4],
] as const) {
  run(`sanitized: tied to us: ${script}`, async (t) => {
    const child = spawn(program, ["tied", "3", "4096", "sh", "-c", script], {
      cwd: place!.folder,
      env: { ...environment, PATH: process.env.PATH },
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      detached: true,
    });
    let said = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      said += bytes;
    });
    child.once("exit", () => (child.stdio[3] as Duplex).destroy());
    const [status] = (await once(child, "close")) as [number | null];
    t.is(status, code, said);
    t.notRegex(said, /Sanitizer|runtime error/);
  });
}

run("sanitized: many layers", async (t) => {
  const layers = Array.from({ length: 60 }, (): LaunchOption => ["lower", place!.layer().upper]);
  const said = await callLauncher("run", options(layers, ["true"]), program, environment);
  t.like(said.report[1], { event: "exited", code: 0 }, said.stderr);
});

for (const [title, more, argv, code] of [
  ["a missing command", [], ["/none"], "BOX_COMMAND"],
  [
    "a missing source",
    [
      ["mount", "bind"],
      ["mount.target", "/x"],
      ["mount.source", "/none"],
    ],
    ["true"],
    "BOX_MOUNT_SOURCE",
  ],
  ["a missing folder", [["cwd", "/none"]], ["true"], "BOX_CWD"],
  ["a missing cgroup", [["cgroup", join("/none", "x")]], ["true"], "BOX_CGROUP"],
] as const) {
  run(`sanitized failure: ${title}`, async (t) => {
    const said = await callLauncher("run", options(more as readonly LaunchOption[], argv), program, environment);
    t.like(said.report[0], { event: "failed", code });
    t.is(said.stderr, "");
  });
}
