/**
 * normalizeUnpacked: a Windows layer's folder, as unpackLayer left it, made fit for an overlay that Wine runs on: names as the
 * layers below spell them, links that Linux follows, modes and attributes as Wine keeps them. The layer is hostile.
 */
import { chmodSync, lchownSync, lstatSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { makeNode, setXattr } from "../../native/addon/addon.ts";
import { nameOfBytes } from "../../native/addon/raw-bytes.ts";
import { isWbuildError } from "../../native/error.ts";
import type { Change, Entry } from "../layer/entry.ts";
import { joinPath } from "../tree/names.ts";
import type { Tree } from "../tree/tree.ts";
import { driveFolder, windowsTarget as partsOfTarget, windowsNames } from "../tree/windows-path.ts";
import { dosAttribute, dosText, modeFor } from "./dos-attributes.ts";
import { type DraftNode, draftOf, ownName } from "./draft.ts";
import { unixTarget } from "./link-target.ts";
import { attributesOf } from "./metadata.ts";
import { isThere, isWhiteout, nameOf, prune, raw, read, remove, settle } from "./spellings.ts";

/** A link that leads nowhere, in whatever folder it is: no file of Windows has this name. */
const nowhere = "\\";
/** Files between two looks at what else there is to do. */
const turn = 2000;

/**
 * `folder` is the layer in overlay form, `changes` its index, `below` the tree of the layers under it (names: "windows"), whose
 * folders are normalised already. Links are never followed, whatever the layer says; what no Windows file can be (streams,
 * devices, pipes) is removed. Doing it again changes nothing. Throws what the file system throws.
 */
export async function normalizeUnpacked(folder: string, changes: readonly Change[], below: Tree): Promise<void> {
  const draft = draftOf(changes, windowsNames.key);
  prune(folder, folder, draft, "");
  await new Normalizer(draft, below).folder(folder, draft, "", 0);
}

/** What lies in a folder under one name, in all its spellings. */
interface Group {
  readonly whiteouts: string[];
  readonly things: string[];
  isFolder?: boolean;
}

class Normalizer {
  readonly #draft: DraftNode;
  readonly #below: Tree;
  #left = turn;
  #hasXattrs = true;

  constructor(draft: DraftNode, below: Tree) {
    this.#draft = draft;
    this.#below = below;
  }

  /** `at` is a real folder; `lower` what the layers below have there, undefined when nothing of it shows. */
  async folder(at: string, node: DraftNode | undefined, lower: string | undefined, depth: number): Promise<void> {
    for (const [key, group] of this.#groups(at, depth)) {
      const child = node?.children.get(key);
      const name = group.things[0] ?? group.whiteouts[0] ?? "";
      const there = lower === undefined ? undefined : await this.#below.stat(joinPath(lower, name));
      const wanted = spelledAs(child, there) ?? name;
      const path = `${at}/${wanted}`;
      const hidden = there === undefined || child?.deleted === undefined ? undefined : lastOf(there.path);
      const isHiding = hidden !== undefined && !(group.things.length > 0 && wanted === hidden);
      for (const one of group.whiteouts) if (!isHiding || one !== hidden) remove(`${at}/${one}`);
      settle(at, group.things, child?.spellings ?? [], wanted);
      // Where names differ there may be none yet: for a whiteout and a folder of one spelling, unpacking made an opaque folder.
      if (isHiding && !isThere(`${at}/${hidden}`)) makeNode(`${at}/${hidden}`, "character", 0);
      if (group.isFolder) {
        // Spellings that came together may have lost the mark.
        const isRenewed = child?.deleted !== undefined || child?.cleared === true || there?.type !== "directory";
        if (isRenewed && there !== undefined) markOpaque(path);
        await this.folder(path, child, isRenewed ? undefined : there?.path, depth + 1);
      }
      await this.#dress(path, child, depth);
      await this.#pause();
    }
  }

  #groups(at: string, depth: number): Map<string, Group> {
    const groups = new Map<string, Group>();
    for (const found of read(at)) {
      const name = nameOf(found);
      const key = windowsNames.key(name, depth);
      const group = groups.get(key) ?? { whiteouts: [], things: [] };
      groups.set(key, group);
      if (isWhiteout(found, `${at}/${name}`)) group.whiteouts.push(name);
      else group.things.push(name);
      group.isFolder ||= found.isDirectory();
    }
    return groups;
  }

  /** Target, mode and attributes of what lies at a path now. */
  async #dress(path: string, child: DraftNode | undefined, depth: number): Promise<void> {
    const set = child?.set;
    const found = lstatSync(raw(path), { throwIfNoEntry: false });
    if (found === undefined || found.isCharacterDevice()) return;
    if (found.isSymbolicLink()) {
      const target = set?.type === "symlink" && depth > 0 ? await this.#target(set) : nowhere;
      if (nameOfBytes(readlinkSync(raw(path), "buffer")) === target) return;
      unlinkSync(raw(path));
      symlinkSync(raw(target), raw(path));
      lchownSync(raw(path), found.uid, found.gid);
      return;
    }
    // The other names of a file have no attributes; the file has them.
    if (set?.type === "hardlink") return;
    const attributes = set === undefined ? 0 : attributesOf(set);
    const text = dosText(attributes) ?? (set?.pax?.has(`SCHILY.xattr.${dosAttribute}`) ? "0x0" : undefined);
    const mode = modeFor(found.isDirectory() ? "directory" : "file", attributes);
    if (text !== undefined) {
      if (!(found.mode & 0o200)) chmodSync(raw(path), 0o644);
      this.#mark(path, text);
    }
    if ((found.mode & 0o7777) !== mode || text !== undefined) chmodSync(raw(path), mode);
  }

  #mark(path: string, text: string): void {
    if (!this.#hasXattrs) return;
    try {
      setXattr(path, dosAttribute, Buffer.from(text));
    } catch (error) {
      if (!isWbuildError(error) || !/ENOTSUP|EOPNOTSUPP|not supported/i.test(errorText(error))) throw error;
      // Hidden files are then seen; nothing else is lost.
      this.#hasXattrs = false;
    }
  }

  /** The target for Linux, with names as they are spelled on disk. */
  async #target(link: Entry): Promise<string> {
    const prefix = `${driveFolder}/`;
    if (!link.path.startsWith(prefix)) return nowhere;
    const path = await this.#spelled(link.path.slice(prefix.length));
    const target = link.target ?? "";
    if (partsOfTarget(target) === undefined) return unixTarget(target, path);
    // From C:\ on, so that each part can be looked up; then back to a link of the right length.
    const whole = unixTarget(rooted(target, path), "");
    return unixTarget(`\\${(await this.#spelled(whole === "." ? "" : whole)).replaceAll("/", "\\")}`, path);
  }

  /** A path below C: as the folder and those below it spell it; what is behind a link or not there stays as written. */
  async #spelled(path: string): Promise<string> {
    let node = this.#draft.children.get(driveFolder);
    let lower: string | undefined = driveFolder;
    const out: string[] = [];
    for (const part of path === "" ? [] : path.split("/")) {
      node = node?.children.get(windowsNames.key(part, 1));
      const there: Entry | undefined = lower === undefined ? undefined : await this.#below.stat(`${lower}/${part}`);
      out.push(spelledAs(node, there) ?? part);
      const isRenewed = node?.deleted !== undefined || node?.cleared === true;
      lower = isRenewed || there?.type !== "directory" ? undefined : there.path;
    }
    return out.join("/");
  }

  /** Lets others have their turn: a base image has a hundred thousand files. */
  async #pause(): Promise<void> {
    if (--this.#left > 0) return;
    this.#left = turn;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The name on disk: what is below keeps its spelling, unless the layer took it away first. */
function spelledAs(node: DraftNode | undefined, there: Entry | undefined): string | undefined {
  if (there !== undefined && (node === undefined || node.deleted === undefined)) return lastOf(there.path);
  return node === undefined || node.spellings.length === 0 ? undefined : ownName(node);
}

/** A target that counts from C:\, whatever it counted from. */
function rooted(target: string, path: string): string {
  const found = partsOfTarget(target);
  if (found === undefined || found.rooted) return target;
  const folder = path.split("/").slice(0, -1);
  return `\\${[...folder, ...found.parts].join("\\")}`;
}

/** As the unpacker marks it: in a user namespace only the other attribute may be set. */
function markOpaque(path: string): void {
  try {
    setXattr(path, "trusted.overlay.opaque", Buffer.from("y"));
  } catch {
    setXattr(path, "user.overlay.opaque", Buffer.from("y"));
  }
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function errorText(error: Error): string {
  return `${error.message} ${String(error.cause)} ${JSON.stringify((error as { facts?: unknown }).facts)}`;
}
