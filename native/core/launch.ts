/** One run of the native launcher: options in, report out. Knows its protocol (native/sandbox/README.md) and nothing of containers. */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import { distFolder } from "../addon/load.ts";
import { type ErrorCode, WbuildError } from "../error.ts";
import { errnoText } from "./errno.ts";
import { mergeOutput } from "./output.ts";
import type { Exit, OutputChunk, Running } from "./spec.ts";

/** `name=value` as the launcher takes them, in order. */
export type LaunchOption = readonly [name: string, value: string | number | boolean];

export interface LaunchStdio {
  readonly stdin: "null" | "inherit";
  readonly output: "pipe" | "inherit";
  /** Keeps the launcher in our foreground process group, where it may read the terminal. */
  readonly foreground: boolean;
}

/** One line of the report. */
interface ReportLine {
  readonly event: "started" | "exited" | "failed" | "warning";
  readonly pid?: number;
  readonly code?: number | string;
  readonly signal?: string;
  readonly outOfMemory?: boolean;
  readonly operation?: string;
  readonly path?: string;
  readonly errno?: number;
}

export interface LaunchWarning {
  readonly code: string;
  readonly path: string;
  readonly errno: number;
}

export interface Launched extends Running {
  /** The container's first process, as this host numbers it. */
  readonly pid: number;
}

/** Path of the launcher; `WBUILD_SANDBOX` names another one (a sanitizer build in tests). */
export function launcherPath(): string {
  return process.env.WBUILD_SANDBOX ?? join(distFolder(), "wbuild-sandbox");
}

/**
 * NUL-terminated strings, an empty one at the end. Throws BOX_OPTIONS for a value with a NUL in it.
 * Attack: `ENV A=$'x\0insecure=1'` would otherwise be an option of its own.
 */
export function encodeOptions(options: readonly LaunchOption[]): Buffer {
  const parts: string[] = [];
  for (const [name, value] of options) {
    const text = typeof value === "boolean" ? (value ? "1" : "0") : String(value);
    if (text.includes("\0")) {
      throw new WbuildError("BOX_OPTIONS", `the option ${name} of a container has a NUL byte in it`, {
        facts: { name },
      });
    }
    parts.push(name, "=", text, "\0");
  }
  parts.push("\0");
  return Buffer.from(parts.join(""), "utf8");
}

