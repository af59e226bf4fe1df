/** What a Windows step left on disk and in its notes → the changes of its layer. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { readUpper } from "../../../layerfs/layer/overlay.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { driveFolder } from "../../../layerfs/tree/windows-path.ts";
import { takeAttributes } from "../../../layerfs/windows/dos-attributes.ts";
import { driveTree } from "../../../layerfs/windows/drive.ts";
import { windowsTarget } from "../../../layerfs/windows/link-target.ts";
import { fileAttribute, readMetadata, withMetadata } from "../../../layerfs/windows/metadata.ts";
import { foldPath } from "../../../layerfs/windows/names.ts";
import { showWindowsPath } from "../../../layerfs/windows/path.ts";
import { shapeLayer } from "../../../layerfs/windows/shape.ts";
import { WbuildError } from "../../../native/error.ts";
import { isOpaque } from "../layer-folders.ts";
import type { StepLayer } from "../runtime.ts";
import type { Account } from "./account.ts";
import { applyAccess } from "./apply-access.ts";
import type { LinkNote, Note } from "./journal.ts";
import { findBelow } from "./layer-files.ts";
import type { RegistryChanges } from "./registry/changes.ts";

export interface StepRemains {
  /** The overlay's upper folder. */
  readonly upper: string;
  /** What lies below, as the layers' tree. */
  readonly tree: Tree;
  readonly notes: readonly Note[];
  readonly registry: RegistryChanges;
  readonly account: Account;
  /** Lower folders that are not the image's: what is only there is nobody's change. */
  readonly own: readonly string[];
  /** SOURCE_DATE_EPOCH. */
  readonly epochSeconds?: number;
  readonly warn: (text: string) => void;
}

/** Throws WIN_* for what no Windows layer can hold, STEP_ACCOUNT for access given to an unknown account, WIN_DRIVE. */
export async function stepLayer(step: StepRemains): Promise<StepLayer> {
  const drive = driveTree(step.tree);
  const kept = await filterNoise(await driveChanges(step.upper), drive, step);
  const madeNs = BigInt(step.epochSeconds ?? Math.floor(Date.now() / 1000)) * 1_000_000_000n;
  const changes = new Map<string, Change>();
  for (const change of withLinks(kept, step.notes)) {
    const key = keyOf(change);
    // Linux may have `q` beside `Q`: neither is to vanish behind the other, so that both are refused below.
    changes.set(changes.has(key) ? `${key}\0${pathOf(change)}` : key, change);
  }
  for (const { path, bytes } of step.registry.files) {
    const isNew = !(await drive.stat((await drive.resolve(path)) ?? "\0"));
    changes.set(`set ${foldPath(path)}`, { kind: "set", entry: hiveFile(path, bytes, madeNs, isNew) });
  }
  await applyAccess(changes, drive, step.notes);
  for (const note of step.notes) {
    if (note.kind === "lost") step.warn(`${note.key} was changed, which no hive of an image holds: the change is lost`);
  }
  const input = await shapeLayer({
    changes: inOrder([...changes.values()]),
    below: step.tree,
    origin: "run",
    deltas: step.registry.deltas,
    madeNs,
    ...(step.epochSeconds === undefined ? {} : { epochSeconds: step.epochSeconds }),
    onDropped: ({ path, reason }) => step.warn(`${showWindowsPath(path)} is left out: ${reason}`),
  });
  return { input };
}

/** What the upper folder says of C:. Throws WIN_DRIVE. */
async function driveChanges(upper: string): Promise<Change[]> {
  const files = join(upper, driveFolder);
  const found = lstatSync(files, { throwIfNoEntry: false });
  if (!found) return [];
  // Attack: a program of the step, which can speak to Linux as well, puts a link to a folder of the host in the place of C:.
  // Inside it led nowhere; we would read the host's files into the image.
  if (found.isDirectory() && !(await isOpaque(files))) return readUpper(files);
  throw new WbuildError("WIN_DRIVE", "the step put something else in the place of C: itself, or deleted it", {
    hint: "what is in C:\\ may be changed and deleted, C:\\ not",
  });
}

