/**
 * Puts the host's own files in the place of the copies that Wine makes of them: 690 MB for each prefix otherwise. The best
 * is a clone or a hard link, which a step can overwrite as it likes (overlayfs copies it up); else a link by name.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, join } from "node:path";
import type { Wine } from "./find-wine.ts";

/** Wine's mark behind the DOS header. A file that has it is only a name: what is loaded is the host's file. */
const mark = Buffer.from("Wine builtin DLL\0");
const markOffset = 0x40;

/** What installers like to put into system32: through a link by name to a read-only folder they could not. 81 MB of Wine 8. */
const redistributed = /^(atl\d|concrt|mfc\d|msvc[pr]|ucrtbase|vcomp|vcruntime)/;

type Way = "clone" | "hard" | "symbolic";

/**
 * Links whatever below `files` Wine has copied. Nothing of the host is changed: no link is ever written through.
 * `standIns` is the folder of what stands in for Wine's own: of these there are true copies, so that a step which copies
 * one to a place of its own makes the same layer whichever way the others are linked.
 */
export function linkToHost(files: string, wine: Wine, standIns: string): void {
  const programs = new Map(readdirSync(wine.windows).map((name) => [name.toLowerCase(), join(wine.windows, name)]));
  const data = new Map<string, string>();
  for (const folder of ["nls", "fonts"]) {
    for (const name of namesIn(join(wine.data, folder))) data.set(name.toLowerCase(), join(wine.data, folder, name));
  }
  const ours = new Map(namesIn(standIns).map((name) => [name.toLowerCase(), join(standIns, name)]));
  let way: Way = "clone";
  for (const entry of readdirSync(files, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = entry.name.toLowerCase();
    const program = programs.get(name);
    const file = data.get(name);
    const own = ours.get(name);
    if (own !== undefined && isBuiltin(path)) copyFileSync(own, path, constants.COPYFILE_FICLONE);
    else if (program !== undefined && isBuiltin(path)) way = replace(path, program, way);
    else if (file !== undefined && readFileSync(path).equals(readFileSync(file))) way = replace(path, file, way);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isBuiltin(path: string): boolean {
  const head = Buffer.alloc(mark.length);
  const fd = openSync(path, "r");
  try {
    return readSync(fd, head, 0, head.length, markOffset) === head.length && head.equals(mark);
  } finally {
    closeSync(fd);
  }
}

/** The way that worked; what did not work for one file will not for the next. */
function replace(path: string, host: string, way: Way): Way {
  rmSync(path);
  if (way === "clone" && tries(() => copyFileSync(host, path, constants.COPYFILE_FICLONE_FORCE))) return "clone";
  // overlayfs cannot copy up what belongs to nobody of its user namespace: an ordinary user's steps could not change it.
  const isOurs = statSync(host).uid === process.geteuid?.();
  if (way !== "symbolic" && isOurs && tries(() => linkSync(host, path))) return "hard";
  rmSync(path, { force: true });
  if (redistributed.test(basename(host))) copyFileSync(host, path);
  else symlinkSync(host, path);
  return "symbolic";
}

function tries(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
