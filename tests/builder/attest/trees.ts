/** Trees for scanners, written as a table of paths; a value that begins with `->` is a link. */
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";

const owner = { uid: 0, gid: 0, mtimeNs: 0n };

export function treeOf(
  files: Readonly<Record<string, string | Uint8Array>>,
  os = "linux",
  mode = 0o644,
): Promise<Tree> {
  const prefix = os === "windows" ? "Files/" : "";
  const changes = new Map<string, Change>();
  const set = (entry: Entry) => {
    if (!changes.has(entry.path)) changes.set(entry.path, { kind: "set", entry });
  };
  for (const [name, content] of Object.entries(files)) {
    const path = prefix + name;
    for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1))
      set({ ...owner, path: path.slice(0, at), type: "directory", mode: 0o755, size: 0 });
    if (typeof content === "string" && content.startsWith("->")) {
      set({ ...owner, path, type: "symlink", mode: 0o777, size: 0, target: content.slice(2) });
      continue;
    }
    const bytes = Buffer.from(content);
    set({ ...owner, path, type: "file", mode, size: bytes.length, content: { kind: "bytes", bytes } });
  }
  const layer = { changes: async () => [...changes.values()], folder: () => Promise.reject(new Error("in memory")) };
  return stackTree([layer], { names: os === "windows" ? "windows" : "linux" });
}
