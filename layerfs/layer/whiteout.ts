/** Whiteouts: names that mean deletions (OCI image layer filesystem changeset, "Whiteouts"). */
import { WbuildError } from "../../native/error.ts";
import type { Change } from "./entry.ts";
import { showPath } from "./raw-path.ts";

const mark = ".wh.";
const opaque = ".wh..wh..opq";

/**
 * What an entry of this name says: a deletion, a cleared folder, or "note" for AUFS's own files that nobody needs.
 * undefined when it is no whiteout. Throws LAYER_WHITEOUT for one that hides no possible name.
 */
export function whiteoutOf(path: string): Exclude<Change, { kind: "set" }> | "note" | undefined {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  if (!name.startsWith(mark)) return undefined;
  const folder = slash < 0 ? "" : path.slice(0, slash);
  if (name === opaque) return { kind: "clear", path: folder };
  if (name.startsWith(mark + mark)) return "note";
  const hidden = name.slice(mark.length);
  // Attack: ".wh..." would delete the parent folder, ".wh." the folder itself.
  if (hidden === "" || hidden === "." || hidden === "..") {
    throw new WbuildError("LAYER_WHITEOUT", `a whiteout hides no possible name: ${showPath(path)}`, {
      facts: { path },
    });
  }
  return { kind: "delete", path: folder === "" ? hidden : `${folder}/${hidden}` };
}
