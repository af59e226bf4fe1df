/** The last stage's files as one tree: a tar, or a folder on this host (`-o type=tar|local`, `wbuild export`). */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { unpackLayer } from "../../layerfs/layer/unpack.ts";
import { writeLayer } from "../../layerfs/layer/write.ts";
import type { BlobFiles } from "../../layerfs/store/blob-store.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { driveTree } from "../../layerfs/windows/drive.ts";
import { toLinux } from "../../layerfs/windows/to-linux.ts";

export interface TreeStyle {
  /** Seconds since 1970 that no time may exceed. */
  readonly epochSeconds?: number;
  /** The image's: of Windows the files of drive C: are written, as Linux has files. Usual: linux. */
  readonly os?: string;
}

/** Writes a tree as an uncompressed tar to a path. The file appears whole or not at all; a device or pipe is written to. */
export async function exportTar(tree: Tree, path: string, style: TreeStyle): Promise<void> {
  const target = resolve(path);
  const there = await stat(target).catch(() => undefined);
  if (there && !there.isFile() && !there.isDirectory()) {
    // The accident: root writes to /dev/null, and a rename would put a file in its place.
    await using file = await temporaryTar(tree, tmpdir(), style);
    return pipeline(createReadStream(file.path, { highWaterMark: 1 << 20 }), createWriteStream(target));
  }
  await mkdir(dirname(target), { recursive: true });
  await using file = await temporaryTar(tree, dirname(target), style);
  await rename(file.path, target);
}

/** Writes a tree as an uncompressed tar to a stream, which is left open. */
export async function streamTar(tree: Tree, to: Writable, scratch: string, style: TreeStyle): Promise<void> {
  await using file = await temporaryTar(tree, scratch, style);
  await pipeline(createReadStream(file.path, { highWaterMark: 1 << 20 }), to, { end: false });
}

/** Writes a tree into a folder that may hold other files: those of the same name are replaced, the rest stays. */
export async function exportFolder(tree: Tree, path: string, scratch: string, style: TreeStyle): Promise<void> {
  const target = resolve(path);
  await mkdir(target, { recursive: true });
  await using file = await temporaryTar(tree, scratch, style);
  await unpackLayer({ path: file.path }, target, { form: "plain" });
}

async function filesOf(tree: Tree, os: string | undefined): Promise<readonly Entry[]> {
  return os === "windows" ? (await driveTree(tree).walk("")).map(toLinux) : tree.walk("");
}

/** With paths for what would come as streams: the native writer reads files at once, streams one piece at a time. */
async function onDisk(entries: readonly Entry[]): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  for (const entry of entries) {
    const path = entry.content?.kind === "stream" ? await entry.content.file?.() : undefined;
    found.push(path === undefined ? entry : { ...entry, content: { kind: "file", path } });
  }
  return found;
}

async function temporaryTar(tree: Tree, folder: string, { os, ...style }: TreeStyle) {
  const temporary = await mkdtemp(join(folder, ".wbuild-"));
  const path = join(temporary, "tree.tar");
  const remove = () => rm(temporary, { recursive: true, force: true });
  try {
    await writeLayer(changesOf(await onDisk(await filesOf(tree, os))), fileTarget(path), {
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

function* changesOf(entries: readonly Entry[]): Generator<Change> {
  // A tree shows hard links as files: they become links again.
  const firsts = new Map<object, string>();
  for (const entry of entries) {
    if (entry.path === "") continue;
    const { inode } = entry;
    const target = inode === undefined ? undefined : firsts.get(inode);
    if (inode !== undefined && target === undefined) firsts.set(inode, entry.path);
    yield { kind: "set", entry: target === undefined ? entry : linkTo(target, entry) };
  }
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
