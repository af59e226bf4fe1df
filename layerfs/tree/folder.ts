/** A folder of this host as a tree: the build context. Links stay links; what an ignore rule hides is not there. */
import { createHash } from "node:crypto";
import { lstat, readlink } from "node:fs/promises";
import { decodeWalk, digestFiles, getXattrs, type WalkedEntry, walkFolder } from "../../native/addon/addon.ts";
import { bytesOfName, nameOfBytes } from "../../native/addon/raw-bytes.ts";
import { hasHardLinks } from "../../native/addon/records.ts";
import type { Entry, EntryType } from "../layer/entry.ts";
import type { Digest } from "../store/digest.ts";
import { isMissing, storeError } from "../store/failure.ts";
import { noContent, readInside } from "./content.ts";
import { FolderSweep } from "./folder-sweep.ts";
import { joinPath, parentOf, partsOf } from "./names.ts";
import { type IgnoreRule, siftEntries, siftRecords } from "./sift.ts";
import type { Tree } from "./tree.ts";
import { resolveUnix } from "./unix-path.ts";

export interface FolderTree extends Tree {
  /** Digest over all that lstat tells of what `walk(path)` gives; no file is read. Equal stamps: nothing was touched. */
  stamp(path: string): Promise<Digest>;
  /**
   * All that lies below a folder, in one piece; undefined for what is no folder, where ignore rules hold, and where a file
   * has two names.
   */
  sweep(path: string): Promise<FolderSweep | undefined>;
}

/** Entries of a folder tree tell also what identifies the file on this host. Owners are 0:0, as in every build context. */
export type FolderEntry = Entry & Pick<WalkedEntry, "ino" | "dev" | "ctimeNs" | "nlink">;

/**
 * The tree of a folder; `root` must be a real path. Walks are done once and remembered: the tree is the folder as it was
 * when first looked at. Throws LAYER_IO, with the path, for what cannot be read.
 */
export function folderTree(root: string, options: { ignore?: IgnoreRule } = {}): FolderTree {
  return new Folder(root, options.ignore);
}

class Folder implements FolderTree {
  readonly #root: string;
  readonly #ignore: IgnoreRule | undefined;
  readonly #walks = new Map<string, Promise<readonly FolderEntry[]>>();
  readonly #digests = new Map<string, Promise<Digest>>();
  readonly #inodes = new Map<string, object>();
  readonly #folders = new Map<string, Promise<boolean>>([["", Promise.resolve(true)]]);

  constructor(root: string, ignore: IgnoreRule | undefined) {
    this.#root = root === "/" ? "" : root;
    this.#ignore = ignore;
  }

  resolve(path: string, follow = false): Promise<string | undefined> {
    return resolveUnix((at) => this.stat(at), path, follow);
  }

