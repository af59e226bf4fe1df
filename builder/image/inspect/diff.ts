/** What differs between two trees, path by path, as `docker diff` tells it. Pure but for reading files' digests. */
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { compareNames, parentOf } from "../../../layerfs/tree/names.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { readMetadata } from "../../../layerfs/windows/metadata.ts";
import { showWindowsPath } from "../../../layerfs/windows/path.ts";

export interface Difference {
  /** Absolute, with '/' between; of Windows images `C:\app\x`. */
  readonly path: string;
  readonly kind: "added" | "changed" | "deleted";
  /** What of it differs, for `changed`: content, mode, owner, type, target, attributes; of Windows images security. */
  readonly what: readonly string[];
  /** Bytes of a file, before and after. */
  readonly before?: number;
  readonly after?: number;
}

/** One for all: hundreds of thousands of files may differ. */
const nothing: readonly string[] = [];

/** How a system compares and shows files: on Windows names without case, drive C:, and metadata of its own. */
interface View {
  shown(path: string): string;
  metadata(was: Entry, now: Entry): string[];
}

const linux: View = {
  shown: (path) => `/${path}`,
  metadata(was, now) {
    const what: string[] = [];
    if (was.mode !== now.mode) what.push("mode");
    if (was.uid !== now.uid || was.gid !== now.gid) what.push("owner");
    if (was.device?.major !== now.device?.major || was.device?.minor !== now.device?.minor) what.push("device");
    if (attributes(was) !== attributes(now)) what.push("attributes");
    return what;
  },
};

const windows: View = {
  shown: showWindowsPath,
  metadata(was, now) {
    const [before, after] = [readMetadata(was), readMetadata(now)];
    const what: string[] = [];
    if (before.attributes !== after.attributes) what.push("attributes");
    if (Buffer.compare(before.security ?? Buffer.of(), after.security ?? Buffer.of()) !== 0) what.push("security");
    return what;
  },
};

/**
 * In byte order of the paths. Times alone are no difference: each build of a file has another. `os` windows: the trees are
 * those of drive C: (driveTree).
 */
export async function diffTrees(before: Tree, after: Tree, os = "linux"): Promise<Difference[]> {
  const view = os === "windows" ? windows : linux;
  const found: Difference[] = [];
  for (const entry of await eachOf(after)) {
    if (entry.path === "") continue;
    const was = await before.stat(entry.path);
    const path = view.shown(entry.path);
    if (!was) found.push({ path, kind: "added", what: nothing, ...sizes(undefined, entry) });
    else {
      const what = await differing(before, was, after, entry, view);
      if (what.length > 0) found.push({ path, kind: "changed", what, ...sizes(was, entry) });
    }
  }
  // A folder that is gone says all: what was in it is not listed again.
  for (const entry of await eachOf(before))
    if (entry.path !== "" && !(await after.stat(entry.path)) && (await isIn(after, parentOf(entry.path))))
      found.push({ path: view.shown(entry.path), kind: "deleted", what: nothing, ...sizes(entry, undefined) });
  return found.sort(byPath);
}

/** All of a tree, the root first. */
async function eachOf(tree: Tree): Promise<Iterable<Entry>> {
  return (await tree.each?.("")) ?? tree.walk("");
}

async function isIn(tree: Tree, path: string): Promise<boolean> {
  return path === "" || (await tree.stat(path)) !== undefined;
}

function byPath(a: Difference, b: Difference): number {
  return compareNames(a.path, b.path);
}

/**
 * What one layer says it changes, given the tree below it. A folder that is only passed through is no change. `os` windows:
 * the tree and the changes are those of drive C:.
 */
export async function diffLayer(below: Tree, changes: Iterable<Change>, os = "linux"): Promise<Difference[]> {
  const view = os === "windows" ? windows : linux;
  const found: Difference[] = [];
  for (const change of changes) {
    const path = change.kind === "set" ? change.entry.path : change.path;
    if (path === "") continue;
    const shown = view.shown(path);
    const was = await below.stat(path);
    if (change.kind === "set") {
      const { entry } = change;
      if (!was) found.push({ path: shown, kind: "added", what: nothing, ...sizes(undefined, entry) });
      else {
        const what = entry.type === "file" ? ["content"] : await differing(below, was, below, entry, view);
        if (what.length > 0) found.push({ path: shown, kind: "changed", what, ...sizes(was, entry) });
      }
    } else if (was && change.kind === "delete") {
      found.push({ path: shown, kind: "deleted", what: nothing, ...sizes(was, undefined) });
    } else if (was)
      for (const child of await below.list(path))
        found.push({ path: view.shown(child.path), kind: "deleted", what: nothing, ...sizes(child, undefined) });
  }
  return found.sort(byPath);
}

/** One line as `docker diff` prints it. A newline in a name is shown as \n, lest the name forge lines of its own. */
export function diffLine(difference: Difference): string {
  return `${{ added: "A", changed: "C", deleted: "D" }[difference.kind]} ${difference.path.replaceAll("\n", "\\n")}`;
}

async function differing(before: Tree, was: Entry, after: Tree, now: Entry, view: View): Promise<string[]> {
  if (was.type !== now.type) return ["type"];
  const what: string[] = [];
  if (was.type === "file" && (was.size !== now.size || !(await haveSameBytes(before, was, after, now))))
    what.push("content");
  what.push(...view.metadata(was, now));
  if (was.target !== now.target && was.type === "symlink") what.push("target");
  return what;
}

/** Files of a layer that both trees have lie at one place: nobody needs to read them. */
async function haveSameBytes(before: Tree, was: Entry, after: Tree, now: Entry): Promise<boolean> {
  if (was.digest !== undefined && now.digest !== undefined) return was.digest === now.digest;
  const place = await placeOf(was);
  if (place !== undefined && place === (await placeOf(now))) return true;
  return (await before.digest(was)) === (await after.digest(now));
}

async function placeOf({ content }: Entry): Promise<string | undefined> {
  if (content?.kind === "file") return content.path;
  return content?.kind === "stream" ? await content.file?.() : undefined;
}

function attributes(entry: Entry): string {
  const pairs = [...(entry.pax ?? [])].filter(([key]) => key.startsWith("SCHILY.xattr."));
  return JSON.stringify(pairs.map(([key, value]) => [key, Buffer.from(value).toString("hex")]).sort());
}

function sizes(before: Entry | undefined, after: Entry | undefined): { before?: number; after?: number } {
  return {
    ...(before?.type === "file" ? { before: before.size } : {}),
    ...(after?.type === "file" ? { after: after.size } : {}),
  };
}
