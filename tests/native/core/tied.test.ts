import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { startTied, type TiedOptions, type TiedProgram } from "../../../native/core/tied.ts";

const env = { PATH: process.env.PATH ?? "" };

function start(script: string, more: Partial<TiedOptions> = {}): TiedProgram {
  return startTied("sh", ["-c", script], { cwd: "/", env, ...more });
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const piece of stream) text += piece.toString("utf8");
  return text;
}

/** How many processes of this host are that program with that argument. */
function running(program: string, mark: string): number {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "latin1") === `${program}\0${mark}\0`;
    } catch {
      return false;
    }
  }).length;
}

/** Looks again until it is so; the test's own time limit is the end. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const exits: [script: string, code: number][] = [
  ["exit 0", 0],
  ["exit 7", 7],
  ["kill -TERM $$", 128 + 15],
];
for (const [script, code] of exits) {
  test(`\`${script}\` is told as ${code}`, async (t) => {
    const it = start(script);
    it.stdout.resume();
    it.stderr.resume();
    t.is(await it.exited, code);
  });
}

test("output, environment and folder are the program's own", async (t) => {
  const it = start('echo "$A $PWD"; echo odd >&2; env | wc -l', { cwd: "/usr", env: { ...env, A: "a b" } });
  const [stdout, stderr] = await Promise.all([textOf(it.stdout), textOf(it.stderr), it.exited]);
  t.is(stdout.split("\n")[0], "a b /usr");
  t.is(stderr, "odd\n");
  // sh adds PWD, OLDPWD and SHLVL at most.
  t.true(Number(stdout.split("\n")[1]) <= 6, stdout);
});

test("a program that is not there is 127", async (t) => {
  const it = startTied("wbuild-no-such-program", [], { cwd: "/", env });
  it.stdout.resume();
  it.stderr.resume();
  t.is(await it.exited, 127);
});

test("a file that grows too large is an error, and stays as small", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-tied-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const it = start("head -c 100000 /dev/zero > large || echo refused", { cwd: folder, fileBytes: 4096 });
  const [stdout, stderr] = await Promise.all([textOf(it.stdout), textOf(it.stderr), it.exited]);
  t.is(stdout, "refused\n");
  t.regex(stderr, /File too large/);
  t.is(statSync(join(folder, "large")).size, 4096);
});

test("kill ends all that the program started", async (t) => {
  const mark = `8${process.pid}1`;
  const it = start(`trap '' TERM HUP; sleep ${mark} & sleep ${mark}`);
  it.stdout.resume();
  it.stderr.resume();
  await until(() => running("sleep", mark) === 2);
  it.kill();
  t.is(await it.exited, null);
  await until(() => running("sleep", mark) === 0);
});

test("kill -9 of the one who started it leaves nothing", async (t) => {
  const mark = `8${process.pid}2`;
  const child = fileURLToPath(new URL("tied-child.ts", import.meta.url));
  const parent = spawn(process.execPath, ["--import=tsx", child, mark], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => parent.stdout.once("data", resolve));
  await until(() => running("sleep", mark) === 2);
  parent.kill("SIGKILL");
  await until(() => running("sleep", mark) === 0);
  t.is(running("sleep", mark), 0);
});
