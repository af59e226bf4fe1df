/** Removes unpacked layers: folders full of foreign modes, owners and names. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { WbuildError } from "../../native/error.ts";
import { storeError } from "./failure.ts";

const run = promisify(execFile);

/**
 * Removes a folder or file with all below it; nothing there is fine. Links are removed, never followed: `rm` walks by
 * descriptors, so a folder that becomes a symlink on the way leads nowhere. Throws STORE_DENIED when something resists,
 * STORE_BUSY when something is mounted in there.
 */
export async function removeTree(path: string): Promise<void> {
  if (!existsSync(path) || removeEmpty(path, 4)) return;
  refuseMounts(path);
  const options = { env: { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C" } };
  const attempts: [string, string[]][] = [["rm", ["-rf", "--", path]]];
  if (process.getuid?.() === 0) {
    // An insecure step may have made files immutable or append-only.
    attempts.push(["chattr", ["-Rf", "-ia", path]], ["rm", ["-rf", "--", path]]);
  } else {
    // A folder without w or x for its owner stops an ordinary user. chmod -R does not follow links below its argument.
    attempts.push(["chmod", ["-Rf", "u+rwx", "--", path]], ["rm", ["-rf", "--", path]]);
    // Files of a container's other users belong to subordinate ids: only a root of those ids can remove them.
    attempts.push(["unshare", ["--user", "--map-auto", "--map-root-user", "rm", "-rf", "--", path]]);
  }
  let failure: unknown;
  for (const [command, args] of attempts) {
    try {
      await run(command, args, options);
    } catch (cause) {
      failure = cause;
    }
    if (!existsSync(path)) return;
  }
  const denied = Object.assign(new Error("left over after rm", { cause: failure }), { code: "EACCES" });
  throw storeError(denied, "remove an unpacked layer", path);
}

/**
 * Removes a folder that holds nothing but a few empty folders: what a step's scratch is in the end. A process costs more
 * than that. False when there is anything else; rmdir removes neither a file nor what something is mounted on.
 */
function removeEmpty(path: string, deepest: number): boolean {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    if (deepest === 0 || entries.length > 4) return false;
    for (const entry of entries) {
      if (!entry.isDirectory() || !removeEmpty(join(path, entry.name), deepest - 1)) return false;
    }
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/** The accident: a killed step left the host's files mounted in its folder, and removing the folder would remove them. */
function refuseMounts(path: string): void {
  let mounts: string;
  try {
    mounts = readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return;
  }
  for (const line of mounts.split("\n")) {
    // proc(5): the fifth field is the mount point, with blanks and backslashes as octal numbers.
    const point = line
      .split(" ")[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (point !== path && !point?.startsWith(`${path}/`)) continue;
    throw new WbuildError("STORE_BUSY", `something is mounted on ${point}`, {
      facts: { path, mountPoint: point },
      hint: `run umount ${point}, then try again`,
    });
  }
}

/** Removes all that can be removed, then throws the first failure. */
export async function removeTrees(paths: readonly string[]): Promise<void> {
  const failures: unknown[] = [];
  for (const path of paths) await removeTree(path).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
