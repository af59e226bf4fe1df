/**
 * The files of a tar below a folder of an image, in the order that a layer must have: folders, links and devices, then the files
 * as the tar has them, hard links last. The tar is read twice, and of each entry some 150 bytes are kept in between.
 */
import { ChangeList } from "../../layerfs/layer/change-list.ts";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { NameTable, withRoom } from "../../layerfs/layer/name-table.ts";
import type { HeldFile } from "../../layerfs/store/held-file.ts";
import { compareNames, joinPath } from "../../layerfs/tree/names.ts";
import { passingFiles } from "./passing.ts";

const kinds = { directory: 1, file: 2, hardlink: 3, other: 4 } as const;

interface PlacedFiles {
  /** Reads the tar again. Throws what its reading throws. */
  changes(): AsyncGenerator<Change>;
}

/**
 * Reads the tar to its end. Of two entries of one path the later one counts. Folders on the way that the tar leaves out are as
 * `lookUp` has them, else new. Throws what reading and `lookUp` throw.
 */
export async function placeFiles(
  scratch: HeldFile,
  open: () => AsyncIterable<Entry>,
  folder: string,
  lookUp: ((path: string) => Promise<Entry | undefined>) | undefined,
): Promise<PlacedFiles> {
  const names = new NameTable();
  const heads = new ChangeList(scratch);
  /** Of each entry its path's number; of each path its last entry, and what that is. */
  let paths = new Int32Array(1024);
  let last = new Int32Array(1024);
  let kindOf = new Uint8Array(1024);
  names.make(folder);
  for await (const entry of open()) {
    const at = heads.length;
    heads.add({ kind: "set", entry });
    paths = withRoom(paths, at);
    if (entry.path === "") continue;
    const id = names.make(joinPath(folder, entry.path));
    last = withRoom(last, id);
    kindOf = withRoom(kindOf, id);
    paths[at] = id;
    last[id] = at;
    const { type } = entry;
    kindOf[id] = type === "directory" || type === "file" || type === "hardlink" ? kinds[type] : kinds.other;
  }
  const headAt = (at: number): Entry => {
    const change = heads.at(at);
    if (change?.kind !== "set") throw new TypeError("a tar changed while it was read");
    return entryIn(folder, change.entry);
  };
  const folders: Entry[] = [];
  for (let id = 1; id < names.size; id++) {
    const kind = kindOf[id] ?? 0;
    if (kind === kinds.directory) {
      folders.push(headAt(last[id] ?? 0));
      // The accident: a tar's bin/ takes the place of the image's link bin -> usr/bin, and all programs are gone.
      await lookUp?.(names.pathOf(id));
    } else if (kind === 0 && lookUp !== undefined) {
      const path = names.pathOf(id);
      folders.push((await lookUp(path)) ?? madeFolder(path));
    }
  }
  folders.sort((a, b) => compareNames(a.path, b.path));
  function* of(kind: number): Generator<Change> {
    for (let id = 1; id < names.size; id++)
      if (kindOf[id] === kind) yield { kind: "set", entry: headAt(last[id] ?? 0) };
  }
  return {
    async *changes() {
      for (const entry of folders) yield { kind: "set", entry };
      yield* of(kinds.other);
      yield* passingFiles(settingEach(open()), (at) => {
        const id = paths[at] ?? 0;
        return kindOf[id] === kinds.file && last[id] === at ? headAt(at) : undefined;
      });
      yield* of(kinds.hardlink);
    },
  };
}

/** The entry below the folder; a hard link leads there, too. */
export function entryIn(folder: string, entry: Entry): Entry {
  const path = joinPath(folder, entry.path);
  return entry.type === "hardlink"
    ? { ...entry, path, target: joinPath(folder, entry.target ?? "") }
    : { ...entry, path };
}

async function* settingEach(entries: AsyncIterable<Entry>): AsyncGenerator<Change> {
  for await (const entry of entries) yield { kind: "set", entry };
}

function madeFolder(path: string): Entry {
  return { path, type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
}
