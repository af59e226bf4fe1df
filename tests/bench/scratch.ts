/**
 * Where the bench works: an ext4 of its own on a loop device, so that the host's file system and its history do not count;
 * a tmpfs where that cannot be mounted; or a folder that was named.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Scratch extends Disposable {
  readonly path: string;
  /** For the report: "ext4 with journal on a loop device". */
  readonly kind: string;
}

const sizeGib = 16;

export function makeScratch(wish: string): Scratch {
  const home = mkdtempSync(join(wish === "ext4" || wish === "tmpfs" ? tmpdir() : wish, "wbuild-bench-"));
  const path = join(home, "scratch");
  mkdirSync(path);
  if (wish === "ext4") {
    const image = join(home, "image");
    writeFileSync(image, "");
    truncateSync(image, sizeGib * 2 ** 30);
    try {
      execFileSync("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]);
      execFileSync("mount", ["-o", "loop", image, path]);
      return mounted(home, path, "ext4 with journal on a loop device");
    } catch {
      rmSync(image, { force: true });
    }
  }
  if (wish === "ext4" || wish === "tmpfs") {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeGib}g`, "wbuild-bench", path]);
    return mounted(home, path, "tmpfs");
  }
  const type = execFileSync("stat", ["-f", "-c", "%T", path], { encoding: "utf8" }).trim();
  return { path, kind: `the folder ${wish} (${type})`, [Symbol.dispose]: () => remove(home) };
}

function mounted(home: string, path: string, kind: string): Scratch {
  return {
    path,
    kind,
    [Symbol.dispose]: () => {
      try {
        execFileSync("umount", ["-R", path], { stdio: "ignore" });
      } catch {
        // Something in it is still in use (a daemon that is just ending): it goes when that does.
        execFileSync("umount", ["-R", "-l", path], { stdio: "ignore" });
      }
      remove(home);
    },
  };
}

function remove(home: string): void {
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
}
