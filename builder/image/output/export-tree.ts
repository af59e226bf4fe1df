/** The last stage's files as one tree: a tar, or a folder on this host (`-o type=tar|local`, `wbuild export`). */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { unpackLayer } from "../../../layerfs/layer/unpack.ts";
import { writeLayer } from "../../../layerfs/layer/write.ts";
import type { BlobFiles } from "../../../layerfs/store/blob-store.ts";
import type { Digest } from "../../../layerfs/store/digest.ts";
import { makeFolder } from "../../../layerfs/store/make-folder.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { driveTree } from "../../../layerfs/windows/drive.ts";
import { toLinux } from "../../../layerfs/windows/to-linux.ts";
import { WbuildError } from "../../../native/error.ts";
import type { ExtraFile } from "./write-result.ts";

export interface TreeStyle {
  /** Seconds since 1970 that no time may exceed. */
  readonly epochSeconds?: number;
}

/** One image's files, and where in the export they go. */
export interface PlacedTree {
  readonly tree: Tree;
  /** The image's: of Windows the files of drive C: are written, as Linux has files. Usual: linux. */
  readonly os?: string;
  /** A folder of the export, such as `linux_amd64`; absent: its top. */
  readonly under?: string;
  /** Files beside those of the tree, at its top. */
  readonly extra?: readonly ExtraFile[];
}

/** Writes trees as one uncompressed tar to a path. The file appears whole or not at all; a device or pipe is written to. */
export async function exportTar(trees: readonly PlacedTree[], path: string, style: TreeStyle): Promise<void> {
  const target = resolve(path);
  const there = await stat(target).catch(() => undefined);
  if (there && !there.isFile() && !there.isDirectory()) {
    // The accident: root writes to /dev/null, and a rename would put a file in its place.
    await using file = await temporaryTar(trees, tmpdir(), style);
    return pipeline(createReadStream(file.path, { highWaterMark: 1 << 20 }), createWriteStream(target));
  }
  makeFolder(dirname(target));
  await using file = await temporaryTar(trees, dirname(target), style);
  await rename(file.path, target);
}

/** Writes trees as one uncompressed tar to a stream, which is left open. */
export async function streamTar(
  trees: readonly PlacedTree[],
  to: Writable,
  scratch: string,
  style: TreeStyle,
): Promise<void> {
  await using file = await temporaryTar(trees, scratch, style);
  await pipeline(createReadStream(file.path, { highWaterMark: 1 << 20 }), to, { end: false });
}

/** Writes trees into a folder that may hold other files: those of the same name are replaced, the rest stays. */
export async function exportFolder(
  trees: readonly PlacedTree[],
  path: string,
  scratch: string,
  style: TreeStyle,
): Promise<void> {
  const target = resolve(path);
  makeFolder(target);
  await using file = await temporaryTar(trees, scratch, style);
  await unpackLayer({ path: file.path }, target, { form: "plain" });
}

async function filesOf({ tree, os, extra = [] }: PlacedTree): Promise<Iterable<Entry>> {
  if (os !== "windows" && extra.length === 0 && tree.each !== undefined) return await tree.each("");
  const entries = os === "windows" ? (await driveTree(tree).walk("")).map(toLinux) : await tree.walk("");
  if (extra.length === 0) return entries;
  const own = new Set(entries.map(({ path }) => path));
  return [...entries, ...extra.map((file) => entryOf(file, own))];
}

/** Times would make each export another: 1970, as for files of no age. */
function entryOf({ name, bytes }: ExtraFile, own: ReadonlySet<string>): Entry {
  if (own.has(name))
    throw new WbuildError("CLI_OUTPUT", `the export has a file ${name} of its own`, {
      facts: { path: name },
      hint: "give the attestation another filename=NAME, or leave it out",
    });
  const content = { kind: "bytes", bytes } as const;
  return { path: name, type: "file", mode: 0o644, uid: 0, gid: 0, size: bytes.length, mtimeNs: 0n, content };
}

/** The regular files of an export, with what is in them. */
export async function digestsOf({ tree, os }: PlacedTree): Promise<{ path: string; digest: Digest }[]> {
  const files = os === "windows" ? driveTree(tree) : tree;
  const found: { path: string; digest: Digest }[] = [];
  for (const entry of await files.walk(""))
    if (entry.type === "file") found.push({ path: entry.path, digest: await files.digest(entry) });
  return found;
}

/** With a path for what would come as a stream: the native writer reads files at once, streams one piece at a time. */
async function onDisk(entry: Entry): Promise<Entry> {
  const path = entry.content?.kind === "stream" ? await entry.content.file?.() : undefined;
  return path === undefined ? entry : { ...entry, content: { kind: "file", path } };
}

async function temporaryTar(trees: readonly PlacedTree[], folder: string, style: TreeStyle) {
  const temporary = await mkdtemp(join(folder, ".wbuild-"));
  const path = join(temporary, "tree.tar");
  const remove = () => rm(temporary, { recursive: true, force: true });
  try {
    await writeLayer(changesOf(trees), fileTarget(path), {
      compression: "none",
      mediaTypes: "oci",
      ...style,
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: remove };
}

async function* changesOf(trees: readonly PlacedTree[]): AsyncGenerator<Change> {
  const written = new Map<string, Entry>();
  for (const one of trees) {
    const { under = "" } = one;
    let hasTop = under === "";
    // A tree shows hard links as files: they become links again.
    const firsts = new Map<object, string>();
    for (const found of await filesOf(one)) {
      if (!hasTop) yield { kind: "set", entry: folderEntry(under, found) };
      hasTop = true;
      if (found.path === "") continue;
      const entry = under === "" ? found : placed(found, under);
      const before = trees.length > 1 ? written.get(entry.path) : undefined;
      if (before?.type === "directory" && entry.type === "directory") continue;
      if (before) throw twice(entry.path);
      if (trees.length > 1) written.set(entry.path, entry);
      const { inode } = entry;
      const target = inode === undefined ? undefined : firsts.get(inode);
      if (inode !== undefined && target === undefined) firsts.set(inode, entry.path);
      yield { kind: "set", entry: target === undefined ? await onDisk(entry) : linkTo(target, entry) };
    }
    if (!hasTop) yield { kind: "set", entry: folderEntry(under) };
  }
}

function placed(entry: Entry, under: string): Entry {
  const path = `${under}/${entry.path}`;
  // A hard link names another path of the export; a symlink's text stays what the image says.
  return entry.type === "hardlink" ? { ...entry, path, target: `${under}/${entry.target}` } : { ...entry, path };
}

/** The folder of one platform, like the root of its files, which comes first. */
function folderEntry(path: string, root?: Entry): Entry {
  if (root?.path === "" && root.type === "directory") return { ...root, path };
  return { path, type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
}

/** Which of the two a reader would find depends on the order of platforms: nobody means that. */
function twice(path: string): WbuildError {
  return new WbuildError(
    "CLI_OUTPUT",
    `two platforms of the export have a file ${JSON.stringify(path.slice(0, 200))}`,
    {
      facts: { path },
      hint: "leave out platform-split=false, or let each platform write other names",
    },
  );
}

function linkTo(target: string, entry: Entry): Entry {
  const { content: _, digest: __, inode: ___, ...rest } = entry;
  return { ...rest, type: "hardlink", size: 0, target };
}

/** The one file that a tree is written to, in the shape that the layer writer wants. */
function fileTarget(path: string): Pick<BlobFiles, "reserve" | "path"> {
  return {
    path: () => path,
    reserve: async () => ({ path, commit: async (blob) => blob, [Symbol.asyncDispose]: async () => undefined }),
  };
}
