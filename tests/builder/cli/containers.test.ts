import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { bundled, type CliOptions, program, runCli, sandboxOf } from "../../doubles/cli.ts";

/** A store with wbuild.local/linux, and a context folder whose Dockerfile is given. */
async function linux(t: ExecutionContext, dockerfile = "FROM wbuild.local/linux\n") {
  const { folder, env } = sandboxOf(t);
  const cli = (args: readonly string[], options: CliOptions = {}) =>
    runCli(args, { cwd: folder, ...options, env: { ...env, ...options.env } });
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), dockerfile);
  const base = await cli(["base", "linux", "-q"]);
  t.is(base.stdout, "wbuild.local/linux:latest\n", base.stderr);
  return { folder, env, cli };
}

const runs: readonly (readonly [name: string, args: readonly string[], code: number, stdout: string | RegExp])[] = [
  ["the exit code", ["wbuild.local/linux", "sh", "-c", "exit 7"], 7, ""],
  ["no such command", ["wbuild.local/linux", "nosuch"], 127, ""],
  ["a command that is no program", ["wbuild.local/linux", "/etc/passwd"], 126, ""],
  ["ended by a signal", ["wbuild.local/linux", "sh", "-c", "kill -9 $$"], 137, ""],
  ["flags behind the image are the program's", ["wbuild.local/linux", "echo", "--help", "-e"], 0, "--help -e\n"],
  [
    "variables",
    ["-e", "A=1", "-e", "FROM_ENV", "wbuild.local/linux", "sh", "-c", "echo $A $FROM_ENV"],
    0,
    "1 outside\n",
  ],
  ["a working directory that is made", ["-w", "/new/dir", "wbuild.local/linux", "pwd"], 0, "/new/dir\n"],
  ["a user by number", ["-u", "1234:5678", "wbuild.local/linux", "id"], 0, /^uid=1234 gid=5678/],
  ["entrypoint", ["--entrypoint", "echo", "wbuild.local/linux", "a", "b"], 0, "a b\n"],
  ["host name", ["--hostname", "here", "wbuild.local/linux", "hostname"], 0, "here\n"],
  [
    "add-host",
    ["--add-host", "db=10.9.8.7", "wbuild.local/linux", "grep", "db", "/etc/hosts"],
    0,
    /^10\.9\.8\.7\s+db\n$/,
  ],
  [
    "add-host of this host",
    ["--add-host", "gate:host-gateway", "wbuild.local/linux", "grep", "gate", "/etc/hosts"],
    0,
    /^\d+\.\d+\.\d+\.\d+\s+gate\n$/,
  ],
  ["no network", ["--network", "none", "wbuild.local/linux", "ls", "/sys/class/net"], 0, "lo\n"],
  ["read-only", ["--read-only", "wbuild.local/linux", "sh", "-c", "touch /x 2>/dev/null || echo no"], 0, "no\n"],
  ["ulimit", ["--ulimit", "nofile=123", "wbuild.local/linux", "sh", "-c", "ulimit -n"], 0, "123\n"],
];
test("run: what is asked for", async (t) => {
  const { cli } = await linux(t);
  for (const [name, args, code, stdout] of runs) {
    const result = await cli(["run", ...args], { env: { FROM_ENV: "outside" } });
    t.is(result.code, code, `${name}: ${result.stderr}`);
    if (typeof stdout === "string") t.is(result.stdout, stdout, name);
    else t.regex(result.stdout, stdout, name);
  }
});

