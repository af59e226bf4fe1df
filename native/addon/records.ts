/**
 * Records: the changes of a layer as bytes, the common tongue of TypeScript and C++ (docs/formats/layer.md, "Records").
 * The C++ twin is record.cc. Little endian; every length is checked against the record's end before it is used.
 */
import { WbuildError } from "../error.ts";
import { bytesOfName, nameOfBytes } from "./raw-bytes.ts";

export type RecordType = "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character" | "block";

/** The fields of layerfs' Entry, said again here because native imports nothing of the other rooms. */
export interface RecordEntry {
  readonly path: string;
  readonly type: RecordType;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly pax?: ReadonlyMap<string, Uint8Array>;
  readonly digest?: `sha256:${string}`;
}

/** What lstat tells besides; only records of a walk have it. */
export interface RecordInode {
  readonly ino: bigint;
  readonly dev: bigint;
  readonly ctimeNs: bigint;
  readonly nlink: number;
}

export type RecordContent =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "stream" };

export type RecordChange =
  | { readonly kind: "set"; readonly entry: RecordEntry; readonly inode?: RecordInode }
  | { readonly kind: "delete"; readonly path: string }
  | { readonly kind: "clear"; readonly path: string };

const types: readonly RecordType[] = ["file", "directory", "symlink", "hardlink", "fifo", "character", "block"];
const kinds = ["set", "delete", "clear"] as const;
const contents = { file: 1, bytes: 2, stream: 3 } as const;
const headSize = 48;
const hasTarget = 1;
const hasDevice = 2;
const hasPax = 4;
const hasDigest = 8;
const hasContent = 16;
const hasStat = 32;
const second = 1_000_000_000n;

/** Collects records into one growing buffer. */
export class RecordWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 64 * 1024) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  /** Bytes written and not taken. */
  get length(): number {
    return this.#length;
  }

  /** The records so far, until the next is added. */
  written(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The records so far; the writer starts again with a new buffer. */
  take(): Buffer {
    const out = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafe(this.#buffer.length);
    this.#length = 0;
    return out;
  }

  /** Throws LAYER_NAME for paths and targets that stand for no bytes. */
  addSet(entry: RecordEntry, content?: RecordContent): void {
    const start = this.#head(1, entry.path, entry.target, types.indexOf(entry.type));
    let flags = entry.target === undefined ? 0 : hasTarget;
    const { mtimeNs } = entry;
    let seconds = mtimeNs / second;
    let nanos = mtimeNs - seconds * second;
    if (nanos < 0n) {
      seconds -= 1n;
      nanos += second;
    }
    const wide = Number(seconds);
    let b = this.#buffer;
    b.writeUInt32LE(entry.mode & 0o7777, start + 8);
    b.writeUInt32LE(entry.uid, start + 12);
    b.writeUInt32LE(entry.gid, start + 16);
    b.writeUInt32LE(Number(nanos), start + 20);
    b.writeUInt32LE(wide >>> 0, start + 24);
    b.writeInt32LE(Math.floor(wide / 4294967296), start + 28);
    b.writeUInt32LE(entry.size >>> 0, start + 32);
    b.writeUInt32LE(Math.floor(entry.size / 4294967296), start + 36);
    if (entry.device !== undefined) {
      flags |= hasDevice;
      const at = this.#room(8);
      this.#buffer.writeUInt32LE(entry.device.major, at);
      this.#buffer.writeUInt32LE(entry.device.minor, at + 4);
    }
    if (entry.pax !== undefined && entry.pax.size > 0) {
      flags |= hasPax;
      this.#pax(entry.pax);
    }
    if (entry.digest !== undefined) {
      flags |= hasDigest;
      const at = this.#room(32);
      this.#buffer.write(entry.digest.slice("sha256:".length), at, 32, "hex");
    }
    if (content !== undefined) {
      flags |= hasContent;
      const bytes =
        content.kind === "file"
          ? bytesOfName(content.path)
          : content.kind === "bytes"
            ? content.bytes
            : new Uint8Array();
      const at = this.#room(5 + bytes.length);
      this.#buffer[at] = contents[content.kind];
      this.#buffer.writeUInt32LE(bytes.length, at + 1);
      this.#buffer.set(bytes, at + 5);
    }
    b = this.#buffer;
    b.writeUInt16LE(flags, start + 6);
    b.writeUInt32LE(this.#length - start, start);
  }

  addMark(kind: "delete" | "clear", path: string): void {
    const start = this.#head(kind === "delete" ? 2 : 3, path, undefined, 0);
    this.#buffer.writeUInt32LE(this.#length - start, start);
  }

  /** Writes the fixed part, zeroed, with path and target behind it. Gives its offset. */
  #head(kind: number, path: string, target: string | undefined, type: number): number {
    // Three bytes are the most that one UTF-16 unit becomes.
    const start = this.#room(headSize + 3 * (path.length + (target?.length ?? 0)));
    const b = this.#buffer;
    b.fill(0, start, start + headSize);
    b[start + 4] = kind;
    b[start + 5] = type;
    const pathSize = this.#name(path, start + headSize);
    b.writeUInt32LE(pathSize, start + 40);
    let end = start + headSize + pathSize;
    if (target !== undefined) {
      const targetSize = this.#name(target, end);
      b.writeUInt32LE(targetSize, start + 44);
      end += targetSize;
    }
    this.#length = end;
    return start;
  }

  #name(name: string, at: number): number {
    if (!/[\0\ud800-\udfff]/.test(name)) return this.#buffer.write(name, at, "utf8");
    const bytes = bytesOfName(name);
    this.#buffer.set(bytes, at);
    return bytes.length;
  }

  #pax(pax: ReadonlyMap<string, Uint8Array>): void {
    this.#buffer.writeUInt32LE(pax.size, this.#room(4));
    for (const key of [...pax.keys()].sort()) {
      const value = pax.get(key) ?? new Uint8Array();
      const name = bytesOfName(key);
      const at = this.#room(8 + name.length + value.length);
      this.#buffer.writeUInt32LE(name.length, at);
      this.#buffer.writeUInt32LE(value.length, at + 4);
      this.#buffer.set(name, at + 8);
      this.#buffer.set(value, at + 8 + name.length);
    }
  }

  /** Reserves bytes at the end; gives their offset. */
  #room(size: number): number {
    const at = this.#length;
    if (at + size > this.#buffer.length) {
      const bigger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + size));
      this.#buffer.copy(bigger, 0, 0, at);
      this.#buffer = bigger;
    }
    this.#length = at + size;
    return at;
  }
}

