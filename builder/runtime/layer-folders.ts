/** Unpacked layers in overlayfs form, looked into without mounting them: enough of a tree to read an image's accounts. */
import { constants, lstatSync, readlinkSync, type Stats } from "node:fs";
import { open } from "node:fs/promises";
import type { Entry, EntryType } from "../../layerfs/layer/entry.ts";
import type { AccountsTree } from "../../layerfs/tree/accounts.ts";
import { resolveUnix } from "../../layerfs/tree/unix-path.ts";
import { decodeWalk, walkFolder } from "../../native/addon/addon.ts";

const opaque = ["SCHILY.xattr.trusted.overlay.opaque", "SCHILY.xattr.user.overlay.opaque"];

function lstat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** 0/0 character devices hide what lies below (Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"). */
function isWhiteout(found: Stats): boolean {
  return found.isCharacterDevice() && found.rdev === 0;
}

/** Whether a real folder of a layer hides what lies below it. */
export async function isOpaque(folder: string): Promise<boolean> {
  const [self] = decodeWalk((await walkFolder(folder, { depth: "one", xattrs: true, self: true })).records);
  return opaque.some((name) => self?.pax?.has(name) === true);
}

function typeOf(found: Stats): EntryType {
  if (found.isDirectory()) return "directory";
  if (found.isSymbolicLink()) return "symlink";
  if (found.isFile()) return "file";
  if (found.isFIFO()) return "fifo";
  return found.isBlockDevice() ? "block" : "character";
}

/**
 * A path below several folders, topmost first. The path is one that resolveUnix() has walked: each of its folders is a real folder
 * of the merged view, so no link can lead out of a layer's folder.
 */
async function find(folders: readonly string[], path: string): Promise<{ at: string; found: Stats } | undefined> {
  let open = folders;
  const parts = path.split("/");
  for (const [index, part] of parts.entries()) {
    const next: string[] = [];
    const isLast = index === parts.length - 1;
    for (const folder of open) {
      const at = `${folder}/${part}`;
      const found = lstat(at);
      if (found === undefined) continue;
      if (isWhiteout(found)) break;
      if (isLast) return { at, found };
      if (!found.isDirectory()) break;
      next.push(at);
      // Asked only where a layer below has the folder too: it costs a look at every name in it.
      if (folder !== open.at(-1) && (await isOpaque(at))) break;
    }
    if (next.length === 0) return undefined;
    open = next;
  }
  return undefined;
}

/** `folders` are absolute, bottom first. */
export function layerFoldersTree(folders: readonly string[]): AccountsTree {
  const topFirst = folders.toReversed();
  const places = new Map<string, string>();
  const stat = async (path: string): Promise<Entry | undefined> => {
    if (path === "") {
      return { path: "", type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
    }
    const place = await find(topFirst, path);
    if (place === undefined) return undefined;
    const { at, found } = place;
    const type = typeOf(found);
    places.set(path, at);
    return {
      path,
      type,
      mode: found.mode & 0o7777,
      uid: found.uid,
      gid: found.gid,
      size: type === "file" ? found.size : 0,
      mtimeNs: BigInt(Math.trunc(found.mtimeMs)) * 1_000_000n,
      ...(type === "symlink" ? { target: readlinkSync(at) } : {}),
    };
  };
  return {
    stat,
    resolve: (path, follow = false) => resolveUnix(stat, path, follow),
    async *read(entry) {
      const at = places.get(entry.path);
      if (at === undefined) return;
      // Attack: a link, or a fifo that never ends, in the place of the file.
      const file = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        if ((await file.stat()).isFile()) yield* file.createReadStream({ autoClose: false });
      } finally {
        await file.close();
      }
    },
  };
}
