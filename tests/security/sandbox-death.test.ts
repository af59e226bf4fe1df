import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { testUnless } from "../doubles/test-unless.ts";
import { noContainers } from "../native/core/box.ts";

const run = testUnless(noContainers);
const child = fileURLToPath(new URL("sandbox-death-child.ts", import.meta.url));

/** Processes of this host with the mark in their command line, ours not counted. */
function marked(mark: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(`sleep\0${mark}`);
    } catch {
      return false;
    }
  });
}

async function until(what: () => boolean): Promise<boolean> {
  for (let i = 0; i < 500; i++) {
    if (what()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

async function started(mark: string): Promise<{ process: ChildProcess; folder: string }> {
  const process_ = spawn(process.execPath, ["--import=tsx", child, mark], { stdio: ["ignore", "pipe", "inherit"] });
  const folder = await new Promise<string>((resolve) =>
    process_.stdout?.once("data", (bytes: Buffer) => resolve(`${bytes}`.split("\n")[0] ?? "")),
  );
  return { process: process_, folder };
}

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  run(`${signal} to the process that started a container leaves nothing of it`, async (t) => {
    const mark = `7${process.pid}${signal === "SIGKILL" ? 1 : 2}`;
    const { process: parent, folder } = await started(mark);
    t.true(await until(() => marked(mark).length === 2), "the container runs");
    parent.kill(signal);
    t.true(await until(() => marked(mark).length === 0), "every process has ended");
    rmSync(folder, { recursive: true, force: true });
  });
}

run("SIGKILL to the launcher leaves nothing of the container", async (t) => {
  const mark = `7${process.pid}3`;
  const { process: parent, folder } = await started(mark);
  t.true(await until(() => marked(mark).length === 2));
  const launcher = readdirSync("/proc").find((name) => {
    try {
      return (
        new RegExp(`^PPid:\\s${parent.pid}$`, "m").test(readFileSync(`/proc/${name}/status`, "utf8")) &&
        readFileSync(`/proc/${name}/cmdline`, "utf8").startsWith("wbuild-sandbox\0run")
      );
    } catch {
      return false;
    }
  });
  process.kill(Number(launcher), "SIGKILL");
  t.true(await until(() => marked(mark).length === 0), "every process has ended");
  parent.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