/** All records in these bytes. Throws LAYER_RECORD for bytes that are none. */
export function decodeRecords(bytes: Uint8Array, from = 0): RecordChange[] {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out: RecordChange[] = [];
  for (let at = from; at < b.length; ) {
    const end = endOf(b, at);
    out.push(decodeOne(b, at, end));
    at = end;
  }
  return out;
}

/** The record that begins there. Throws LAYER_RECORD. */
export function decodeRecord(bytes: Buffer, at: number): RecordChange {
  return decodeOne(bytes, at, endOf(bytes, at));
}

/** The same records in pieces of about so many bytes. Throws LAYER_RECORD. */
export function* recordPieces(records: Uint8Array, size: number): Generator<Uint8Array> {
  const b = Buffer.from(records.buffer, records.byteOffset, records.byteLength);
  for (let from = 0, at = 0; from < b.length; from = at) {
    while (at < b.length && at - from < size) at = endOf(b, at);
    yield b.subarray(from, at);
  }
}

/** Bytes of the record that begins there. Throws LAYER_RECORD for one that does not end before `bytes` do. */
export function recordSize(bytes: Buffer, at: number): number {
  return endOf(bytes, at) - at;
}

function endOf(b: Buffer, at: number): number {
  if (b.length - at < headSize) throw bad("is cut short");
  const length = b.readUInt32LE(at);
  if (length < headSize || length > b.length - at) throw bad("has no possible length");
  return at + length;
}

/** Where a record lies in its bytes, and the two fields that say what it is about. */
export interface RecordHead {
  readonly path: string;
  readonly type: RecordType;
  readonly start: number;
  readonly end: number;
}

/** The heads of all records, for whoever compares or drops records without reading them. Throws LAYER_RECORD. */
export function decodeHeads(bytes: Uint8Array): RecordHead[] {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const heads: RecordHead[] = [];
  for (let at = 0; at < b.length; ) {
    if (b.length - at < headSize) throw bad("is cut short");
    const length = b.readUInt32LE(at);
    if (length < headSize || length > b.length - at) throw bad("has no possible length");
    const type = types[b[at + 5] ?? 255];
    const pathSize = b.readUInt32LE(at + 40);
    if (type === undefined) throw bad("has an unknown kind");
    if (pathSize > length - headSize) throw bad("is cut short");
    heads.push({ path: decodeName(b, at + headSize, pathSize), type, start: at, end: at + length });
    at += length;
  }
  return heads;
}

