import test from "ava";
import { scene } from "./scene.ts";

const linux = "wbuild.local/linux";

const exits: [name: string, args: string[], code: number][] = [
  ["the process's own", [linux, "sh", "-c", "exit 42"], 42],
  ["a signal's number and 128", [linux, "sh", "-c", "kill -TERM $$"], 143],
  ["a program that is not there", [linux, "/no/such/program"], 127],
  ["a file that is no program", [linux, "/etc/passwd"], 126],
  ["an image that is not there", ["wbuild.local/nothing", "true"], 125],
  ["an unknown flag", ["--no-such-flag", linux], 125],
];
for (const [name, args, code] of exits) {
  test(`exit code: ${name}`, async (t) => {
    const s = await scene(t);
    const ran = await s.wbuild("run", "--network", "none", ...args);
    t.is(ran.code, code, ran.stderr);
  });
}

const outputs: [name: string, args: string[], stdout: string | RegExp][] = [
  ["variables", ["-e", "A=1", "-e", "B=two words", linux, "sh", "-c", "echo $A $B"], "1 two words\n"],
  ["working folder", ["-w", "/usr/bin", linux, "pwd"], "/usr/bin\n"],
  ["user by name, with its group", ["-u", "www-data", linux, "id"], /^uid=33\(www-data\) gid=33\(www-data\)/],
  ["user and group by number", ["-u", "1234:5678", linux, "id"], /^uid=1234 gid=5678/],
  ["entrypoint", ["--entrypoint", "echo", linux, "from", "here"], "from here\n"],
  ["host name", ["--hostname", "box", linux, "hostname"], "box\n"],
  ["process 1 sees its own processes only", [linux, "sh", "-c", "ls -d /proc/[0-9]* | wc -l"], /^[1-4]\n$/],
  [
    "no network but itself",
    [linux, "sh", "-c", "ls /sys/class/net 2>/dev/null || ip -o link | cut -d: -f2"],
    /^ ?lo\n$/,
  ],
  ["everybody may write to /tmp", ["-u", "65534", linux, "sh", "-c", "echo a > /tmp/x && cat /tmp/x"], "a\n"],
  ["/dev has what it needs", [linux, "sh", "-c", "echo x > /dev/null && head -c 4 /dev/zero | wc -c"], "4\n"],
];
for (const [name, args, stdout] of outputs) {
  test(`run: ${name}`, async (t) => {
    const s = await scene(t);
    const out = await s.run(...args);
    if (typeof stdout === "string") t.is(out, stdout);
    else t.regex(out, stdout);
  });
}

test("standard input reaches the process with -i, and ends", async (t) => {
  const s = await scene(t);
  const input = "x".repeat(300_000);
  const ran = await s.wbuildWith({ input }, "run", "-i", "--network", "none", linux, "wc", "-c");
  t.is(ran.stdout.trim(), "300000", ran.stderr);
});

test("standard output and error stay apart, and bytes stay bytes", async (t) => {
  const s = await scene(t);
  const ran = await s.wbuild("run", "--network", "none", linux, "sh", "-c", "echo out; echo err >&2");
  t.is(ran.stdout, "out\n");
  t.is(ran.stderr, "err\n");
});

test("what a run changes is gone afterwards; a volume keeps it, a read-only one refuses", async (t) => {
  const s = await scene(t);
  await s.files("data", { in: "given\n" });
  await s.run(linux, "sh", "-c", "echo x > /etc/motd");
  t.not((await s.wbuild("run", "--network", "none", linux, "cat", "/etc/motd")).code, 0);
  await s.run("-v", `${s.folder}/data:/data`, linux, "sh", "-c", "cat /data/in > /data/out");
  t.is(await s.tool("cat", "data/out"), "given\n");
  const refused = await s.wbuild(
    "run",
    "--network",
    "none",
    "-v",
    "./data:/data:ro",
    linux,
    "sh",
    "-c",
    "echo > /data/no",
  );
  t.not(refused.code, 0);
  await t.throwsAsync(s.tool("cat", "data/no"));
});

test("a signal to wbuild reaches the process, which may handle it", async (t) => {
  const s = await scene(t);
  const ran = await s.wbuildWith(
    { signalAfter: { text: "ready", signal: "SIGTERM" } },
    ...["run", "--network", "none", linux],
    ...["sh", "-c", "trap 'echo caught; exit 5' TERM; echo ready >&2; while :; do sleep 0.1; done"],
  );
  t.is(ran.code, 5, ran.stderr);
  t.is(ran.stdout, "caught\n");
});

test("limits hold: memory and processes", async (t) => {
  const s = await scene(t);
  const greedy = await s.wbuild(
    "run",
    "--network",
    "none",
    "--memory",
    "32m",
    linux,
    "sh",
    "-c",
    "head -c 200000000 /dev/zero | tail",
  );
  const forks = await s.wbuild(
    "run",
    "--network",
    "none",
    "--pids-limit",
    "10",
    linux,
    "sh",
    "-c",
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait",
  );
  // Where the host has no cgroup to give, both say so.
  const told = (text: string) => /cgroup/.test(text);
  t.true(greedy.code !== 0 || told(greedy.stderr), greedy.stderr);
  t.true(forks.code !== 0 || told(forks.stderr) || /fork/.test(forks.stderr), forks.stderr);
});
