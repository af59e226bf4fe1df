/** Trees and changes from one-line texts: "dir  etc  755", "file bin/app 755", "link bin usr/bin", "gone etc/motd". */
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { stackTree } from "../../layerfs/tree/stacked.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";

/** One entry; a file's content is its own path. `0:0` owners unless given as a fourth word `1000:1000`. */
export function entryOf(line: string): Entry {
  const [kind = "", path = "", third = "", owner = "0:0"] = line.trim().split(/\s+/);
  const [uid, gid] = owner.split(":").map(Number) as [number, number];
  const common = { path, uid, gid, size: 0, mtimeNs: 1_000_000_000n };
  if (kind === "dir") return { ...common, type: "directory", mode: Number.parseInt(third || "755", 8) };
  if (kind === "link") return { ...common, type: "symlink", mode: 0o777, target: third };
  if (kind === "hard") return { ...common, type: "hardlink", mode: 0o644, target: third };
  const bytes = Buffer.from(path);
  const content = { kind: "bytes", bytes } as const;
  return { ...common, type: "file", mode: Number.parseInt(third || "644", 8), size: bytes.length, content };
}

export function changesOf(lines: readonly string[]): Change[] {
  return lines.map((line) => {
    const [kind = "", path = ""] = line.trim().split(/\s+/);
    if (kind === "gone") return { kind: "delete", path };
    return { kind: "set", entry: entryOf(line) };
  });
}

/** A tree of one layer. */
export function treeOf(...lines: string[]): Promise<Tree> {
  const folder = async () => {
    throw new Error("this tree has no folder");
  };
  return stackTree([{ changes: async () => changesOf(lines), folder }]);
}

/** An entry back as text, without what says nothing. */
export function show(change: Change): string {
  if (change.kind !== "set") return `${change.kind} ${change.path}`;
  const { type, path, mode, uid, gid, target } = change.entry;
  const owner = uid === 0 && gid === 0 ? "" : ` ${uid}:${gid}`;
  if (type === "symlink") return `link ${path} ${target}${owner}`;
  if (type === "hardlink") return `hard ${path} ${target}${owner}`;
  return `${type === "directory" ? "dir" : type} ${path} ${mode.toString(8)}${owner}`;
}
