/**
 * Reads zip archives (PKWARE APPNOTE 6.3): stored and deflated files, names, sizes over 4 GiB. Every offset, size and
 * checksum is foreign and checked. It makes no files: names are for the reader to judge.
 */
import type { FileHandle } from "node:fs/promises";
import { crc32, createInflateRaw } from "node:zlib";
import { WbuildError } from "../../native/error.ts";

export interface ZipEntry {
  /** As stored, with slashes; a folder's without the last one. Not checked. */
  readonly name: string;
  readonly type: "file" | "directory" | "symlink";
  /** Bytes of the content, as the archive says; reading throws when they are others. */
  readonly size: number;
  /** Seconds since 1970; the archive's local time is taken for UTC. */
  readonly mtimeSeconds: number;
  readonly crc: number;
  readonly compressed: number;
  readonly method: number;
  /** Of the local header. */
  readonly offset: number;
}

const endSize = 22;
const longestComment = 0xffff;
const largestDirectory = 256 << 20;

/** The central directory. Throws WIN_ARCHIVE for what is no sound zip archive, or one with a password. */
export async function zipEntries(file: FileHandle): Promise<ZipEntry[]> {
  const { size: total } = await file.stat();
  const tail = await bytesAt(
    file,
    Math.max(0, total - endSize - longestComment),
    Math.min(total, endSize + longestComment),
  );
  const end = tail.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0 || end + endSize > tail.length) throw broken("it has no directory at its end");
  let count = tail.readUInt16LE(end + 10);
  let size = tail.readUInt32LE(end + 12);
  let offset = tail.readUInt32LE(end + 16);
  if (end >= 20 && tail.readUInt32LE(end - 20) === 0x07064b50) {
    const at = safe(tail.readBigUInt64LE(end - 20 + 8));
    const wide = await bytesAt(file, at, 56);
    if (wide.length < 56 || wide.readUInt32LE(0) !== 0x06064b50) throw broken("its directory's end is damaged");
    count = safe(wide.readBigUInt64LE(32));
    size = safe(wide.readBigUInt64LE(40));
    offset = safe(wide.readBigUInt64LE(48));
  }
  if (size > largestDirectory || offset + size > total) throw broken("its directory does not fit into it");
  const directory = await bytesAt(file, offset, size);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (; entries.length < count; ) {
    const found = readEntry(directory, at);
    entries.push(found.entry);
    at = found.next;
  }
  return entries;
}

function readEntry(b: Buffer, at: number): { entry: ZipEntry; next: number } {
  if (at + 46 > b.length || b.readUInt32LE(at) !== 0x02014b50) throw broken("its directory is damaged");
  const flags = b.readUInt16LE(at + 8);
  const nameEnd = at + 46 + b.readUInt16LE(at + 28);
  const extraEnd = nameEnd + b.readUInt16LE(at + 30);
  const next = extraEnd + b.readUInt16LE(at + 32);
  if (next > b.length) throw broken("its directory is damaged");
  const raw = b.subarray(at + 46, nameEnd);
  const name = raw.toString(flags & 0x800 || isAscii(raw) ? "utf8" : "latin1").replaceAll("\\", "/");
  if (flags & 1) throw broken(`${JSON.stringify(name)} is encrypted`);
  const numbers = [b.readUInt32LE(at + 24), b.readUInt32LE(at + 20), b.readUInt32LE(at + 42)];
  const [size = 0, compressed = 0, offset = 0] = widened(numbers, b.subarray(nameEnd, extraEnd));
  const isUnix = b.readUInt8(at + 5) === 3;
  const mode = isUnix ? b.readUInt32LE(at + 38) >>> 28 : 0;
  const entry: ZipEntry = {
    name: name.replace(/\/+$/, ""),
    type: name.endsWith("/") ? "directory" : mode === 0o12 ? "symlink" : "file",
    ...{ size, compressed, offset },
    method: b.readUInt16LE(at + 10),
    crc: b.readUInt32LE(at + 16),
    mtimeSeconds: dosTime(b.readUInt16LE(at + 14), b.readUInt16LE(at + 12)),
  };
  return { entry, next };
}

/** Numbers that do not fit are in extra field 1, in this order (APPNOTE 4.5.3). */
function widened(numbers: readonly number[], extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let from = at + 4;
    const end = Math.min(extra.length, from + extra.readUInt16LE(at + 2));
    return numbers.map((number) => {
      if (number !== 0xffffffff) return number;
      if (from + 8 > end) throw broken("a size over 4 GiB is missing");
      from += 8;
      return safe(extra.readBigUInt64LE(from - 8));
    });
  }
  return [...numbers];
}

/**
 * The content of a file. Throws WIN_ARCHIVE when it is not what the directory says: a longer one is cut off at once, so a
 * small archive cannot become more than it told.
 */
export async function* zipContent(file: FileHandle, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const { name, method, offset, compressed, size } = entry;
  const head = await bytesAt(file, offset, 30);
  if (head.length < 30 || head.readUInt32LE(0) !== 0x04034b50) throw broken(`${JSON.stringify(name)} is damaged`);
  if (method !== 0 && method !== 8) throw broken(`${JSON.stringify(name)} is compressed by method ${method}`);
  const start = offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  let seen = 0;
  let sum = 0;
  try {
    for await (const piece of method === 0 ? stored(file, start, compressed) : inflated(file, start, compressed)) {
      seen += piece.length;
      if (seen > size) throw broken(`${JSON.stringify(name)} is longer than the archive says`);
      sum = crc32(piece, sum);
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof WbuildError) throw cause;
    throw broken(`${JSON.stringify(name)} cannot be decompressed`, cause);
  }
  if (seen !== size || sum !== entry.crc) throw broken(`${JSON.stringify(name)} is not what the archive says`);
}

async function* stored(file: FileHandle, start: number, length: number): AsyncGenerator<Buffer> {
  const step = 1 << 18;
  for (let at = 0; at < length; at += step) {
    const piece = await bytesAt(file, start + at, Math.min(step, length - at));
    if (piece.length === 0) return;
    yield piece;
  }
}

async function* inflated(file: FileHandle, start: number, length: number): AsyncGenerator<Buffer> {
  const { Readable } = await import("node:stream");
  const source = Readable.from(stored(file, start, length));
  const inflate = createInflateRaw();
  source.on("error", (error) => inflate.destroy(error));
  try {
    yield* source.pipe(inflate) as AsyncIterable<Buffer>;
  } finally {
    source.destroy();
    inflate.destroy();
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  return bytes.subarray(0, bytesRead);
}

function dosTime(date: number, time: number): number {
  const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
  return Math.max(0, Math.floor(Date.UTC(year, month - 1, day, time >> 11, (time >> 5) & 63, (time & 31) * 2) / 1000));
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken("it says sizes that cannot be");
  return Number(value);
}

function broken(why: string, cause?: unknown): WbuildError {
  return new WbuildError("WIN_ARCHIVE", `the zip archive cannot be read: ${why}`, cause === undefined ? {} : { cause });
}
