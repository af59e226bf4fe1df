/** The ids that /etc/subuid and /etc/subgid give an ordinary user besides their own, and the map made of them. */
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import type { LaunchOption } from "./launch.ts";
import { findProgram } from "./programs.ts";

export interface IdRange {
  readonly start: number;
  readonly count: number;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The ranges of /etc/subuid or /etc/subgid (see subuid(5)) that belong to a user, by name or by number. */
export function parseIdRanges(text: string, name: string, uid: number): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(":");
    const [owner, start, count] = [fields[0], Number(fields[1]), Number(fields[2])];
    if (fields.length !== 3 || (owner !== name && owner !== String(uid))) continue;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(count) || start < 0 || count <= 0) continue;
    if (start + count > 4294967295) continue;
    ranges.push({ start, count });
  }
  return ranges.slice(0, 18);
}

/** Triples for newuidmap: we are 0, the ranges follow from 1. */
export function mapArguments(self: number, ranges: readonly IdRange[]): number[] {
  const all = [0, self, 1];
  let inside = 1;
  for (const { start, count } of ranges) {
    all.push(inside, start, count);
    inside += count;
  }
  return all;
}

/** The ranges of this user, and the programs that map them; a user without a name in /etc/passwd has none. */
export function ownIdRanges(): { uids: IdRange[]; gids: IdRange[]; newuidmap?: string; newgidmap?: string } {
  const uid = process.getuid?.() ?? 0;
  let name = "";
  try {
    name = userInfo().username;
  } catch {
    // newuidmap refuses to work for a uid without a passwd entry, also where ranges name it by number.
    return { uids: [], gids: [] };
  }
  const newuidmap = findProgram("newuidmap");
  const newgidmap = findProgram("newgidmap");
  return {
    uids: parseIdRanges(textOf("/etc/subuid"), name, uid),
    gids: parseIdRanges(textOf("/etc/subgid"), name, uid),
    ...(newuidmap === undefined ? {} : { newuidmap }),
    ...(newgidmap === undefined ? {} : { newgidmap }),
  };
}

/** Options for the launcher that map all of this user's ids; none where there is a single one. */
export function ownIdMap(): LaunchOption[] {
  const { uids, gids, newuidmap, newgidmap } = ownIdRanges();
  if (uids.length === 0 || gids.length === 0 || newuidmap === undefined || newgidmap === undefined) return [];
  return [
    ["map.newuidmap", newuidmap],
    ["map.newgidmap", newgidmap],
    ...mapArguments(process.getuid?.() ?? 0, uids).map((value): LaunchOption => ["map.uid", value]),
    ...mapArguments(process.getgid?.() ?? 0, gids).map((value): LaunchOption => ["map.gid", value]),
  ];
}
