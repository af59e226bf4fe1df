/**
 * readUpper: what an overlay's upper folder says, as changes (Linux, Documentation/filesystems/overlayfs.rst, "whiteouts
 * and opaque directories"). The kernel's own marks end here; nothing of overlayfs reaches a layer.
 */
import { decodeWalk, type WalkedEntry, walkFolder } from "../../native/addon/addon.ts";
import { upperRecords } from "../../native/addon/bulk.ts";
import { decodeRecords } from "../../native/addon/records.ts";
import { WbuildError } from "../../native/error.ts";
import type { Change, Entry } from "./entry.ts";
import { showPath } from "./raw-path.ts";
import type { RecordBatch } from "./write.ts";

const xattr = "SCHILY.xattr.";
const opaqueNames = [`${xattr}trusted.overlay.opaque`, `${xattr}user.overlay.opaque`];
const whiteoutNames = [`${xattr}trusted.overlay.whiteout`, `${xattr}user.overlay.whiteout`];
const overlayMark = /^SCHILY\.xattr\.(?:trusted|user)\.overlay\./;
/** Attributes that belong to files wherever they are. Labels, ACLs by host ids and the like belong to this host. */
const portable = /^SCHILY\.xattr\.(?:user\.|security\.capability$)/;

/** A range of ids: `count` ids from `inside` on are `outside` and following on this host. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export interface UpperOptions {
  /** When the files belong to ids of a user namespace: how to get back to the ids inside. */
  readonly ids?: { readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };
}

/**
 * The changes of an upper folder, in layer order, each regular file with its content as a path on this host.
 * Files with several names become one file and hard links to it. Sockets are left out: no layer can hold them.
 * Throws LAYER_IO, and LAYER_OVERLAY for a folder that was mounted with redirect_dir or metacopy.
 */
export async function readUpper(folder: string, options: UpperOptions = {}): Promise<Change[]> {
  const { records } = await walkFolder(folder, { xattrs: true });
  const firstNames = new Map<string, string>();
  const changes: Change[] = [];
  for (const found of decodeWalk(records)) {
    if (isWhiteout(found)) {
      changes.push({ kind: "delete", path: found.path });
      continue;
    }
    refuseReferences(found);
    changes.push({ kind: "set", entry: entryOf(found, folder, options, firstNames) });
    if (found.type === "directory" && isMarked(found, opaqueNames)) changes.push({ kind: "clear", path: found.path });
  }
  return changes;
}

/** An upper folder that was walked: for the layer writer in one piece, for others as a list when they ask. */
export interface UpperSweep {
  readonly batch: RecordBatch;
  changes(): readonly Change[];
}

/** What readUpper gives, without an object per file until `changes` is called. Throws what readUpper throws. */
export async function sweepUpper(folder: string): Promise<UpperSweep> {
  const { records } = await walkFolder(folder, { xattrs: true });
  const layer = upperRecords(records, folder);
  let list: readonly Change[] | undefined;
  return {
    batch: { kind: "records", records: [layer] },
    changes: () => {
      list ??= decodeRecords(layer).map((change) => withContent(change, folder));
      return list;
    },
  };
}

function withContent(change: Change, folder: string): Change {
  if (change.kind !== "set" || change.entry.type !== "file") return change;
  return { kind: "set", entry: { ...change.entry, content: { kind: "file", path: `${folder}/${change.entry.path}` } } };
}

function entryOf(found: WalkedEntry, folder: string, options: UpperOptions, firstNames: Map<string, string>): Entry {
  const { path, type, mode, mtimeNs, size, target, device, ino, dev, nlink } = found;
  const uid = inside(found.uid, options.ids?.uids);
  const gid = inside(found.gid, options.ids?.gids);
  const pax = portablePax(found.pax);
  const plain = { path, mode, uid, gid, mtimeNs, ...(pax === undefined ? {} : { pax }) };
  if (nlink > 1 && type !== "directory") {
    const key = `${dev}:${ino}`;
    const first = firstNames.get(key);
    if (first !== undefined) return { path, mode, uid, gid, mtimeNs, type: "hardlink", size: 0, target: first };
    firstNames.set(key, path);
  }
  return {
    ...plain,
    type,
    size,
    ...(target === undefined ? {} : { target }),
    ...(device === undefined ? {} : { device }),
    ...(type === "file" ? { content: { kind: "file" as const, path: `${folder}/${path}` } } : {}),
  };
}

/** With redirect_dir or metacopy an upper folder is only half of the story: the rest lies in the lower ones, by name. */
function refuseReferences(found: WalkedEntry): void {
  for (const key of found.pax?.keys() ?? []) {
    if (!/\.overlay\.(?:redirect|metacopy)$/.test(key)) continue;
    throw new WbuildError("LAYER_OVERLAY", `${showPath(found.path)} in the overlay only refers to a lower file`, {
      facts: { path: found.path, attribute: key.slice(xattr.length) },
      hint: "mount the overlay with redirect_dir=off,metacopy=off",
    });
  }
}

function isWhiteout(found: WalkedEntry): boolean {
  if (found.type === "character") return found.device?.major === 0 && found.device.minor === 0;
  // The other form, for where devices cannot be made: an empty file with the mark.
  return found.type === "file" && found.size === 0 && isMarked(found, whiteoutNames, "");
}

function isMarked(found: WalkedEntry, names: readonly string[], value = "y"): boolean {
  return names.some((name) => {
    const mark = found.pax?.get(name);
    return mark !== undefined && (value === "" || Buffer.from(mark).toString("latin1") === value);
  });
}

function portablePax(pax: ReadonlyMap<string, Uint8Array> | undefined): ReadonlyMap<string, Uint8Array> | undefined {
  if (pax === undefined) return undefined;
  const out = new Map<string, Uint8Array>();
  for (const [key, value] of pax) {
    if (!portable.test(key) || overlayMark.test(key)) continue;
    out.set(key, key.endsWith(".capability") ? withoutRootId(value) : value);
  }
  return out.size === 0 ? undefined : out;
}

/**
 * File capabilities of revision 3 name the host's id of the namespace's root (capabilities(7), "File capability
 * extended attribute versioning"); in an image that would be a host id. Revision 2 is the same without it.
 */
function withoutRootId(value: Uint8Array): Uint8Array {
  if (value.length !== 24 || value[3] !== 3) return value;
  const out = Uint8Array.prototype.slice.call(value, 0, 20);
  out[3] = 2;
  return out;
}

function inside(id: number, ranges: readonly IdRange[] | undefined): number {
  if (ranges === undefined) return id;
  for (const range of ranges) {
    if (id >= range.outside && id < range.outside + range.count) return id - range.outside + range.inside;
  }
  return id;
}
