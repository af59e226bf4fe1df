/** What a cache mount begins with: a part of a tree, written into its folder. */
import type { Entry } from "../../layerfs/layer/entry.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { WbuildError } from "../../native/error.ts";

/** Copies what lies in `root`, a folder of the tree, into the empty folder. Throws STEP_MOUNT_SOURCE for what is no folder. */
export async function fillFrom(tree: Tree, root: Entry, folder: string): Promise<void> {
  if (root.type !== "directory")
    throw new WbuildError("STEP_MOUNT_SOURCE", `${root.path} is no folder: a cache cannot begin with it`, {
      facts: { path: root.path },
    });
  const { exportFolder } = await import("../image/output/export-tree.ts");
  await exportFolder([{ tree: below(tree, root.path) }], folder, folder, {});
}

/** A folder of a tree as a tree of its own, as far as writing it somewhere needs that. */
function below(tree: Tree, top: string): Tree {
  const skip = top === "" ? 0 : top.length + 1;
  const inside = (path: string) => (top === "" || path === "" ? top + path : `${top}/${path}`);
  const cut = (entry: Entry): Entry => ({
    ...entry,
    path: entry.path.slice(skip),
    ...(entry.type === "hardlink" && entry.target !== undefined ? { target: entry.target.slice(skip) } : {}),
  });
  const whole = (entry: Entry): Entry => ({ ...entry, path: inside(entry.path) });
  return {
    resolve: async (path, follow) => (await tree.resolve(inside(path), follow))?.slice(skip),
    stat: async (path) => {
      const entry = await tree.stat(inside(path));
      return entry && cut(entry);
    },
    list: async (path) => (await tree.list(inside(path))).map(cut),
    walk: async (path) => (await tree.walk(inside(path))).map(cut),
    digest: (entry) => tree.digest(whole(entry)),
    read: (entry) => tree.read(whole(entry)),
  };
}
