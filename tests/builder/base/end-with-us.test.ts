import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";

const program = fileURLToPath(new URL("end-with-us-child.ts", import.meta.url));

function start(script: string): ChildProcess {
  const args = ["--import", import.meta.resolve("tsx"), program, script];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
}

/** Looks again until it is so; the test's own time limit is the end. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Process ids of the guards that stand beside a program. */
function guards(pid: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "latin1").split("\0");
      return words[0] === "sh" && words[2]?.includes("kill -TERM") === true && words[4] === pid;
    } catch {
      return false;
    }
  });
}

function folderFor(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-end-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function pidOf(child: ChildProcess): Promise<string> {
  for await (const text of child.stdout ?? []) return String(text).trim();
  throw new Error("it has said nothing");
}

test("kill -9 of us asks the program to end, which cleans up; nothing stays", async (t) => {
  const cleaned = join(folderFor(t), "cleaned");
  const child = start(`trap 'echo >${cleaned}; exit' TERM; echo $$; while :; do sleep 0.01; done`);
  const pid = await pidOf(child);
  await until(() => guards(pid).length === 1);
  child.kill("SIGKILL");
  await until(() => existsSync(cleaned) && !existsSync(`/proc/${pid}`));
  await until(() => guards(pid).length === 0);
  t.pass();
});

test("the guard of a program that has ended goes with it", async (t) => {
  const child = start("trap 'exit 0' USR1; echo $$; while :; do sleep 0.01; done");
  const ended = new Promise((resolve) => child.once("close", resolve));
  const pid = await pidOf(child);
  await until(() => guards(pid).length === 1);
  process.kill(Number(pid), "SIGUSR1");
  t.is(await ended, 0);
  await until(() => guards(pid).length === 0);
});
