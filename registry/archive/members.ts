/**
 * The files of an archive of images as one stream of members, whether it is a tar (file or pipe) or a folder.
 * Members are foreign: names are checked here, and nothing is ever written under a name that they give.
 */
import { constants } from "node:fs";
import { lstat, open, opendir, readlink } from "node:fs/promises";
import { join, posix } from "node:path";
import { type Readable, Readable as Streams } from "node:stream";
import { pipeline } from "node:stream/promises";
import { WbuildError } from "../../native/error.ts";

export interface Member {
  /** Normal form, with slashes, inside the archive. */
  readonly name: string;
  /** What a link names, as a member's name; undefined for a file. */
  readonly target?: string;
  readonly size: number;
  /** To be read at most once, before the next member is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

export type Compression = "gzip" | "zstd" | "xz" | "bzip2";
/** Given by the caller: this room knows no codec. */
export type Decompress = (bytes: AsyncIterable<Uint8Array>, compression: Compression) => AsyncIterable<Uint8Array>;

/** Attack: an archive of endless tiny members keeps a host busy for ever. No real one has a tenth of this. */
const maxMembers = 200_000;
const maxFolderDepth = 6;
const tarHeadBytes = 512;

/** Members of a tar, which may be compressed. Throws REG_ARCHIVE for what is damaged, cut off or leaves the archive. */
export async function* tarMembers(
  bytes: AsyncIterable<Uint8Array>,
  decompress: Decompress | undefined,
  signal?: AbortSignal,
): AsyncGenerator<Member> {
  const { extract } = await import("tar-stream");
  const tar = extract();
  const source = until(bytes, signal);
  const plain = await decompressed(source, decompress).catch((error: unknown) => {
    void source.return(undefined);
    throw error;
  });
  // The iteration below throws what goes wrong here; this promise only must not be left alone with it.
  const feeding = pipeline(Streams.from(plain, { objectMode: false, highWaterMark: 1024 * 1024 }), tar).catch(
    (error) => {
      tar.destroy(error as Error);
    },
  );
  let count = 0;
  try {
    for await (const entry of tar) {
      if (++count > maxMembers) throw damaged(`it has more than ${maxMembers} members`);
      const { header } = entry;
      const name = memberName(header.name);
      if (header.type === "file" || header.type === "contiguous-file")
        yield { name, size: header.size ?? 0, bytes: explained(entry as AsyncIterable<Uint8Array>, signal) };
      else if (header.type === "link" || header.type === "symlink") {
        const link = header.linkname ?? "";
        const target = memberName(header.type === "link" ? link : posix.join(posix.dirname(name), link));
        yield { name, target, size: 0, bytes: none() };
      }
      entry.resume();
    }
    await feeding;
  } catch (error) {
    throw asDamage(error, signal);
  } finally {
    tar.destroy();
    // Not waited for: a pipe whose other end says nothing more would never answer.
    void source.return(undefined).catch(() => {});
  }
}

/** The bytes of a member; what breaks while they are read is the archive's fault, not that of who reads. */
async function* explained(bytes: AsyncIterable<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw asDamage(error, signal);
  }
}

async function* until(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, undefined> {
  for await (const part of bytes) {
    signal?.throwIfAborted();
    yield part;
  }
}

/** An abort is no damage, whatever words the codecs on the way find for it. */
function asDamage(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return signal.reason;
  return error instanceof WbuildError ? error : damaged(reasonOf(error), error);
}

/** Members of a folder that holds an unpacked archive. Throws REG_ARCHIVE. */
export async function* folderMembers(folder: string, under = "", depth = 0): AsyncGenerator<Member> {
  if (depth > maxFolderDepth) return;
  let count = 0;
  for await (const entry of await opendir(join(folder, under))) {
    if (++count > maxMembers) throw damaged(`its folder has more than ${maxMembers} members`);
    const name = under === "" ? entry.name : `${under}/${entry.name}`;
    const path = join(folder, name);
    if (entry.isDirectory()) yield* folderMembers(folder, name, depth + 1);
    else if (entry.isSymbolicLink()) {
      const link = await readlink(path);
      // A link is only ever another name of a member: it is never followed on this host's disk.
      if (!link.startsWith("/"))
        yield { name, target: memberName(posix.join(posix.dirname(name), link)), size: 0, bytes: none() };
    } else if (entry.isFile()) yield { name, size: (await lstat(path)).size, bytes: fileBytes(path) };
  }
}

/** A file's bytes; a link in its place is refused. */
export async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  // Attack: a layout whose blob is a link to /etc/shadow, or a fifo that never ends.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw damaged(`${path} is no plain file`);
    const stream: Readable = handle.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 });
    yield* stream as AsyncIterable<Uint8Array>;
  } finally {
    await handle.close();
  }
}

/** What the first bytes say about compression. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const hex = Buffer.from(head.subarray(0, 6)).toString("hex");
  if (hex.startsWith("1f8b")) return "gzip";
  if (hex.startsWith("28b52ffd")) return "zstd";
  if (hex.startsWith("fd377a585a00")) return "xz";
  return hex.startsWith("425a68") ? "bzip2" : undefined;
}

/** At least `size` first bytes (fewer at a short end), and the whole stream again. */
async function peek(
  bytes: AsyncIterable<Uint8Array>,
  size: number,
): Promise<{ head: Uint8Array; whole: AsyncIterable<Uint8Array> }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const rest = bytes[Symbol.asyncIterator]();
  let isDone = false;
  while (length < size && !isDone) {
    const next = await rest.next();
    isDone = next.done === true;
    if (next.done !== true) {
      parts.push(next.value);
      length += next.value.length;
    }
  }
  async function* whole() {
    try {
      yield* parts;
      for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
    } finally {
      await rest.return?.();
    }
  }
  return { head: Buffer.concat(parts).subarray(0, size), whole: whole() };
}

/** REG_ARCHIVE with a reason. */
export function damaged(why: string, cause?: unknown): WbuildError {
  return new WbuildError(
    "REG_ARCHIVE",
    `cannot read the archive of images: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

async function decompressed(
  bytes: AsyncIterable<Uint8Array>,
  decompress: Decompress | undefined,
): Promise<AsyncIterable<Uint8Array>> {
  const { head, whole } = await peek(bytes, tarHeadBytes);
  if (head.length === 0) throw damaged("it is empty");
  const compression = compressionOf(head);
  if (compression === undefined && head.length < tarHeadBytes)
    throw damaged(`it is no tar: it ends after ${head.length} bytes, before the head of a first file would`);
  if (compression === undefined) return whole;
  if (!decompress) throw damaged(`it is compressed with ${compression}, which cannot be read here`);
  return decompress(whole, compression);
}

/** Attack: `../../etc/cron.d/x` as a member's name. Nothing is unpacked by name, and such archives are refused as well. */
function memberName(text: string): string {
  const name = posix.normalize(text).replace(/\/+$/, "");
  if (name.startsWith("/") || name === ".." || name.startsWith("../") || name.includes("\0"))
    throw damaged(`its member ${JSON.stringify(text.slice(0, 200))} leads out of it`);
  return name;
}

/** tar-stream's and zlib's words for the usual accidents. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/unexpected end|premature|ended early|truncated|aborted/i.test(message)) return "it is cut off before its end";
  if (/invalid tar header|invalid header|exceeds max/i.test(message)) return "it is no tar, or is damaged";
  const code = (error as { code?: unknown }).code;
  return typeof code === "string" ? `it cannot be read (${code})` : "it is damaged";
}

async function* none(): AsyncGenerator<Uint8Array> {}
