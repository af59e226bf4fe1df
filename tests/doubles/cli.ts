/** Runs the bundled program as a user would. The first call of a test process makes sure that the bundle is fresh. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";

export const top = fileURLToPath(new URL("../..", import.meta.url));
export const program = join(top, "dist/wbuild");

let fresh: Promise<void> | undefined;

/** Bundles when a source changed. `npm test` has done so before and says it with WBUILD_BUNDLE_IS_FRESH. */
export function bundled(): Promise<void> {
  fresh ??= (async () => {
    if (process.env.WBUILD_BUNDLE_IS_FRESH) return;
    await promisify(execFile)(process.execPath, [join(top, "native/setup/build.mjs")], { cwd: top });
  })();
  return fresh;
}

export interface CliOptions {
  /** Laid over an environment that holds nothing but PATH and HOME. `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** Words in front of the command: what runs it as somebody else. */
  readonly prefix?: readonly string[];
  /** Ends the run with this signal after this much output on standard error was seen. */
  readonly signalAfter?: { readonly text: string; readonly signal: NodeJS.Signals };
}

export interface CliResult {
  /** Exit code; 128 and the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  await bundled();
  const env = Object.fromEntries(
    Object.entries({ PATH: process.env.PATH, HOME: process.env.HOME, ...options.env }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const [command = "", ...rest] = [...(options.prefix ?? []), process.execPath, "--", program, ...args];
  const child = spawn(command, rest, { cwd: options.cwd ?? top, env, stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  let sent = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    const { signalAfter } = options;
    if (signalAfter && !sent && stderr.includes(signalAfter.text)) {
      sent = true;
      child.kill(signalAfter.signal);
    }
  });
  // A program that does not read its input is no failure of the test.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...how) => resolve(how));
  });
  const numbers: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15, SIGHUP: 1 };
  return { code: code ?? 128 + (numbers[signal ?? "SIGKILL"] ?? 0), stdout, stderr };
}

/** A store of its own and a folder for the test, removed at its end. */
export function sandboxOf(t: ExecutionContext): { readonly folder: string; readonly env: Record<string, string> } {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-cli-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, env: { WBUILD_HOME: join(folder, "home"), DOCKER_CONFIG: join(folder, "docker") } };
}
