/** One entry as it is written into a Windows layer: where it lies, what it keeps of the layers below, what is new. */
import type { Entry } from "../layer/entry.ts";
import { driveFolder, resolveWindows } from "../tree/windows-path.ts";
import { takeAttributes } from "./dos-attributes.ts";
import type { Origin } from "./layer-content.ts";
import { unixTarget, windowsTarget } from "./link-target.ts";
import { fileAttribute, freshMetadata, keepMetadata, paxKey, readMetadata } from "./metadata.ts";

export interface DressOptions {
  readonly origin: Origin;
  readonly epochSeconds?: number;
  /** What is at a path below C: when the layer is there. */
  readonly look: (path: string) => Promise<Entry | undefined>;
}

/**
 * The entry for a path of the tar. `lower` is what it continues: of the same type it keeps metadata, and a folder's or link's
 * time. Undefined when a folder or link says nothing that `lower` does not.
 */
export async function dressEntry(
  set: Entry,
  path: string,
  lower: Entry | undefined,
  options: DressOptions,
): Promise<Entry | undefined> {
  const { inode: _inode, digest, uid: _uid, gid: _gid, ...rest } = set;
  const now: Entry = {
    ...rest,
    ...(digest === undefined ? {} : { digest }),
    path,
    uid: 0,
    gid: 0,
    mtimeNs: inSteps(set.mtimeNs),
    mode: set.type === "directory" ? 0o755 : 0o644,
  };
  // Names of one file have no metadata of their own; their targets are set right when all places are known.
  if (now.type === "hardlink") return now;
  const same = lower?.type === now.type ? lower : undefined;
  const told = options.origin === "run" ? takeAttributes({ ...now, mode: set.mode }, same, now.mode) : now;
  if (told.type === "symlink") return dressLink(told, same, options);
  if (same === undefined) return freshMetadata(told, options);
  const kept = { ...keepMetadata(same, told), mode: same.mode };
  if (told.type === "file") return kept;
  return saysNothing(told, same) ? undefined : { ...kept, mtimeNs: same.mtimeNs };
}

async function dressLink(now: Entry, lower: Entry | undefined, options: DressOptions): Promise<Entry | undefined> {
  const path = now.path.slice(driveFolder.length + 1);
  const target = now.target ?? "";
  if (lower?.target !== undefined && (target === lower.target || target === unixTarget(lower.target, path))) {
    const kept = { ...now, target: lower.target };
    return saysNothing(kept, lower) ? undefined : { ...keepMetadata(lower, kept), mode: lower.mode };
  }
  const entry = { ...now, target: windowsTarget(target, path), mode: 0o777 };
  const own = readMetadata(entry);
  const isKnown = own.mountpoint === true || own.attributes !== undefined;
  const toFolder = isKnown
    ? ((own.attributes ?? 0) & fileAttribute.directory) !== 0
    : await leadsToFolder(path, entry.target, options);
  return freshMetadata(entry, { ...options, toFolder });
}

/** Windows' links know whether they lead to a folder. One to nowhere, or in a circle, is taken for a file's. */
async function leadsToFolder(path: string, target: string, { look }: DressOptions): Promise<boolean> {
  const stat = async (at: string) => {
    const entry = at === path ? ({ path, type: "symlink", target } as const) : await look(at);
    return entry?.type === "symlink" ? { ...entry, target: windowsTarget(entry.target ?? "", at) } : entry;
  };
  try {
    const found = await resolveWindows(stat, path, true);
    if (found === undefined) return false;
    return found === "" || (await look(found))?.type === "directory";
  } catch {
    return false;
  }
}

/** No record of its own that is not below already. */
function saysNothing(now: Entry, lower: Entry): boolean {
  for (const [key, value] of now.pax ?? []) {
    if (!key.startsWith("MSWINDOWS.") && key !== paxKey.creation) continue;
    const there = lower.pax?.get(key);
    if (there === undefined || !Buffer.from(there).equals(value)) return false;
  }
  return true;
}

/** Windows counts 100 ns; what is finer would differ once it was there. */
function inSteps(ns: bigint): bigint {
  return ns - (((ns % 100n) + 100n) % 100n);
}
