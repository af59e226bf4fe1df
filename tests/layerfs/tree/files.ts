/** Trees of the tests, from lines such as `a/b file text`. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Change, Entry, EntryType } from "../../../layerfs/layer/entry.ts";
import type { TreeLayer } from "../../../layerfs/tree/laid.ts";
import type { ContractFile } from "../../contracts/tree.ts";

export interface TempFolder extends Disposable {
  readonly path: string;
}

export function makeTempFolder(): TempFolder {
  const path = mkdtempSync(join(tmpdir(), "wbuild-tree-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Writes the files below a folder. */
export function writeFiles(folder: string, files: readonly ContractFile[]): void {
  for (const { path, type, text } of files) {
    const full = join(folder, path);
    mkdirSync(dirname(full), { recursive: true });
    if (type === "directory") mkdirSync(full, { recursive: true });
    else if (type === "symlink") symlinkSync(text, full);
    else writeFileSync(full, text);
  }
}

export function entryOf(path: string, type: EntryType, more: Partial<Entry> = {}): Entry {
  return { path, type, mode: type === "directory" ? 0o755 : 0o644, uid: 0, gid: 0, size: 0, mtimeNs: 0n, ...more };
}

export function setOf(file: ContractFile): Change {
  const { path, type, text } = file;
  const more = type === "file" ? { size: Buffer.byteLength(text) } : type === "symlink" ? { target: text } : {};
  return { kind: "set", entry: entryOf(path, type, more) };
}

/** One line a change: `set a/b file text`, `delete a/b`, `clear a`. */
export function parseChanges(lines: readonly string[]): Change[] {
  return lines.map((line) => {
    const [kind = "", path = "", type = "", ...rest] = line.split(" ");
    if (kind === "delete" || kind === "clear") return { kind, path };
    if (type === "hardlink") return { kind: "set", entry: entryOf(path, type, { target: rest.join(" ") }) };
    return setOf({ path, type: type as ContractFile["type"], text: rest.join(" ") });
  });
}

/** A layer of which only the changes are asked for. */
export function layerOf(changes: readonly Change[], folder?: string): TreeLayer {
  return {
    changes: async () => changes,
    folder: async () => {
      if (folder === undefined) throw new Error("nobody should ask for the folder");
      return folder;
    },
  };
}