/** True when two records of a walk are names of one file. Only what each record ends with is looked at. */
export function hasHardLinks(bytes: Uint8Array): boolean {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const seen = new Set<string>();
  for (let at = 0; at < b.length; ) {
    if (b.length - at < headSize) throw bad("is cut short");
    const length = b.readUInt32LE(at);
    if (length < headSize || length > b.length - at) throw bad("has no possible length");
    const stat = at + length - 32;
    const isFile = types[b[at + 5] ?? 255] === "file";
    if (isFile && b.readUInt16LE(at + 6) & hasStat && b.readUInt32LE(stat + 20) > 1) {
      const identity = b.toString("latin1", stat, stat + 8) + b.toString("latin1", stat + 24, stat + 32);
      if (seen.has(identity)) return true;
      seen.add(identity);
    }
    at += length;
  }
  return false;
}

function decodeOne(b: Buffer, at: number, end: number): RecordChange {
  const kind = kinds[(b[at + 4] ?? 0) - 1];
  const type = types[b[at + 5] ?? 255];
  const flags = b.readUInt16LE(at + 6);
  if (kind === undefined || type === undefined || flags > 63) throw bad("has an unknown kind");
  const pathSize = b.readUInt32LE(at + 40);
  const targetSize = b.readUInt32LE(at + 44);
  let next = at + headSize;
  const take = (size: number): number => {
    const here = next;
    if (size > end - here) throw bad("is cut short");
    next = here + size;
    return here;
  };
  const path = decodeName(b, take(pathSize), pathSize);
  if (kind !== "set") return { kind, path };
  const target = flags & hasTarget ? decodeName(b, take(targetSize), targetSize) : undefined;
  const entry: { -readonly [K in keyof RecordEntry]: RecordEntry[K] } = {
    path,
    type,
    mode: b.readUInt32LE(at + 8),
    uid: b.readUInt32LE(at + 12),
    gid: b.readUInt32LE(at + 16),
    size: b.readUInt32LE(at + 32) + b.readUInt32LE(at + 36) * 4294967296,
    mtimeNs: b.readBigInt64LE(at + 24) * second + BigInt(b.readUInt32LE(at + 20)),
  };
  if (!Number.isSafeInteger(entry.size)) throw bad("has an impossible size");
  if (target !== undefined) entry.target = target;
  if (flags & hasDevice) {
    const device = take(8);
    entry.device = { major: b.readUInt32LE(device), minor: b.readUInt32LE(device + 4) };
  }
  if (flags & hasPax) {
    const pax = new Map<string, Uint8Array>();
    for (let left = b.readUInt32LE(take(4)); left > 0; left--) {
      const sizes = take(8);
      const keySize = b.readUInt32LE(sizes);
      const valueSize = b.readUInt32LE(sizes + 4);
      const key = decodeName(b, take(keySize), keySize);
      const value = take(valueSize);
      pax.set(key, Uint8Array.prototype.slice.call(b, value, value + valueSize));
    }
    entry.pax = pax;
  }
  if (flags & hasDigest) {
    const digest = take(32);
    entry.digest = `sha256:${b.toString("hex", digest, digest + 32)}`;
  }
  if (flags & hasContent) {
    const content = take(5);
    take(b.readUInt32LE(content + 1));
  }
  if (!(flags & hasStat)) return { kind, entry };
  const stat = take(32);
  return {
    kind,
    entry,
    inode: {
      ino: b.readBigUInt64LE(stat),
      ctimeNs: b.readBigInt64LE(stat + 8) * second + BigInt(b.readUInt32LE(stat + 16)),
      nlink: b.readUInt32LE(stat + 20),
      dev: b.readBigUInt64LE(stat + 24),
    },
  };
}

function decodeName(b: Buffer, at: number, size: number): string {
  if (size === 0) return "";
  const text = b.toString("utf8", at, at + size);
  return text.includes("\ufffd") ? nameOfBytes(b.subarray(at, at + size)) : text;
}

function bad(how: string): WbuildError {
  return new WbuildError("LAYER_RECORD", `a record of a layer ${how}`);
}