test("run: volumes, env files, standard input, and nothing kept", async (t) => {
  const { cli, folder } = await linux(t);
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "vars"), "# comment\nX=a b\nFROM_ENV\n");
  const wrote = await cli([
    "run",
    "-v",
    "./data:/data",
    "wbuild.local/linux",
    "sh",
    "-c",
    "echo kept > /data/f; touch /gone",
  ]);
  t.is(wrote.code, 0, wrote.stderr);
  t.is(readFileSync(join(folder, "data/f"), "utf8"), "kept\n");
  const readOnly = [
    "run",
    "-v",
    "./data:/data:ro",
    "wbuild.local/linux",
    "sh",
    "-c",
    "cat /data/f; ls /gone; touch /data/g",
  ];
  const refused = await cli(readOnly);
  t.is(refused.stdout, "kept\n");
  t.regex(refused.stderr, /\/gone: No such file[\s\S]*\/data\/g: Read-only/);
  const env = { env: { FROM_ENV: "y" } };
  t.is(
    (await cli(["run", "--env-file", "vars", "wbuild.local/linux", "sh", "-c", 'echo "$X$FROM_ENV"'], env)).stdout,
    "a by\n",
  );
  const lost = await cli(["run", "--env-file", "lost", "wbuild.local/linux", "true"]);
  t.is(lost.code, 125, "the file is ours to read, not Node's");
  t.regex(lost.stderr, /error\[CLI_VALUE\]: --env-file: cannot read lost/);
  t.is((await cli(["run", "-i", "wbuild.local/linux", "cat"], { input: "typed" })).stdout, "typed");
  t.is(
    (await cli(["run", "wbuild.local/linux", "cat"], { input: "typed" })).stdout,
    "",
    "without -i there is no input",
  );
  const tty = await cli(["run", "-it", "wbuild.local/linux", "sh"]);
  t.is(tty.code, 125);
  t.regex(tty.stderr, /--tty needs a terminal/);
});

test("a failing step: its output, its exit code, its line; what came before stays cached", async (t) => {
  const { cli } = await linux(t, "FROM wbuild.local/linux\nRUN echo first\nRUN echo last words && exit 3\n");
  const { code, stderr } = await cli(["context"]);
  t.is(code, 1);
  t.regex(stderr, /error\[STEP_EXIT\]: .*exit code 3\n {2}context\/Dockerfile:3:1\n/);
  t.regex(stderr, /last output:\n {4}last words\n/);
  t.regex((await cli(["context"])).stderr, /RUN echo first\n#\d+ CACHED/);
  t.regex((await cli(["-q", "context"])).stderr, /^error\[STEP_EXIT\]/, "quiet is not silent about failures");
});

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  test(`${signal} ends a build and its steps`, async (t) => {
    const mark = `86${Math.floor(Math.random() * 1e6)}`;
    const { cli } = await linux(t, `FROM wbuild.local/linux\nRUN echo ready; sleep ${mark}\n`);
    const result = await cli(["--progress", "plain", "context"], { signalAfter: { text: " ready\n", signal } });
    t.is(result.code, code, result.stderr);
    t.regex(result.stderr, /canceled\n$/);
    t.notRegex(result.stderr, /error/i);
    const left = await runCli(["version"]).then(() => processesNaming(mark));
    t.deepEqual(left, [], "the step's processes are gone");
    t.is((await cli(["images", "-q"])).code, 0, "the store is usable");
  });

test("signals go to what runs in the container, and its exit code comes back", async (t) => {
  const { cli } = await linux(t);
  const script = 'trap "echo got it; exit 9" TERM; echo ready >&2; while :; do sleep 0.05; done';
  const result = await cli(["run", "wbuild.local/linux", "sh", "-c", script], {
    signalAfter: { text: "ready", signal: "SIGTERM" },
  });
  t.is(result.stdout, "got it\n", result.stderr);
  t.is(result.code, 9);
});

test("nobody reads standard output: quiet, and the exit code of a broken pipe", async (t) => {
  await bundled();
  const child = spawn(process.execPath, [program, "completion", "bash"], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  t.is(stderr, "");
  t.is(code, 141);
});

test("a password in a proxy's address is not shown", async (t) => {
  const { cli } = await linux(t, "FROM wbuild.local/linux\nARG HTTP_PROXY\nRUN echo proxy $HTTP_PROXY; exit 1\n");
  const address = "http://me:s3cr3t-word@127.0.0.1:1";
  for (const args of [["context"], ["--debug", "--progress", "json", "context"]]) {
    const { code, stderr, stdout } = await cli([...args, "--build-arg", `HTTP_PROXY=${address}`]);
    t.is(code, 1);
    t.true(stderr.includes("http://me:******@127.0.0.1:1"), stderr);
    t.false((stderr + stdout).includes("s3cr3t-word"));
  }
});

/** Command lines of living processes that hold this word. */
async function processesNaming(word: string): Promise<string[]> {
  const { readdirSync } = await import("node:fs");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(`sleep ${word}`));
}
