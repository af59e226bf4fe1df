/** Hard links of a Windows layer: the file comes before its other names, or lies in the layers below. */
import { WbuildError } from "../../native/error.ts";
import { upcase } from "../hive/upcase.ts";
import type { Change, Entry } from "../layer/entry.ts";
import { joinPath } from "../tree/names.ts";
import type { Tree } from "../tree/tree.ts";
import { driveFolder } from "../tree/windows-path.ts";
import { shown } from "./layer-content.ts";

/**
 * The changes with hard links, whose targets are below C:, made to point at paths of the tar. Where a link sorts before its file
 * it becomes the file, and the file's place a link to it. Throws WIN_LINK for a link to nothing.
 */
export async function orderLinks(changes: Change[], below: Tree): Promise<Change[]> {
  const places = new Map<string, number>();
  let links = 0;
  for (const [at, change] of changes.entries()) {
    if (change.kind === "set") {
      places.set(upcase(change.entry.path), at);
      if (change.entry.type === "hardlink") links++;
    }
  }
  if (links === 0) return changes;
  const whiteouts = new Set(changes.flatMap((change) => (change.kind === "delete" ? [upcase(change.path)] : [])));
  const out = [...changes];
  /** Of a file whose first name is a link: where the file is now. */
  const moved = new Map<number, string>();
  for (const [at, change] of changes.entries()) {
    if (change.kind !== "set" || change.entry.type !== "hardlink") continue;
    const { entry } = change;
    const wanted = joinPath(driveFolder, entry.target ?? "");
    const place = places.get(upcase(wanted));
    const file = place === undefined ? undefined : changes[place];
    if (place === undefined || file?.kind !== "set") {
      const lower = isHidden(wanted, whiteouts) ? undefined : await below.stat(wanted);
      if (lower?.type !== "file") throw toNothing(entry);
      out[at] = { kind: "set", entry: linkTo(entry, lower.path) };
      continue;
    }
    if (file.entry.type !== "file") throw toNothing(entry);
    const now = moved.get(place);
    if (place > at && now === undefined) {
      moved.set(place, entry.path);
      out[at] = { kind: "set", entry: { ...file.entry, path: entry.path } };
      out[place] = { kind: "set", entry: linkTo(file.entry, entry.path) };
    } else out[at] = { kind: "set", entry: linkTo(entry, now ?? file.entry.path) };
  }
  return out;
}

function isHidden(path: string, whiteouts: ReadonlySet<string>): boolean {
  let at = upcase(path);
  while (at.includes("/")) {
    if (whiteouts.has(at)) return true;
    at = at.slice(0, at.lastIndexOf("/"));
  }
  return false;
}

/** As Windows writes one: no records of its own. */
function linkTo({ path, mtimeNs }: Entry, target: string): Entry {
  return { path, type: "hardlink", mode: 0o644, uid: 0, gid: 0, size: 0, mtimeNs, target };
}

function toNothing(entry: Entry): WbuildError {
  const path = entry.path.slice(driveFolder.length + 1);
  return new WbuildError(
    "WIN_LINK",
    `${shown(path)} is a hard link to ${shown(entry.target ?? "")}, where no file is`,
    {
      facts: { path, target: entry.target },
    },
  );
}
