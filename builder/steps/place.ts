/**
 * Where copied entries land: an ordered list of changes on top of a target tree. Every folder above a new entry is
 * repeated as it is below (or made), because a reader that unpacks a layer alone would otherwise invent its attributes.
 */

import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { joinPath, parentOf } from "../../layerfs/tree/names.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { paxKey } from "../../layerfs/windows/metadata.ts";
import { WbuildError } from "../../native/error.ts";
import { applyFileMode, type FileMode } from "../graph/file-mode.ts";
import { linuxRules, type NameRules } from "./name-rules.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What COPY's flags change about each entry. */
export interface Dress {
  readonly owner?: Owner;
  readonly chmod?: FileMode;
  /** Windows: a security descriptor of its own. */
  readonly security?: Uint8Array;
}

/** Times of folders that a build makes: they must not differ from build to build. */
const madeTime = 0n;

export class Placement {
  readonly #target: Tree;
  readonly #dress: Dress;
  readonly #rules: NameRules;
  /** By the rules' key. */
  readonly #made = new Map<string, Entry>();
  /** Where each came from: key → path there. */
  readonly #origins = new Map<string, string>();

  constructor(target: Tree, dress: Dress = {}, rules: NameRules = linuxRules) {
    this.#target = target;
    this.#dress = dress;
    this.#rules = rules;
  }

  /**
   * The clean path a name refers to: links inside the target are followed (the last part too, unless told otherwise), also
   * those to nowhere; missing parts stay as written. Throws TREE_LOOP, WIN_PATH.
   */
  locate(path: string, { lastToo = true } = {}): Promise<string> {
    return this.#rules.locate((at) => this.at(at), path.replace(/[/]+$/, ""), lastToo);
  }

  /** True when neither we nor the target have anything. */
  async isEmpty(): Promise<boolean> {
    return this.#made.size === 0 && (await this.#target.list("")).length === 0;
  }

  /** What is at a clean path: placed by us, else in the target. */
  async at(path: string): Promise<Entry | undefined> {
    if (path === "") return rootEntry;
    return this.#made.get(this.#rules.key(path)) ?? (await this.#target.stat(path));
  }

