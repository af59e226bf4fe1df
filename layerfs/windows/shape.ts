/**
 * shapeLayer: changes of C: → a Windows layer's changes, for writeLayer: `Hives` with five deltas, `Files`, every folder above
 * a change once, all as the base spells it (docs/formats/windows-layer.md). It knows no hives, only their bytes.
 */
import { WbuildError } from "../../native/error.ts";
import { upcase } from "../hive/upcase.ts";
import type { Change, Entry } from "../layer/entry.ts";
import { compareNames, joinPath } from "../tree/names.ts";
import type { Tree } from "../tree/tree.ts";
import { driveFolder } from "../tree/windows-path.ts";
import { type DeltaName, deltaNames, deltaPath, emptyDelta, hivesFolder } from "./deltas.ts";
import { type DraftNode, draftOf, isHere, newNode, ownName } from "./draft.ts";
import { dressEntry } from "./dress.ts";
import { orderLinks } from "./hardlinks.ts";
import { leftOut, type Origin, shown } from "./layer-content.ts";
import { freshMetadata } from "./metadata.ts";

export interface ShapeInput {
  /**
   * Below C: (`app/x`, no `Files/`), in any order and spelling; targets of hard links too. An entry's own MSWINDOWS.* records
   * count before what is below; its mode, owner and other records do not matter on Windows.
   */
  readonly changes: Iterable<Change>;
  /** The stack below, of stackTree(…, { names: "windows" }). */
  readonly below: Tree;
  readonly origin: Origin;
  /** Those that are not given are empty deltas. A base layer (origin "base") has none. */
  readonly deltas?: ReadonlyMap<DeltaName, Uint8Array>;
  /** Time of folders that nobody mentioned, and of the hives. */
  readonly madeNs: bigint;
  /** SOURCE_DATE_EPOCH: creation times of new files after it become it, as the writer does with modification times. */
  readonly epochSeconds?: number;
  /** Told of each file that is not in the layer: its path below C:, and why ("…is left out: REASON"). */
  readonly onDropped?: (dropped: { readonly path: string; readonly reason: string }) => void;
}

/**
 * The layer's changes in the writer's order, paths as in the tar.
 * - What changed in content only keeps attributes, creation time and descriptor; a folder that is only on the way is as below.
 * - A deletion is one whiteout; a folder that was emptied or made anew gets one for each child below that is not there
 *   again. Where something else took a path's place there is no whiteout: an entry hides what is below it.
 * - Deletions of what is not there, and folders that say nothing new, are left out.
 * Throws WIN_NAME, WIN_TYPE (see leftOut), WIN_CASE for two files of one name, WIN_PARENT for a file below a file or link,
 * WIN_LINK for a hard link to nothing.
 */
export async function shapeLayer(input: ShapeInput): Promise<Change[]> {
  const drive = draftOf(kept(input), upcase);
  const lower = await input.below.stat(driveFolder);
  const files: Change = { kind: "set", entry: lower ?? madeFolder(driveFolder, input) };
  // Both top folders before what is in them: importers take the layer's shape from its first entries.
  const out = input.origin === "base" ? [files] : [madeHives(input), files, ...deltas(input)];
  const shape = new Shape(input, drive);
  await shape.children(drive, driveFolder, lower, false, out);
  return orderLinks(out, input.below);
}

/** Without what belongs into no layer. */
function kept({ changes, origin, onDropped }: ShapeInput): Change[] {
  const out: Change[] = [];
  for (const change of changes) {
    const path = change.kind === "set" ? change.entry.path : change.path;
    const reason = path === "" ? undefined : leftOut(change, origin);
    if (reason !== undefined) {
      if (change.kind === "set") onDropped?.({ path, reason });
    } else if (path !== "") out.push(change);
  }
  return out;
}

function madeHives(input: ShapeInput): Change {
  return { kind: "set", entry: madeFolder(hivesFolder, input) };
}

function deltas(input: ShapeInput): Change[] {
  const out: Change[] = [];
  for (const name of deltaNames) {
    const bytes = input.deltas?.get(name) ?? emptyDelta();
    const entry = freshMetadata(
      {
        ...plain(deltaPath(name), "file", input.madeNs),
        size: bytes.length,
        content: { kind: "bytes", bytes },
      },
      input,
    );
    out.push({ kind: "set", entry });
  }
  return out;
}

function madeFolder(path: string, input: ShapeInput): Entry {
  return freshMetadata(plain(path, "directory", input.madeNs), input);
}

function plain(path: string, type: "file" | "directory", mtimeNs: bigint): Entry {
  return { path, type, mode: type === "file" ? 0o644 : 0o755, uid: 0, gid: 0, size: 0, mtimeNs };
}

class Shape {
  readonly #input: ShapeInput;
  readonly #drive: DraftNode;

  constructor(input: ShapeInput, drive: DraftNode) {
    this.#input = input;
    this.#drive = drive;
  }