/** A new one is hidden, as Windows makes it; one that is there keeps what it has. */
function hiveFile(path: string, bytes: Uint8Array, mtimeNs: bigint, isNew: boolean): Entry {
  const content = { kind: "bytes", bytes } as const;
  const entry: Entry = { path, type: "file", mode: 0o644, uid: 0, gid: 0, size: bytes.length, mtimeNs, content };
  const attributes = fileAttribute.archive | fileAttribute.hidden | fileAttribute.system;
  return isNew ? withMetadata(entry, { attributes }) : entry;
}

function keyOf(change: Change): string {
  const path = change.kind === "set" ? change.entry.path : change.path;
  return `${change.kind} ${foldPath(path)}`;
}

const pathOf = (change: Change) => (change.kind === "set" ? change.entry.path : change.path);

/** Parents before children; a folder's `clear` behind its `set`. */
function inOrder(changes: readonly Change[]): Change[] {
  const rank = { set: 0, clear: 1, delete: 0 };
  return changes
    .map((change) => ({ change, key: pathOf(change).replaceAll("/", "\0") }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : rank[a.change.kind] - rank[b.change.kind]))
    .map(({ change }) => change);
}

/** Folders of temporary files: what is in them is for the step alone. */
function temporaryFolders(account: Account): readonly string[] {
  return [`Users/${account.name}/AppData/Local/Temp`, `Users/${account.name}/Temp`, "Windows/Temp"].map(foldPath);
}

/**
 * Drops what is no change of the image: contents of the folders of temporary files, logs beside the profile's hives, folders
 * that were only copied up on the way to something, and deletions of what only Wine had.
 */
async function filterNoise(found: readonly Change[], drive: Tree, step: StepRemains): Promise<Change[]> {
  const temporary = temporaryFolders(step.account);
  let dropped = 0;
  const below = async (path: string) => drive.stat((await drive.resolve(path)) ?? "\0");
  const kept: Change[] = [];
  // From the last to the first: a folder is kept for what it holds.
  const needed = new Set<string>();
  for (const change of [...found].reverse()) {
    const path = pathOf(change);
    const folded = foldPath(path);
    if (temporary.some((folder) => folded.startsWith(`${folder}/`))) {
      if (change.kind === "set" && change.entry.type === "file") dropped++;
      continue;
    }
    const lower = await below(path);
    if (change.kind !== "set") {
      if (!lower) continue;
      kept.push(change);
    } else {
      const entry = takeAttributes(change.entry, lower, change.entry.mode);
      if (entry.type === "directory" && !needed.has(folded)) {
        if (lower?.type === "directory" ? !says(entry) : isOwn(step.own, path)) continue;
      }
      kept.push({ kind: "set", entry });
    }
    for (let at = folded.lastIndexOf("/"); at > 0; at = folded.lastIndexOf("/", at - 1))
      needed.add(folded.slice(0, at));
  }
  if (dropped > 0)
    step.warn(`${dropped} temporary files (in Temp folders) are not kept: they are no part of the image`);
  return kept.reverse();
}

/** A folder that Wine's own tree has, too. */
function isOwn(own: readonly string[], path: string): boolean {
  return own.some((folder) => findBelow(join(folder, "Files"), path.split("/")) !== undefined);
}

/** Of a folder only attributes count: times are set again by whatever happens below. */
function says(entry: Entry): boolean {
  return readMetadata(entry).attributes !== undefined;
}

/** Unix links get the target that Windows knows: as it was noted, else translated. */
function* withLinks(changes: readonly Change[], notes: readonly Note[]): Generator<Change> {
  const links = new Map<string, LinkNote>();
  for (const note of notes) if (note.kind === "link") links.set(foldPath(note.path), note);
  for (const change of changes) {
    if (change.kind !== "set" || change.entry.type !== "symlink") {
      yield change;
      continue;
    }
    const { entry } = change;
    const note = links.get(foldPath(entry.path));
    const target = note?.target ?? windowsTarget(entry.target ?? "", entry.path);
    const isFolder = note !== undefined && note.type !== "file";
    const attributes = fileAttribute.reparsePoint | (isFolder ? fileAttribute.directory : 0);
    yield {
      kind: "set",
      entry: withMetadata(
        { ...entry, target },
        { attributes, ...(note?.type === "junction" ? { mountpoint: true } : {}) },
      ),
    };
  }
}
