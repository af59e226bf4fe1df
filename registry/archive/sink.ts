/** Where an archive is written to: a tar (file or pipe) or a folder. A file or folder entry is there whole or not at all. */
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { makeFolder } from "../../layerfs/store/make-folder.ts";
import { WbuildError } from "../../native/error.ts";
import { layoutFile } from "./layout.ts";

export interface Sink {
  /** Members come one after the other. */
  add(name: string, size: number, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<void>;
  finish(): Promise<void>;
  /** Removes what was begun. */
  abort(): Promise<void>;
}

/** A tar on a stream that stays open (standard output). */
export async function tarStreamSink(stream: Writable): Promise<Sink> {
  return tarSink(
    // Through Node's own iteration: tar-stream's pipe would end the stream.
    (tar) => pipeline(Readable.from(tar), stream, { end: false }),
    async () => {},
  );
}

/** A tar file, which takes its name only when it is complete; a device or pipe is written to. */
export async function tarFileSink(path: string): Promise<Sink> {
  const there = await stat(path).catch(() => undefined);
  // The accident: root writes to /dev/null, and a rename would put a file in its place.
  if (there && !there.isFile() && !there.isDirectory()) {
    return tarSink(
      (tar) => pipeline(tar, createWriteStream(path)),
      async () => {},
    );
  }
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const write = async (tar: Readable) => {
    await pipeline(tar, createWriteStream(temporary, { flags: "wx", highWaterMark: 4 * 1024 * 1024 }));
    await rename(temporary, path);
  };
  return tarSink(
    (tar) => write(tar).catch((error) => Promise.reject(cannotWrite(path, error))),
    () => rm(temporary, { force: true }),
  );
}

async function tarSink(write: (tar: Readable) => Promise<void>, clean: () => Promise<void>): Promise<Sink> {
  const { pack } = await import("tar-stream");
  const tar = pack();
  const failures: unknown[] = [];
  const writing = write(tar as unknown as Readable).catch((error: unknown) => {
    failures.push(error);
    tar.destroy();
  });
  return {
    async add(name, size, bytes) {
      if (failures.length > 0) throw failures[0];
      // No times, owners or names of this host: the same images give the same archive.
      const entry = tar.entry({ name, size, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 });
      let ofSource: { readonly error: unknown } | undefined;
      const read = async function* () {
        try {
          yield* bytes instanceof Uint8Array ? [bytes] : bytes;
        } catch (error) {
          ofSource = { error };
          throw error;
        }
      };
      try {
        await pipeline(read, entry);
      } catch (error) {
        // What ends the source ends the file, too, and is no fault of the file.
        if (ofSource) throw ofSource.error;
        await Promise.race([writing, new Promise((resolve) => setImmediate(resolve))]);
        throw failures.length > 0 ? failures[0] : error;
      }
    },
    async finish() {
      tar.finalize();
      await writing;
      if (failures.length > 0) throw failures[0];
    },
    async abort() {
      tar.destroy(new Error("given up"));
      await writing;
      await clean();
    },
  };
}

/** A folder; blobs that it already has stay. Throws REG_ARCHIVE_TARGET when something else lies there. */
export async function folderSink(folder: string): Promise<Sink> {
  try {
    makeFolder(folder);
    const names = await readdir(folder);
    if (names.length > 0 && !names.includes(layoutFile))
      throw new WbuildError("REG_ARCHIVE_TARGET", `${folder} is not empty and is no OCI layout`, {
        facts: { path: folder },
        hint: "name a new or empty folder",
      });
  } catch (error) {
    throw cannotWrite(folder, error);
  }
  return fileSink(folder);
}

/** Files below a folder that is there, each whole or not at all. */
export function fileSink(folder: string): Sink {
  return {
    async add(name, size, bytes) {
      const path = join(folder, name);
      const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
      try {
        await mkdir(dirname(path), { recursive: true });
        const handle = await open(temporary, "wx", 0o644);
        try {
          let written = 0;
          for await (const part of bytes instanceof Uint8Array ? [bytes] : bytes) {
            await handle.write(part);
            written += part.length;
          }
          if (written !== size) throw new Error(`${written} bytes instead of ${size}`);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw cannotWrite(path, error);
      }
    },
    async finish() {},
    // What was written of blobs stands under its digest and harms nobody; index.json comes last.
    async abort() {},
  };
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "you may not write there",
  EISDIR: "a folder is there",
  ENOENT: "its folder is not there",
  ENOSPC: "the disk is full",
  ENOTDIR: "what should be its folder is a file",
  EROFS: "the file system is read-only",
};

function cannotWrite(path: string, error: unknown): WbuildError {
  if (error instanceof WbuildError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const why = reasons[code ?? ""] ?? code ?? message;
  return new WbuildError("REG_ARCHIVE_TARGET", `cannot write ${path}: ${why}`, {
    facts: { path, errno: code },
    cause: error,
  });
}
