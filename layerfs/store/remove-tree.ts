/** Removes unpacked layers: folders full of foreign modes, owners and names. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { storeError } from "./failure.ts";

const run = promisify(execFile);

/**
 * Removes a folder or file with all below it; nothing there is fine. Links are removed, never followed: `rm` walks by
 * descriptors, so a folder that becomes a symlink on the way leads nowhere. Throws STORE_DENIED when something resists.
 */
export async function removeTree(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const options = { env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" } };
  const attempts: [string, string[]][] = [["rm", ["-rf", "--", path]]];
  if (process.getuid?.() !== 0) {
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
