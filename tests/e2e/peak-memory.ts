/** The highest memory of a command and of every Node that it starts, as the kernel counted it. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { Scene } from "./scene.ts";

/** Writes down what a process had of memory at its most, when it ends. */
const hook = `process.on("exit", () => {
  const { appendFileSync, readFileSync } = require("node:fs");
  appendFileSync(process.env.PEAKS, /VmHWM:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1] + "\\n");
});`;

/** Runs the command, which must end with 0; gives megabytes of the process that took most. */
export async function peakOf(t: ExecutionContext, s: Scene, ...args: string[]): Promise<number> {
  const [script, peaks] = [join(s.folder, "hook.cjs"), join(s.folder, "peaks")];
  await writeFile(script, hook);
  await writeFile(peaks, "");
  const result = await s.wbuildWith({ env: { PEAKS: peaks, NODE_OPTIONS: `--require=${script}` } }, ...args);
  t.is(result.code, 0, result.stderr);
  const found = (await readFile(peaks, "utf8")).trim().split("\n").map(Number);
  return (Math.max(...found) * 1024) / 1e6;
}
