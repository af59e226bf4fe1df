/** Docker's rules of where the sources of a COPY go: what is a folder, and what lies in it under which name. */
import type { Entry } from "../../layerfs/layer/entry.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { toLinux } from "../../layerfs/windows/to-linux.ts";
import { WbuildError } from "../../native/error.ts";
import { cleanSource, membersOf, nameOf, type Selected } from "../context/select.ts";
import type { CopyOp } from "../graph/graph.ts";
import type { Placement } from "./place.ts";

/** Texts of the Dockerfile as files: root's, 0644, and without a time of their own, so that the next build's are the same. */
export async function placeDocuments({ documents = [], ...op }: CopyOp, placement: Placement): Promise<void> {
  if (documents.length === 0) return;
  const target = await placement.locate(op.target);
  const isFolder = await isTargetFolder(op, op.sources.length + documents.length, target, placement);
  for (const { name, text } of documents) {
    const bytes = Buffer.from(text, "utf8");
    const own = nameOf(cleanSource(name));
    if (isFolder && own === "") throw noName(name);
    await placement.put(isFolder ? join(target, own) : target, {
      path: own,
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: bytes.length,
      mtimeNs: 0n,
      content: { kind: "bytes", bytes },
    });
  }
}

/** `<<..` would be a file outside of its folder. */
function noName(name: string): WbuildError {
  return new WbuildError("STEP_IS_A_DIRECTORY", `${JSON.stringify(name)} cannot be the name of a file`, {
    facts: { path: name },
    hint: "give the here-document another name, or a target that is a file",
  });
}

/** A target that is a folder, or must be one: what is copied goes into it. */
async function isTargetFolder({ target }: CopyOp, count: number, path: string, placement: Placement): Promise<boolean> {
  return target.endsWith("/") || count > 1 || (await placement.at(path))?.type === "directory";
}

/** Docker's rules: a folder's contents go into the target; a file goes into a target that is or must be a folder. */
export async function placeAll(op: CopyOp, source: Tree, selection: readonly Selected[], placement: Placement) {
  const target = await placement.locate(op.target);
  const count = Math.max(op.sources.length, selection.length) + (op.documents?.length ?? 0);
  const isFolder = await isTargetFolder(op, count, target, placement);
  const crossing = op.fromOs === "windows" && op.os !== "windows" ? toLinux : (entry: Entry) => entry;
  for (const selected of selection) {
    if (selected.root.type === "directory") {
      const inodes = new Map<object, object>();
      for (const { relative, entry } of await membersOf(source, selected)) {
        // The folder itself is not copied, only what it holds: the target is a new folder like any other.
        if (relative === "") await placement.folder(target);
        else await placement.put(join(target, relative), linked(crossing(await onDisk(entry)), inodes, op));
      }
    } else {
      const path = isFolder ? join(target, nameOf(selected.path)) : target;
      const { inode: _, ...root } = crossing(await onDisk(selected.root));
      await placement.put(path, root);
    }
  }
}

/** Names of one file stay so within one copied folder, and only there: two copies of a file are two files. */
function linked(entry: Entry, inodes: Map<object, object>, op: CopyOp): Entry {
  const { inode, ...rest } = entry;
  // How files of a context hang together is this host's business where the image is not even of its system.
  if (inode === undefined || (op.os === "windows" && op.from === "context")) return rest;
  const own = inodes.get(inode) ?? {};
  inodes.set(inode, own);
  return { ...rest, inode: own };
}

/** A file of another stage: its layer is unpacked now, so that the layer writer can read it natively. */
async function onDisk(entry: Entry): Promise<Entry> {
  if (entry.content?.kind !== "stream" || !entry.content.file) return entry;
  return { ...entry, content: { kind: "file", path: await entry.content.file() } };
}

function join(folder: string, name: string): string {
  if (folder === "") return name;
  return name === "" ? folder : `${folder}/${name}`;
}