/** What a `failed` line says, for people. */
function failure(line: ReportLine): WbuildError {
  const code = (typeof line.code === "string" && line.code.startsWith("BOX_") ? line.code : "BOX_FAILED") as ErrorCode;
  // The one refusal that is ours: mounts of a container are never hidden by those of a step.
  const isOurs = line.operation === "mount over /, /proc or /sys";
  const reason = isOurs ? "a container's own mounts stay as they are" : errnoText(line.errno ?? 0);
  const what = [line.operation, line.path].filter((part) => part).join(" ");
  const hint = hints[code]?.(line);
  return new WbuildError(code, `cannot ${what}: ${reason}`, {
    facts: { operation: line.operation, path: line.path, errno: line.errno },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What to do where the kernel refuses a second /proc in a user namespace: the first shows less than all. */
export const hiddenProc =
  "the container that wbuild is in hides parts of /proc: start it with systempaths=unconfined (in a pod: procMount: Unmasked)";

const EPERM = constants.errno.EPERM;
const hints: Partial<Record<string, (line: ReportLine) => string | undefined>> = {
  BOX_NAMESPACE: (line) =>
    line.errno === EPERM ? "run as root, or allow user namespaces; `wbuild doctor` says what is missing" : undefined,
  BOX_OVERLAY: (line) =>
    line.errno === EPERM || line.errno === constants.errno.ENODEV
      ? "the kernel must have overlayfs, 5.11 or later for ordinary users; `wbuild doctor` says more"
      : "the store must be on a file system that can hold an overlay's upper folder (ext4, xfs, btrfs, tmpfs)",
  BOX_COMMAND: (line) =>
    line.errno === constants.errno.ENOENT
      ? "the program, or the interpreter or loader that it names, is not in the image"
      : undefined,
  BOX_MOUNT: (line) => (line.errno === EPERM && line.path === "/proc" ? hiddenProc : undefined),
  BOX_CWD: () => "set WORKDIR to a folder that exists in the image",
  BOX_ID_MAP: () => "give this user ranges in /etc/subuid and /etc/subgid, and install uidmap",
};

function parseLine(text: string): ReportLine | undefined {
  try {
    const value = JSON.parse(text) as ReportLine;
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function exitOf(line: ReportLine): Exit {
  const memory = line.outOfMemory === true ? { outOfMemory: true } : {};
  if (typeof line.signal === "string") return { signal: line.signal, ...memory };
  return { code: Number(line.code), ...memory };
}

/**
 * Starts the launcher and resolves when the process inside has been executed.
 * `options` may still be on their way (a network helper at work): the launcher starts meanwhile.
 * Throws BOX_NOT_BUILT, and BOX_* as the launcher reports them.
 */
export async function launch(
  options: readonly LaunchOption[] | Promise<readonly LaunchOption[]>,
  stdio: LaunchStdio,
  warn: (warning: LaunchWarning) => void,
): Promise<Launched> {
  const child = spawn(launcherPath(), ["run", "3", "4"], {
    stdio: [stdio.stdin === "null" ? "ignore" : "inherit", stdio.output, stdio.output, "pipe", "pipe"],
    // Process 1 keeps this name for all to see inside; the path on the host is nobody's business there.
    argv0: "wbuild-sandbox",
    detached: !stdio.foreground,
    env: process.env.ASAN_OPTIONS === undefined ? {} : { ASAN_OPTIONS: process.env.ASAN_OPTIONS },
  });
  const control = child.stdio[3] as Duplex;
  const report = child.stdio[4] as Readable;
  control.on("error", () => {}); // the launcher has ended first: its report tells more than EPIPE
  const output = mergeOutput(child.stdout, child.stderr);

  const { said, started } = listen(report, warn);
  const ended = endOf(child, report, said);
  // Nobody reads this side, so its end would go unnoticed and keep our event loop alive.
  const release = () => control.destroy();
  ended.then(release, release);
  ended.catch(() => {}); // whoever awaits it sees the error; nobody does when starting has failed already

  try {
    control.write(encodeOptions(await options));
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  const pid = await Promise.race([started, ended.then(() => Promise.reject(gone()))]);
  const send = (name: NodeJS.Signals) => {
    const number = constants.signals[name];
    if (number !== undefined && control.writable) control.write(Buffer.of(number));
  };
  const iterable: AsyncIterable<OutputChunk> = output;
  return {
    pid,
    output: iterable,
    exited: ended,
    signal: send,
    async [Symbol.asyncDispose]() {
      send("SIGKILL");
      output.discard();
      await ended.catch(() => {});
      control.destroy();
    },
  };
}

/** What the launcher has told so far. */
interface Said {
  exit?: Exit;
  failed?: WbuildError;
}

/** Reads the launcher's report, a JSON line an event; `started` is the process's id once it runs. */
function listen(report: Readable, warn: (warning: LaunchWarning) => void): { said: Said; started: Promise<number> } {
  const said: Said = {};
  let begun: (pid: number) => void = () => {};
  const started = new Promise<number>((resolve) => {
    begun = resolve;
  });
  const take = (text: string) => {
    const line = parseLine(text);
    if (line?.event === "started") begun(Number(line.pid));
    else if (line?.event === "exited") said.exit = exitOf(line);
    else if (line?.event === "failed") said.failed ??= failure(line);
    else if (line?.event === "warning") {
      warn({ code: String(line.code), path: String(line.path), errno: Number(line.errno) });
    }
  };
  let rest = "";
  report.setEncoding("utf8");
  report.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(take);
  });
  return { said, started };
}

/** How the process ended, when both the launcher and its report have: what was said last may come after the exit. */
function endOf(child: ChildProcess, report: Readable, said: Said): Promise<Exit> {
  return new Promise<Exit>((resolve, reject) => {
    let open = 2;
    let killedBy: string | null = null;
    const done = () => {
      if (--open > 0) return;
      if (said.failed) reject(said.failed);
      else if (said.exit) resolve(said.exit);
      else if (killedBy !== null) resolve({ signal: killedBy });
      else
        reject(new WbuildError("BOX_SUPERVISE", "the container's launcher ended without saying how its process did"));
    };
    child.on("exit", (_code, signal) => {
      killedBy = signal;
      done();
    });
    report.on("end", done);
    report.on("error", done);
    child.on("error", (cause) => {
      said.failed = new WbuildError("BOX_NOT_BUILT", `cannot start ${launcherPath()}`, {
        cause,
        hint: "run `npm run setup` in the checkout to compile it",
      });
      reject(said.failed);
    });
  });
}

function gone(): WbuildError {
  return new WbuildError("BOX_SUPERVISE", "the container ended before its process was started");
}
