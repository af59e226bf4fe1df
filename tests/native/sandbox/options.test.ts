import fc from "fast-check";
import type { LaunchOption } from "../../../native/core/launch.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { noContainers } from "../core/box.ts";
import { callLauncher } from "./launcher.ts";

const run = testUnless(noContainers);
const least: readonly LaunchOption[] = [
  ["lower", "/x"],
  ["arg", "/bin/true"],
];

run("the plan is printed without doing anything", async (t) => {
  const { stdout, status } = await callLauncher("--print-plan", [
    ...["/a", "/b", "/c"].map((folder): LaunchOption => ["lower", folder]),
    ["upper", "/u"],
    ["work", "/w"],
    ["network", "veth"],
    ["network.range", "10.213.0.0"],
    ["cgroup", "/sys/fs/cgroup/x"],
    ["hostname", "boxy"],
    ["mount", "bind"],
    ["mount.source", "/src"],
    ["mount.target", "/dst"],
    ["mount.readonly", true],
    ["uid", 1000],
    ["gid", 1001],
    ["group", 5],
    ["cwd", "/home"],
    ["tty", true],
    ["arg", "make"],
  ]);
  t.is(status, 0);
  t.snapshot(stdout.split("\n"));
});

run("insecure leaves out what guards", async (t) => {
  const guarded = await callLauncher("--print-plan", least);
  const open = await callLauncher("--print-plan", [...least, ["insecure", true]]);
  const missing = guarded.stdout.split("\n").filter((line) => !open.stdout.split("\n").includes(line));
  t.deepEqual(
    missing.map((line) => line.split("\t")[1]),
    ["mask paths", "bound capabilities", "load seccomp filter", "set capabilities"],
  );
});

for (const [title, option] of [
  ["an unknown name", ["colour", "red"]],
  ["a path that is not absolute", ["lower", "x"]],
  ["a uid below zero", ["uid", "-1"]],
  ["a uid that means `leave it`", ["uid", 4294967295]],
  ["a number with something behind it", ["gid", "5x"]],
  ["an unknown network", ["network", "wifi"]],
  ["an unknown mount", ["mount", "nfs"]],
  ["a mount option before any mount", ["mount.target", "/x"]],
  ["a mount without a target", ["mount", "tmpfs"]],
  ["a lower folder that is not absolute", ["mount.lower", "x"]],
  ["half a limit", ["limit", "nofile:5"]],
  ["a limit that there is not", ["limit", "files:5:5"]],
  ["a truth that is none", ["tty", "yes"]],
] as const) {
  run(`refused: ${title}`, async (t) => {
    const { report, status } = await callLauncher("run", [...least, option]);
    t.is(status, 125);
    t.is(report[0]?.event, "failed");
    t.is(report[0]?.code, "BOX_OPTIONS");
  });
}

for (const [title, bytes] of [
  ["a file with half a byte", Buffer.from("mount=file\0mount.target=/x\0mount.hex=abc\0\0")],
  ["a file of other digits", Buffer.from("mount=file\0mount.target=/x\0mount.hex=AB\0\0")],
  ["a file without anything in it", Buffer.from("mount=file\0mount.target=/x\0\0")],
  ["layers without a path", Buffer.from("mount=layers\0mount.target=/x\0\0")],
  ["layers of a bind", Buffer.from("mount=bind\0mount.source=/y\0mount.target=/x\0mount.lower=/z\0\0")],
  [
    "an upper folder without a work folder",
    Buffer.from("mount=layers\0mount.source=\0mount.target=/x\0mount.upper=/u\0\0"),
  ],
  ["nothing", Buffer.alloc(0)],
  ["no end", Buffer.from("lower=/x\0")],
  ["no equals sign", Buffer.from("lower\0\0")],
  ["500 layers", Buffer.from(`${"lower=/x\0".repeat(500)}\0`)],
] as const) {
  run(`refused: ${title}`, async (t) => {
    const { report, status } = await callLauncher("run", bytes);
    t.is(status, 125);
    t.is(report[0]?.code, "BOX_OPTIONS");
  });
}

run("any bytes are answered, never with a crash", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.constantFrom(
            "lower",
            "upper",
            "mount",
            "mount.target",
            "mount.size",
            "limit",
            "uid",
            "env",
            "arg",
            "x",
            "",
          ),
          fc.string({ unit: "binary", maxLength: 40 }),
        ),
        { maxLength: 12 },
      ),
      async (pairs) => {
        const text = `${pairs.map(([name, value]) => `${name}=${value.replaceAll("\0", "")}\0`).join("")}\0`;
        const { status, signal } = await callLauncher(
          "--print-plan",
          Buffer.from(text.startsWith("\0") ? `a=\0${text}` : text),
        );
        t.is(signal, null);
        t.true(status === 0 || status === 125, `${status}`);
      },
    ),
    { numRuns: 60 },
  );
});
