/** A program of the host that is asked to end when we do, however we end. */
import { type ChildProcess, spawn } from "node:child_process";

/**
 * For programs that have to clean up after themselves, as mmdebstrap does: its folder may belong to ids of a user namespace,
 * and the file systems in it are mounted. They get a SIGTERM also after a kill -9 of ours: a guard waits at a pipe for the word
 * that the program has ended, or for the end of the pipe, which the kernel closes for us. `startTied` would not wait for them.
 */
export function endWithUs(child: ChildProcess): void {
  if (child.pid === undefined) return;
  // A group of its own: ctrl-C is meant for us and the program, and the guard is still needed then.
  const guard = spawn("sh", ["-c", 'read -r ended || kill -TERM "$1"', "sh", String(child.pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.on("error", () => {});
  guard.stdin.on("error", () => {});
  child.once("exit", () => guard.stdin.end("ended\n"));
}
