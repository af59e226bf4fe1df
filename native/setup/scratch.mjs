/**
 * Where the tests' temporary files go. Root gets a tmpfs in a mount namespace of its own: some ext4 disks take 60 times
 * longer than others to make a file, which makes minutes of seconds. It is gone with the last process of the run.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { freemem, tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes of memory that must be free; the tests use less than half of it. */
const needed = 6 * 2 ** 30;

const mount = 'mount -t tmpfs -o mode=1777,size=4g wbuild-tests "$1"';
/** Tests keep user.* attributes on files: tmpfs has them since Linux 6.6. */
const probe = `${mount} && touch "$1/x" && setfattr -n user.probe -v y "$1/x"`;

/**
 * Gives the command that runs `command` with the scratch, the variables it needs, and what removes the scratch.
 * Where there can be no tmpfs, the command as it is.
 */
export function withScratch(command) {
  const plain = { command, environment: {}, remove: () => {} };
  if (process.getuid?.() !== 0 || freemem() < needed) return plain;
  const folder = mkdtempSync(join(tmpdir(), "wbuild-tests-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const unshare = (script, ...rest) => ["unshare", "--mount", "sh", "-c", script, "sh", folder, ...rest];
  const [tool, ...args] = unshare(probe);
  if (spawnSync(tool, args, { stdio: "ignore" }).status !== 0) {
    remove();
    return plain;
  }
  return { command: unshare(`${mount} && shift && exec "$@"`, ...command), environment: { TMPDIR: folder }, remove };
}
