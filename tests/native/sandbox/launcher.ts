/** Runs the launcher directly, as native/core does, and gives all that it says. */
import { spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { encodeOptions, type LaunchOption, launcherPath } from "../../../native/core/launch.ts";

export interface Said {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly report: readonly Record<string, unknown>[];
}

/** `options` as pairs, or as the very bytes to send. */
export function callLauncher(
  mode: "run" | "--print-plan",
  options: readonly LaunchOption[] | Buffer<ArrayBuffer>,
  program = launcherPath(),
  environment: NodeJS.ProcessEnv = {},
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, mode === "run" ? ["run", "3", "4"] : [mode, "3"], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      env: environment,
    });
    const texts = { stdout: "", stderr: "", report: "" };
    const keep = (name: keyof typeof texts, stream: Readable | null) =>
      stream?.on("data", (bytes: Buffer) => {
        texts[name] += bytes;
      });
    keep("stdout", child.stdout);
    keep("stderr", child.stderr);
    keep("report", child.stdio[4] as Readable);
    const control = child.stdio[3] as Duplex;
    control.on("error", () => {});
    child.on("error", reject);
    child.on("close", (status, signal) => {
      control.destroy();
      const lines = texts.report.split("\n").filter((line) => line !== "");
      resolve({ status, signal, ...texts, report: lines.map((line) => JSON.parse(line) as Record<string, unknown>) });
    });
    if (Buffer.isBuffer(options)) control.end(options);
    else control.write(encodeOptions(options as readonly LaunchOption[]));
  });
}
