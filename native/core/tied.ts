/** Programs of the host that never outlive us: not even kill -9 leaves one behind (native/sandbox/tied.c). */
import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex, Readable } from "node:stream";
import { WbuildError } from "../error.ts";
import { launcherPath } from "./launch.ts";

export interface TiedOptions {
  readonly cwd: string;
  /** All of its environment; its PATH is where the program is looked for. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes: no file that it writes grows larger, "File too large" is what it is told then. Absent: no limit. */
  readonly fileBytes?: number;
}

export interface TiedProgram {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * Its exit code once it has ended and its output is closed: 127 when there is no such program, 128 and the signal's number
   * when one ended it, null after kill(). Rejects with BOX_NOT_BUILT.
   */
  readonly exited: Promise<number | null>;
  /** Ends it with all that it started. */
  kill(): void;
}

/** Starts a program in a process group of its own, without standard input. */
export function startTied(program: string, args: readonly string[], options: TiedOptions): TiedProgram {
  const { cwd, env, fileBytes = 0 } = options;
  const child = spawn(launcherPath(), ["tied", "3", String(fileBytes), program, ...args], {
    argv0: "wbuild-sandbox",
    cwd,
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    detached: true,
  });
  const life = child.stdio[3] as Duplex;
  life.on("error", () => {});
  return {
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    exited: ended(child, cwd).finally(() => life.destroy()),
    kill() {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    },
  };
}

function ended(child: ChildProcess, cwd: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    // Else the end of `life` would be waited for, which is ours to close.
    child.on("exit", () => (child.stdio[3] as Duplex).destroy());
    child.on("close", resolve);
    child.on("error", (cause) =>
      reject(
        new WbuildError("BOX_NOT_BUILT", `cannot start ${launcherPath()} in ${cwd}`, {
          cause,
          hint: "run `npm run setup` in the checkout to compile it",
        }),
      ),
    );
  });
}
