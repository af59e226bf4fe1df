/**
 * Where copied entries land: an ordered list of changes on top of a target tree. Every folder above a new entry is
 * repeated as it is below (or made), because a reader that unpacks a layer alone would otherwise invent its attributes.
 */

import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { resolveUnix } from "../../layerfs/tree/unix-path.ts";
import { WbuildError } from "../../native/error.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What COPY's flags change about each entry. */
export interface Dress {
  readonly owner?: Owner;
  readonly chmod?: number;
}

/** Times of folders that a build makes: they must not differ from build to build. */
const madeTime = 0n;

export class Placement {
  readonly #target: Tree;
  readonly #dress: Dress;
  readonly #made = new Map<string, Entry>();

  constructor(target: Tree, dress: Dress = {}) {
    this.#target = target;
    this.#dress = dress;
  }

  /**
   * The clean path a name refers to: links inside the target are followed (the last part too, unless told otherwise), also
   * those to nowhere; missing parts stay as written. Throws TREE_LOOP.
   */
  async locate(path: string, { lastToo = true } = {}): Promise<string> {
    const trimmed = path.replace(/[/]+$/, "");
    return (await resolveUnix((at) => this.at(at), trimmed, lastToo, { missing: "keep" })) ?? "";
  }

  /** True when neither we nor the target have anything. */
  async isEmpty(): Promise<boolean> {
    return this.#made.size === 0 && (await this.#target.list("")).length === 0;
  }

  /** What is at a clean path: placed by us, else in the target. */
  async at(path: string): Promise<Entry | undefined> {
    if (path === "") return rootEntry;
    return this.#made.get(path) ?? (await this.#target.stat(path));
  }

  /** Makes sure that a folder is there, with all above it. Throws STEP_NOT_A_DIRECTORY. */
  async folder(path: string): Promise<void> {
    if (path === "") return;
    const made = this.#made.get(path);
    if (made?.type === "directory") return;
    await this.folder(parentOf(path));
    const there = made ?? (await this.#target.stat(path));
    if (there && there.type !== "directory") {
      throw new WbuildError("STEP_NOT_A_DIRECTORY", `/${path} is a ${there.type}, not a directory`, {
        facts: { path, type: there.type },
      });
    }
    this.#made.set(path, there ?? this.#newFolder(path));
  }

  /**
   * Puts an entry at a path (its own path is ignored). A folder onto an existing one gives it its attributes, as docker's
   * copy does; with `replace` (an archive's entry) an entry of another type is replaced, too.
   */
  async put(path: string, entry: Entry, { replace = false } = {}): Promise<void> {
    await this.folder(parentOf(path));
    const there = await this.at(path);
    if (replace) {
      this.#made.set(path, this.#dressed({ ...entry, path }));
      return;
    }
    if (entry.type === "directory") {
      if (there && there.type !== "directory") {
        throw new WbuildError(
          "STEP_NOT_A_DIRECTORY",
          `cannot copy a directory onto /${path}, which is a ${there.type}`,
          {
            facts: { path, type: there.type },
          },
        );
      }
    } else if (there?.type === "directory") {
      throw new WbuildError("STEP_IS_A_DIRECTORY", `cannot copy a ${entry.type} onto /${path}, which is a directory`, {
        facts: { path, type: entry.type },
      });
    }
    this.#made.set(path, this.#dressed({ ...entry, path }));
  }

  /**
   * All that was placed, parents before children, siblings in order of their names. Of files with one `inode` the first is
   * the file and the others are links to it.
   */
  changes(): Change[] {
    const order = [...this.#made.keys()].map((path) => [path.replaceAll("/", "\0"), path] as const);
    order.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const first = new Map<string | object, string>();
    return order.map(([, path]) => {
      const entry = this.#made.get(path) as Entry;
      if (entry.type === "file" && entry.inode !== undefined) {
        const { inode, ...file } = entry;
        const known = first.get(inode);
        first.set(inode, known ?? path);
        return { kind: "set", entry: known === undefined ? file : hardlink(file, known) };
      }
      if (entry.type !== "hardlink" || entry.target === undefined) {
        const link = first.get(path);
        return { kind: "set", entry: link === undefined ? entry : hardlink(entry, link) };
      }
      const file = this.#made.get(entry.target);
      const known = first.get(entry.target);
      if (file?.type !== "file" || known === undefined) {
        first.set(entry.target, path);
        // A link must follow what it names: where it sorts first, it is the file and the file becomes the link.
        if (file?.type === "file" && before(path, entry.target)) return { kind: "set", entry: { ...file, path } };
        return { kind: "set", entry };
      }
      return { kind: "set", entry: hardlink(entry, known) };
    });
  }

  #newFolder(path: string): Entry {
    const owner = this.#dress.owner ?? { uid: 0, gid: 0 };
    return { path, type: "directory", mode: 0o755, ...owner, size: 0, mtimeNs: madeTime };
  }

  #dressed(entry: Entry): Entry {
    const { owner, chmod } = this.#dress;
    return {
      ...entry,
      ...(owner ?? {}),
      ...(chmod === undefined || entry.type === "symlink" ? {} : { mode: chmod }),
    };
  }
}

const rootEntry: Entry = { path: "", type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: madeTime };

function hardlink(entry: Entry, target: string): Entry {
  const { content: _content, digest: _digest, ...rest } = entry;
  return { ...rest, type: "hardlink", size: 0, target };
}

const before = (a: string, b: string) => a.replaceAll("/", "\0") < b.replaceAll("/", "\0");

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