  /** What the layer says below a folder. `hidden`: nothing of `lower`, the folder of the layers below, is to be seen. */
  async children(node: DraftNode, path: string, lower: Entry | undefined, hidden: boolean, out: Change[]) {
    const from = lower?.type === "directory" ? lower.path : undefined;
    const found: [name: string, child: DraftNode, lower: Entry | undefined][] = [];
    for (const child of node.children.values()) {
      const own = ownName(child);
      const there = from === undefined ? undefined : await this.#input.below.stat(`${from}/${own}`);
      found.push([there === undefined ? own : lastOf(there.path), child, there]);
    }
    if (hidden && from !== undefined) {
      for (const there of await this.#input.below.list(from)) {
        const name = lastOf(there.path);
        if (!node.children.has(upcase(name))) found.push([name, gone, there]);
      }
    }
    found.sort(([a], [b]) => compareNames(a, b));
    for (const [name, child, there] of found) await this.#one(child, joinPath(path, name), there, hidden, out);
  }

  async #one(node: DraftNode, path: string, lower: Entry | undefined, hidden: boolean, out: Change[]): Promise<void> {
    const { set } = node;
    refuseTwo(node, path);
    const renewed = hidden || node.deleted !== undefined;
    if (set === undefined && !isHere(node)) {
      // Nothing is here any more, or only deletions are below.
      if (lower === undefined) return;
      if (renewed) out.push({ kind: "delete", path });
      else if (lower.type === "directory") await this.#folder(node, path, lower, false, out);
    } else if (set === undefined || set.type === "directory") {
      const isBlocked = lower !== undefined && lower.type !== "directory" && !renewed;
      if (set === undefined && isBlocked) throw parentIsNone(path, lower);
      await this.#folder(node, path, lower, renewed || node.cleared, out);
    } else {
      const entry = await this.#dressed(set, path, renewed ? undefined : lower);
      if (entry !== undefined) out.push({ kind: "set", entry });
    }
  }

  async #folder(node: DraftNode, path: string, lower: Entry | undefined, renewed: boolean, out: Change[]) {
    const kept = lower?.type === "directory" && !renewed ? lower : undefined;
    const dressed =
      node.set === undefined ? (kept ?? madeFolder(path, this.#input)) : await this.#dressed(node.set, path, kept);
    const at = out.push({ kind: "set", entry: dressed ?? (kept as Entry) });
    await this.children(node, path, lower, renewed, out);
    const saysNothing = kept !== undefined && (node.set === undefined || dressed === undefined);
    if (saysNothing && out.length === at) out.pop();
  }

  async #dressed(set: Entry, path: string, lower: Entry | undefined): Promise<Entry | undefined> {
    const { origin, below, epochSeconds } = this.#input;
    return dressEntry(set, path, lower, {
      origin,
      ...(epochSeconds === undefined ? {} : { epochSeconds }),
      look: (at) => lookAfter(this.#drive, below, at),
    });
  }
}

const gone: DraftNode = { ...newNode(), deleted: "" };

/** What is at a path below C: once the layer lies on top. */
async function lookAfter(drive: DraftNode, below: Tree, path: string): Promise<Entry | undefined> {
  let node: DraftNode | undefined = drive;
  let hidden = false;
  for (const name of path.split("/")) {
    node = node?.children.get(upcase(name));
    if (node === undefined) break;
    if (node.set !== undefined && node.set.type !== "directory") hidden = true;
    hidden ||= node.deleted !== undefined || node.cleared;
  }
  if (node?.set !== undefined) return { ...node.set, path };
  return hidden ? undefined : below.stat(joinPath(driveFolder, path));
}

/** Of `a` and `A` Windows would keep one, and which one nobody can say. Folders are one folder. */
function refuseTwo(node: DraftNode, path: string): void {
  if (node.clash && node.spellings.length < 2) throw parentIsNone(path, undefined);
  if (node.spellings.length < 2 || !(node.clash || (node.set !== undefined && node.set.type !== "directory"))) return;
  const [first = "", second = ""] = node.spellings;
  throw new WbuildError(
    "WIN_CASE",
    `Windows cannot tell ${shown(below(path, first))} and ${JSON.stringify(second)} apart`,
    {
      facts: { path, spellings: node.spellings.slice(0, 10) },
      hint: "rename one of them, or leave it out",
    },
  );
}

function below(path: string, name: string): string {
  return joinPath(path.slice(driveFolder.length + 1, Math.max(driveFolder.length + 1, path.lastIndexOf("/"))), name);
}

function parentIsNone(path: string, entry: Entry | undefined): WbuildError {
  const at = path.slice(driveFolder.length + 1);
  const what = entry?.type === "symlink" ? "link" : "file";
  return new WbuildError("WIN_PARENT", `nothing can lie below ${shown(at)}, which is a ${what}`, {
    facts: { path: at },
  });
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
