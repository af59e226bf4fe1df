/**
 * How Windows walks a path below C:: names without case, symlinks and junctions with Windows' targets, ".." taken off
 * before anything is looked up (Win32, "Naming Files, Paths, and Namespaces"; "Symbolic Link Effects on File Systems").
 */
import { WbuildError } from "../../native/error.ts";
import { upcase } from "../hive/upcase.ts";
import type { Entry } from "../layer/entry.ts";
import type { NameRule } from "./merge.ts";
import { joinPath } from "./names.ts";

/** As many as Windows follows in one path. */
const maxLinks = 63;
/** The longest path of Windows. Attack: links that each repeat themselves make a path grow without end. */
const maxPath = 32_767;

/** Where the drive's files lie in a Windows layer. */
export const driveFolder = "Files";

/**
 * One name for all spellings. The trees of a layer (Files, Hives, UtilityVM) keep their case, as the importers have it.
 * Streams (`a.txt:s`) and names with a backslash, which a hostile tar may hold, are no files: the tree does not show them.
 */
export const windowsNames: NameRule = {
  key: (name, depth) => (depth === 0 ? name : upcase(name)),
  hides: (path) => path.includes(":") || path.includes("\\"),
};

/** A link's target, split: from C:\ or from the link's folder. Undefined when it leads to another drive, a share or a volume. */
export function windowsTarget(target: string): { readonly rooted: boolean; readonly parts: string[] } | undefined {
  let text = target.replaceAll("/", "\\");
  const verbatim = /^\\(?:\\\?|\?\?|\\\.)\\/.exec(text)?.[0].length ?? 0;
  const drive = /^([A-Za-z]):(?:\\|$)/.exec(text.slice(verbatim));
  if (drive !== null) {
    if (drive[1]?.toUpperCase() !== "C") return undefined;
    text = text.slice(verbatim + 2);
    return { rooted: true, parts: text.split("\\") };
  }
  if (verbatim > 0 || text.startsWith("\\\\") || text.includes(":") || text === "") return undefined;
  return { rooted: text.startsWith("\\"), parts: text.split("\\") };
}

/** What is looked at on the way: a path below C: in any spelling → the entry there, whose own path has the right one. */
export type DriveStat = (path: string) => Promise<Pick<Entry, "path" | "type" | "target"> | undefined>;

/**
 * The path, as spelled, of what a '/'-separated path below C: leads to; undefined when a component is missing, is no
 * folder, or a link leads to another drive. The last component's link is followed with `follow`. ".." stops at C:\. With
 * `missing: "keep"` what is not there stays as written: the path at which something is to be made. Throws TREE_LOOP.
 */
export async function resolveWindows(
  stat: DriveStat,
  path: string,
  follow: boolean,
  { missing = "refuse" }: { readonly missing?: "refuse" | "keep" } = {},
): Promise<string | undefined> {
  let ahead = lexical([], path.split("/")).reverse();
  let here = "";
  let links = 0;
  while (ahead.length > 0) {
    const part = ahead.pop() as string;
    const next = here === "" ? part : `${here}/${part}`;
    if (ahead.length + next.length > maxPath) return undefined;
    const entry = await stat(next);
    if (entry === undefined) {
      if (missing === "refuse") return undefined;
      here = next;
      continue;
    }
    if (entry.type === "symlink" && (ahead.length > 0 || follow)) {
      // The attack: a target of `..\..\..\etc` or `/etc`. It is read as Windows reads it, and nothing is above C:\.
      const target = windowsTarget(entry.target ?? "");
      if (target === undefined) return undefined;
      if (++links > maxLinks) {
        throw new WbuildError("TREE_LOOP", `too many links in ${JSON.stringify(path.slice(0, 300))}`, {
          facts: { path: path.slice(0, 300), links },
        });
      }
      const folder = target.rooted || here === "" ? [] : here.split("/");
      ahead = [...ahead, ...lexical(folder, target.parts).reverse()];
      here = "";
      continue;
    }
    if (ahead.length > 0 && entry.type !== "directory" && missing === "refuse") return undefined;
    here = joinPath(here, lastOf(entry.path));
  }
  return here;
}

/**
 * The same for a path of a layer's tree: within `Files/`, which no link leaves; `Hives/…` and `UtilityVM/…` have no links that
 * count. Throws TREE_LOOP.
 */
export async function resolveInWindowsLayer(
  stat: DriveStat,
  path: string,
  follow: boolean,
): Promise<string | undefined> {
  const [tree = "", ...parts] = path.split("/").filter((part) => part !== "" && part !== ".");
  if (tree !== driveFolder) return (await stat(lexical([], path.split("/")).join("/")))?.path;
  if ((await stat(driveFolder)) === undefined) return undefined;
  const found = await resolveWindows((at) => stat(joinPath(driveFolder, at)), parts.join("/"), follow);
  return found === undefined ? undefined : joinPath(driveFolder, found);
}

/** Takes "." and ".." off. */
function lexical(from: readonly string[], parts: readonly string[]): string[] {
  const out = [...from];
  for (const part of parts) {
    if (part === "..") out.pop();
    else if (part !== "" && part !== ".") out.push(part);
  }
  return out;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
