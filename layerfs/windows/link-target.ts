/** Targets of symlinks and junctions: Windows' text, and what stands in for it on Linux' disk. Neither leads out of C:. */
import { windowsTarget as partsOfTarget } from "../tree/windows-path.ts";

/**
 * What a link at `path` (below C:) gets on disk for its Windows target: a relative link that cannot leave the folder that
 * is C:. A target elsewhere (another drive, a share) becomes one component that no file has: it leads nowhere.
 */
export function unixTarget(target: string, path: string): string {
  const found = partsOfTarget(target);
  // The attack: `D:/../../etc`. Without a slash it is a name in the link's own folder.
  if (found === undefined) return target.replaceAll("/", "\\") || "\\";
  const folder = path.split("/").slice(0, -1);
  const parts = found.rooted ? [] : [...folder];
  for (const part of found.parts) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return relative(folder, parts);
}

/** A relative path from a folder; both from C:\. */
function relative(folder: readonly string[], parts: readonly string[]): string {
  let same = 0;
  while (same < folder.length && same < parts.length && folder[same] === parts[same]) same++;
  return [...folder.slice(same).map(() => ".."), ...parts.slice(same)].join("/") || ".";
}

/** The Windows target of a link that a Linux program made at `path` below C:, or that unixTarget made. */
export function windowsTarget(target: string, path: string): string {
  if (target.includes("\\") || /^[A-Za-z]:/.test(target)) return target.replaceAll("/", "\\");
  const folder = path.split("/").slice(0, -1);
  // What climbs above C:\ would mean another folder to Windows' reader: it stops there.
  let depth = folder.length;
  const parts: string[] = target.startsWith("/") ? [""] : [];
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (depth === 0) continue;
      depth--;
    } else depth++;
    parts.push(part);
  }
  return parts.join("\\") || (target.startsWith("/") ? "\\" : ".");
}
