/**
 * C: of a Windows image, seen through the tree of its layers (`stackTree(…, { names: "windows" })`): paths below C: go in, no
 * link leads out. COPY, COPY --from and WORKDIR use it, and what they make goes to shapeLayer with the same paths.
 */
import type { Entry } from "../layer/entry.ts";
import { joinPath } from "../tree/names.ts";
import type { Tree } from "../tree/tree.ts";
import { driveFolder, resolveWindows } from "../tree/windows-path.ts";

export interface ResolveOptions {
  /** The last component's link, too. */
  readonly follow?: boolean;
  /** keep: what is not there stays as written, as for a target that is to be made. */
  readonly missing?: "refuse" | "keep";
}

export interface WindowsTree {
  /**
   * A path below C: in any spelling (as parseWindowsPath gives it) → `Files/…` as the image spells it, links followed as
   * Windows does. Undefined when it is not there or a link leads to another drive. Throws TREE_LOOP.
   */
  resolve(path: string, options?: ResolveOptions): Promise<string | undefined>;
}

export function windowsTree(tree: Tree): WindowsTree {
  return {
    async resolve(path, { follow = false, missing = "refuse" } = {}) {
      const found = await resolveWindows((at) => tree.stat(toTree(at)), path, follow, { missing });
      return found === undefined ? undefined : toTree(found);
    },
  };
}

/** C: as a tree of its own: its paths and those of its entries are below C:, in the image's spelling; "" is C:\. */
export function driveTree(tree: Tree): Tree {
  const isThere = async () => (await tree.stat(driveFolder))?.type === "directory";
  return {
    async resolve(path, follow = false) {
      const isFolder = path.endsWith("/");
      if (!(await isThere())) return undefined;
      return resolveWindows((at) => tree.stat(toTree(at)), path, follow || isFolder);
    },
    async stat(path) {
      const entry = await tree.stat(toTree(path));
      return entry && below(entry);
    },
    async list(path) {
      return (await tree.list(toTree(path))).map(below);
    },
    async walk(path) {
      return (await tree.walk(toTree(path))).map(below);
    },
    digest: (entry) => tree.digest({ ...entry, path: toTree(entry.path) }),
    read: (entry) => tree.read({ ...entry, path: toTree(entry.path) }),
  };
}

function toTree(path: string): string {
  return joinPath(driveFolder, path);
}

/** The entry as C: has it. */
function below(entry: Entry): Entry {
  const { target } = entry;
  const path = entry.path.slice(driveFolder.length + 1);
  if (entry.type !== "hardlink" || target === undefined) return { ...entry, path };
  return { ...entry, path, target: target.slice(driveFolder.length + 1) };
}