  async stat(path: string): Promise<FolderEntry | undefined> {
    const parts = partsOf(path);
    for (let i = 1; i < parts.length; i++) {
      if (this.#ignore?.(parts.slice(0, i).join("/"), true) === "prune") return undefined;
    }
    const entry = await this.#lstat(path);
    if (entry === undefined || this.#ignore === undefined || path === "") return entry;
    const rule = this.#ignore(path, entry.type === "directory");
    if (rule === "keep") return entry;
    if (rule === "prune" || entry.type !== "directory") return undefined;
    return (await this.walk(path)).length > 0 ? entry : undefined;
  }

  async list(path: string): Promise<readonly Entry[]> {
    if ((await this.stat(path))?.type !== "directory") return [];
    const children = await this.#children(path);
    const shown = await Promise.all(
      children.map(async (child) => {
        if (this.#ignore === undefined) return child;
        const rule = this.#ignore(child.path, child.type === "directory");
        if (rule === "keep") return child;
        return rule === "drop" && child.type === "directory" ? this.stat(child.path) : undefined;
      }),
    );
    return shown.filter((child) => child !== undefined);
  }

  walk(path: string): Promise<readonly FolderEntry[]> {
    let walk = this.#walks.get(path);
    if (walk === undefined) {
      walk = this.#walk(path);
      this.#walks.set(path, walk);
      walk.catch(() => this.#walks.delete(path));
    }
    return walk;
  }

  async #walk(path: string): Promise<readonly FolderEntry[]> {
    for (let above = path; above !== ""; ) {
      above = parentOf(above);
      const wider = this.#walks.get(above);
      if (wider === undefined) continue;
      return (await wider).filter((entry) => entry.path === path || entry.path.startsWith(`${path}/`));
    }
    const parts = partsOf(path);
    for (let i = 1; i < parts.length; i++) {
      if (this.#ignore?.(parts.slice(0, i).join("/"), true) === "prune") return [];
    }
    const top = await this.#lstat(path);
    if (top === undefined) return [];
    if (this.#ignore !== undefined) return siftEntries(top, this.#ignore, (at) => this.#children(at));
    if (top.type !== "directory") return [top];
    const { records } = await walkFolder(this.#path(path), { depth: "all", xattrs: true });
    return [top, ...decodeWalk(records).map((entry) => this.#show(entry, path))];
  }

  async sweep(path: string): Promise<FolderSweep | undefined> {
    if (this.#ignore !== undefined || (await this.#lstat(path))?.type !== "directory") return undefined;
    const folder = this.#path(path);
    const { records } = await walkFolder(folder, { depth: "all", xattrs: true });
    return hasHardLinks(records) ? undefined : new FolderSweep(folder, records);
  }

  async stamp(path: string): Promise<Digest> {
    const top = await this.#lstat(path);
    if (this.#ignore === undefined && top?.type === "directory") {
      return (await walkFolder(this.#path(path), { depth: "all", self: true })).stamp;
    }
    const hash = createHash("sha256");
    const shown = top && (await this.stat(path));
    if (shown !== undefined) {
      const { type, mode, size, mtimeNs, ctimeNs, ino, dev, target } = shown;
      hash.update(`${JSON.stringify(target ?? "")} ${type} ${mode} ${size} ${mtimeNs} ${ctimeNs} ${ino} ${dev}\n`);
    }
    if (shown?.type === "directory" && this.#ignore !== undefined) {
      const read = async (at: string) => (await walkFolder(this.#path(at), { depth: "one" })).records;
      for (const bytes of await siftRecords(path, this.#ignore, read)) hash.update(bytes);
    }
    return `sha256:${hash.digest("hex")}`;
  }

  async digest(entry: Entry): Promise<Digest> {
    if (entry.digest !== undefined) return entry.digest;
    if (entry.type !== "file") throw noContent(entry);
    let digest = this.#digests.get(entry.path);
    if (digest === undefined) {
      digest = digestFiles([this.#path(entry.path)]).then(([one]) => {
        if (one === undefined) throw noContent(entry);
        return one;
      });
      this.#digests.set(entry.path, digest);
      digest.catch(() => this.#digests.delete(entry.path));
    }
    return digest;
  }

  async *read(entry: Entry): AsyncIterable<Uint8Array> {
    if (entry.type !== "file") throw noContent(entry);
    yield* readInside(entry, this.#root === "" ? "/" : this.#root, entry.path);
  }

  #path(path: string): string {
    return path === "" ? this.#root || "/" : `${this.#root}/${path}`;
  }

  async #children(path: string): Promise<FolderEntry[]> {
    const { records } = await walkFolder(this.#path(path), { depth: "one", xattrs: true });
    return decodeWalk(records).map((entry) => this.#show(entry, path));
  }

  /** Field by field: with tens of thousands of entries a spread costs more than reading them from the disk. */
  #show(entry: WalkedEntry, folder: string): FolderEntry {
    const { type, mode, size, mtimeNs, ino, dev, ctimeNs, nlink, target, device } = entry;
    const path = joinPath(folder, entry.path);
    const shown: { -readonly [K in keyof FolderEntry]: FolderEntry[K] } = {
      path,
      type,
      mode,
      uid: 0,
      gid: 0,
      size,
      mtimeNs,
      ino,
      dev,
      ctimeNs,
      nlink,
    };
    if (type === "file") shown.content = { kind: "file", path: this.#path(path) };
    if (type === "file" && nlink > 1) shown.inode = this.#inode(dev, ino);
    if (target !== undefined) shown.target = target;
    if (device !== undefined) shown.device = device;
    const pax = entry.pax && portable(entry.pax);
    if (pax !== undefined && pax.size > 0) shown.pax = pax;
    return shown;
  }

  /** One object for all names of a file. */
  #inode(dev: bigint, ino: bigint): object {
    const name = `${dev} ${ino}`;
    const known = this.#inodes.get(name) ?? {};
    this.#inodes.set(name, known);
    return known;
  }

  /**
   * True for a folder that is reached without following a link. The attack: the context holds `out -> /`, and somebody
   * asks for `out/etc/shadow`; lstat follows every link but the last.
   */
  #isFolder(path: string): Promise<boolean> {
    let known = this.#folders.get(path);
    if (known === undefined) {
      known = this.#lstat(path).then((entry) => entry?.type === "directory");
      this.#folders.set(path, known);
      known.catch(() => this.#folders.delete(path));
    }
    return known;
  }

  /** One entry, as a walk would give it. */
  async #lstat(path: string): Promise<FolderEntry | undefined> {
    if (path !== "" && !(await this.#isFolder(parentOf(path)))) return undefined;
    const full = this.#path(path);
    const file = bytesOfName(full);
    try {
      const found = await lstat(file, { bigint: true });
      const type = typeOf(Number(found.mode));
      if (type === undefined) return undefined;
      const target = type === "symlink" ? nameOfBytes(await readlink(file, { encoding: "buffer" })) : undefined;
      const isDevice = type === "character" || type === "block";
      const pax = new Map([...getXattrs(full)].map(([name, value]) => [`SCHILY.xattr.${name}`, value]));
      return this.#show(
        {
          path,
          type,
          mode: Number(found.mode) & 0o7777,
          uid: 0,
          gid: 0,
          size: type === "file" ? Number(found.size) : 0,
          mtimeNs: found.mtimeNs,
          ino: found.ino,
          dev: found.dev,
          ctimeNs: found.ctimeNs,
          nlink: Number(found.nlink),
          ...(target === undefined ? {} : { target }),
          ...(isDevice ? { device: deviceOf(found.rdev) } : {}),
          ...(pax.size === 0 ? {} : { pax }),
        },
        "",
      );
    } catch (cause) {
      const error = storeError(cause, "look at", full);
      if (isMissing(cause) || isMissing(error.cause)) return undefined;
      throw error;
    }
  }
}

/** Extended attributes that mean something on another host: not those of this one's security modules or ACLs. */
function portable(pax: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const kept = [...pax].filter(
    ([key]) => key === "SCHILY.xattr.security.capability" || key.startsWith("SCHILY.xattr.user."),
  );
  return new Map(kept);
}

const formats: ReadonlyMap<number, EntryType> = new Map([
  [0o100000, "file"],
  [0o040000, "directory"],
  [0o120000, "symlink"],
  [0o010000, "fifo"],
  [0o020000, "character"],
  [0o060000, "block"],
]);

/** Undefined for a socket. */
function typeOf(mode: number): EntryType | undefined {
  return formats.get(mode & 0o170000);
}

/** Linux' dev_t as glibc's gnu_dev_major and gnu_dev_minor split it. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}