  /**
   * Makes sure that a folder is there, with all above it. Gives its path as it is spelled. `keepsModes`: --chmod does not
   * count, as for archives. Throws STEP_NOT_A_DIRECTORY.
   */
  async folder(path: string, { keepsModes = false } = {}): Promise<string> {
    if (path === "") return "";
    const key = this.#rules.key(path);
    const made = this.#made.get(key);
    if (made?.type === "directory") return made.path;
    const above = await this.folder(parentOf(path), { keepsModes });
    const there = made ?? (await this.#target.stat(path));
    if (there && there.type !== "directory") {
      throw new WbuildError("STEP_NOT_A_DIRECTORY", `/${path} is a ${there.type}, not a directory`, {
        facts: { path, type: there.type },
      });
    }
    const entry = there ?? this.#newFolder(joinPath(above, nameOf(path)), keepsModes);
    this.#made.set(key, entry);
    return entry.path;
  }

  /**
   * Puts an entry at a path (its own path only tells where it came from). A folder onto an existing one gives it its
   * attributes, as docker's copy does on Linux; with `replace` (an archive's entry) an entry of another type is replaced, too, and modes stay.
   * Throws STEP_NOT_A_DIRECTORY, STEP_IS_A_DIRECTORY, WIN_NAME, WIN_CASE.
   */
  async put(path: string, entry: Entry, { replace = false } = {}): Promise<void> {
    this.#checkOrigin(path, entry.path);
    const above = await this.folder(parentOf(path), { keepsModes: replace });
    const there = await this.at(path);
    // Something that is there keeps its spelling.
    const at = there?.path ?? joinPath(above, nameOf(path));
    const isFolder = there?.type === "directory";
    if (!replace) refuseOtherType(path, entry, there);
    const kept = isFolder && entry.type === "directory" && !this.#rules.dressesFolders ? there : { ...entry, path: at };
    this.#made.set(this.#rules.key(path), this.#dressed(kept, replace));
  }

  /** One name for two files of one source: the second would silently replace the first. Throws WIN_NAME, WIN_CASE. */
  #checkOrigin(path: string, origin: string): void {
    this.#rules.check(path, origin);
    const key = this.#rules.key(path);
    const other = this.#origins.get(key);
    this.#origins.set(key, origin);
    if (other === undefined || other === origin || this.#rules.key(other) !== this.#rules.key(origin)) return;
    throw new WbuildError(
      "WIN_CASE",
      `Windows cannot have both ${JSON.stringify(other)} and ${JSON.stringify(origin)}`,
      {
        facts: { path: origin, other },
        hint: "only letter case tells them apart: rename one, or leave it out with .dockerignore",
      },
    );
  }

  /**
   * All that was placed, parents before children, siblings in order of their names. Of files with one `inode` the first is
   * the file and the others are links to it.
   */
  changes(): Change[] {
    const order = [...this.#made.values()].map((entry) => [entry.path.replaceAll("/", "\0"), entry] as const);
    order.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const first = new Map<string | object, string>();
    return order.map(([, entry]) => {
      const { path } = entry;
      if (entry.type === "file" && entry.inode !== undefined) {
        const { inode, ...file } = entry;
        const known = first.get(inode);
        first.set(inode, known ?? path);
        return { kind: "set", entry: known === undefined ? file : hardlink(file, known) };
      }
      if (entry.type !== "hardlink" || entry.target === undefined) {
        const link = first.get(this.#rules.key(path));
        return { kind: "set", entry: link === undefined ? entry : hardlink(entry, link) };
      }
      const key = this.#rules.key(entry.target);
      const file = this.#made.get(key);
      const known = first.get(key);
      if (file?.type !== "file" || known === undefined) {
        first.set(key, path);
        // A link must follow what it names: where it sorts first, it is the file and the file becomes the link.
        if (file?.type === "file" && before(path, file.path)) return { kind: "set", entry: { ...file, path } };
        return { kind: "set", entry };
      }
      return { kind: "set", entry: hardlink(entry, known) };
    });
  }

  #newFolder(path: string, keepsModes: boolean): Entry {
    const { owner = { uid: 0, gid: 0 }, chmod } = this.#dress;
    this.#rules.check(path, path);
    // As BuildKit: a mode in octal is also that of the folders above, clauses have nothing to be applied to.
    const mode = typeof chmod === "number" && !keepsModes ? chmod & 0o777 : 0o755;
    return this.#secured({ path, type: "directory", mode, ...owner, size: 0, mtimeNs: madeTime });
  }

  #secured(entry: Entry): Entry {
    const { security } = this.#dress;
    if (security === undefined) return entry;
    const record = [paxKey.rawSecurity, Buffer.from(Buffer.from(security).toString("base64"))] as const;
    return { ...entry, pax: new Map([...(entry.pax ?? []), record]) };
  }

  #dressed(entry: Entry, keepsModes: boolean): Entry {
    const { owner, chmod } = this.#dress;
    return {
      ...this.#secured(entry),
      ...(owner ?? {}),
      ...(chmod === undefined || keepsModes || entry.type === "symlink"
        ? {}
        : { mode: applyFileMode(chmod, entry.mode, entry.type === "directory") }),
    };
  }
}

const rootEntry: Entry = { path: "", type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: madeTime };

function refuseOtherType(path: string, entry: Entry, there: Entry | undefined): void {
  if (there === undefined || (there.type === "directory") === (entry.type === "directory")) return;
  if (entry.type === "directory") {
    throw new WbuildError("STEP_NOT_A_DIRECTORY", `cannot copy a directory onto /${path}, which is a ${there.type}`, {
      facts: { path, type: there.type },
    });
  }
  throw new WbuildError("STEP_IS_A_DIRECTORY", `cannot copy a ${entry.type} onto /${path}, which is a directory`, {
    facts: { path, type: entry.type },
  });
}

function hardlink(entry: Entry, target: string): Entry {
  const { content: _content, digest: _digest, ...rest } = entry;
  return { ...rest, type: "hardlink", size: 0, target };
}

const before = (a: string, b: string) => a.replaceAll("/", "\0") < b.replaceAll("/", "\0");

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
