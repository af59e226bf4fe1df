/** Single files in a stack of unpacked Windows layers, found without case and without following a link. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { upcase } from "../../../layerfs/hive/upcase.ts";
import { WbuildError } from "../../../native/error.ts";

/** A hive is under 2 GiB by format; what is larger than this is no registry that anybody runs. */
const largestFile = 512 << 20;

/** The path of `parts` below a folder, as it is spelled there; undefined when a part is missing or its parent no folder. */
export function findBelow(folder: string, parts: readonly string[]): string | undefined {
  let at = folder;
  for (const part of parts) {
    // Attack: a layer with `Files` or `Windows` as a link would have us read the host's files.
    if (!lstatSync(at, { throwIfNoEntry: false })?.isDirectory()) return undefined;
    const exact = join(at, part);
    if (lstatSync(exact, { throwIfNoEntry: false })) {
      at = exact;
      continue;
    }
    const wanted = upcase(part);
    const found = readdirSync(at).find((name) => upcase(name) === wanted);
    if (found === undefined) return undefined;
    at = join(at, found);
  }
  return at;
}

/** "hidden": a whiteout stands there, so nothing below counts. */
export type Found = { readonly path: string } | "hidden" | undefined;

/** What one layer says of a regular file. */
export function fileIn(folder: string, path: string): Found {
  const at = findBelow(folder, path.split("/"));
  if (at === undefined) return undefined;
  const info = lstatSync(at);
  if (info.isCharacterDevice()) return "hidden";
  return info.isFile() ? { path: at } : undefined;
}

/** The topmost layer's file of that path; folders are bottom first. */
export function topmost(folders: readonly string[], path: string): string | undefined {
  for (const folder of folders.toReversed()) {
    const found = fileIn(folder, path);
    if (found === "hidden") return undefined;
    if (found) return found.path;
  }
  return undefined;
}

/** Bytes of a regular file; undefined when there is none. Throws WIN_HIVE_SIZE for one that is too large to be a hive. */
export function readBytes(path: string): Buffer | undefined {
  // Attack: a layer with a link to the host, a device or a pipe in place of a hive's log.
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return undefined;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    if (size > largestFile) {
      throw new WbuildError("WIN_HIVE_SIZE", `${path} has ${size} bytes; a registry hive of an image has fewer`, {
        facts: { path, size, most: largestFile },
      });
    }
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}
