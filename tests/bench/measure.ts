/** Runs one command with its time and peak memory taken by a parent that is small and does nothing else. */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";

export interface Measure {
  readonly seconds: number;
  /** Of the biggest process among the command and its descendants. */
  readonly peakMib: number;
}

// Node itself would count its own memory into its child's: the kernel starts a child's maximum with its parent's pages.
const wrapper = `
import json, os, resource, sys, time
began = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, 3)])
_, status, usage = os.wait4(pid, 0)
took = time.monotonic() - began
os.write(3, json.dumps({"seconds": took, "peakKib": usage.ru_maxrss, "status": os.waitstatus_to_exitcode(status)}).encode())
`;

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Throws with the end of the output when the command fails. Everything it prints goes to the log. */
export async function measure(command: Command, log: string): Promise<Measure> {
  const child = spawn("python3", ["-I", "-S", "-c", wrapper, ...command.argv], {
    env: { ...process.env, ...command.env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    ...(command.cwd ? { cwd: command.cwd } : {}),
  });
  const file = createWriteStream(log, { flags: "a" });
  file.write(`$ ${command.argv.join(" ")}\n`);
  let last = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      file.write(text);
      last = (last + text).slice(-3000);
    });
  }
  let answer = "";
  child.stdio[3]?.on("data", (bytes: Buffer) => {
    answer += bytes.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve());
  });
  file.end();
  const { seconds, peakKib, status } = JSON.parse(answer || '{"status":-1}');
  if (status !== 0) throw new Error(`${command.argv.join(" ")} ended with ${status}:\n${last}`);
  return { seconds, peakMib: peakKib / 1024 };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
