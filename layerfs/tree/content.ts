/** The bytes of entries, read so that no link leads out of the folder they are said to be in. */
import { constants } from "node:fs";
import { type FileHandle, open, readlink, realpath } from "node:fs/promises";
import { bytesOfName } from "../../native/addon/raw-bytes.ts";
import { WbuildError } from "../../native/error.ts";
import type { Content, Entry } from "../layer/entry.ts";

const chunkBytes = 256 * 1024;

/** Throws TREE_NO_CONTENT for what is no regular file, or whose file cannot be read. */
export function noContent(entry: Pick<Entry, "path" | "type">, cause?: unknown): WbuildError {
  return new WbuildError("TREE_NO_CONTENT", `cannot read ${JSON.stringify(entry.path)}`, {
    facts: { path: entry.path, type: entry.type },
    cause,
  });
}

/** Reads content of any kind. Throws TREE_NO_CONTENT. */
export async function* readContent(entry: Entry, content: Content): AsyncIterable<Uint8Array> {
  if (content.kind === "bytes") {
    yield content.bytes;
  } else if (content.kind === "stream") {
    yield* content.open();
  } else {
    await using file = await openPlain(entry, content.path);
    yield* chunksOf(entry, file);
  }
}

/**
 * Reads a file below a folder. The attack: a folder on the way is exchanged for a symlink to /etc between looking and
 * opening. The kernel says what was opened in the end, and that must be the path we meant.
 */
export async function* readInside(entry: Entry, root: string, path: string): AsyncIterable<Uint8Array> {
  await using file = await openInside(entry, root, path);
  yield* chunksOf(entry, file);
}

async function openInside(entry: Entry, root: string, path: string): Promise<FileHandle> {
  const file = await openPlain(entry, `${root}/${path}`);
  try {
    const opened = await readlink(`/proc/self/fd/${file.fd}`, { encoding: "buffer" });
    const top = await realpath(root);
    const meant = bytesOfName(`${top === "/" ? "" : top}/${path}`);
    if (!opened.equals(meant)) throw noContent(entry, new Error("a link leads elsewhere"));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openPlain(entry: Entry, path: string): Promise<FileHandle> {
  try {
    // Not a link, and no waiting for somebody to open the other end of a fifo that has taken the file's place.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
    const file = await open(bytesOfName(path), flags);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (cause) {
    throw noContent(entry, cause);
  }
  throw noContent(entry, new Error("not a regular file"));
}

async function* chunksOf(entry: Entry, file: FileHandle): AsyncIterable<Uint8Array> {
  for (;;) {
    const buffer = Buffer.allocUnsafeSlow(chunkBytes);
    let bytesRead: number;
    try {
      ({ bytesRead } = await file.read(buffer, 0, chunkBytes, null));
    } catch (cause) {
      throw noContent(entry, cause);
    }
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}
