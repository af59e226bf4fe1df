/** Folders that are made with those above them. */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it, as `mkdir -p` does; one that is there stays. `mode` is for new ones. Throws what the
 * system says. Not Node's own `recursive`: that never ends where a folder cannot be made in one that is there and the
 * system says ENOENT, as below /proc.
 */
export function makeFolder(path: string, mode = 0o777): void {
  const make = () => mkdirSync(path, { mode });
  try {
    try {
      make();
    } catch (error) {
      const isAlone = (error as NodeJS.ErrnoException).code === "ENOENT" && dirname(path) !== path;
      if (!isAlone) throw error;
      makeFolder(dirname(path), mode);
      make();
    }
  } catch (error) {
    // Whatever else it says (EEXIST, EROFS, EISDIR for the root): a folder is there.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
