/**
 * The functions of native.node, typed and documented. Options are checked and made plain here, so C++ meets only
 * what it expects. All work runs off the main thread; nothing but this folder imports load.ts.
 */
import { getSystemErrorName } from "node:util";
import { type ErrorCode, WbuildError } from "../error.ts";
import { loadAddon } from "./load.ts";
import { bytesOfName, nameOfBytes, showName } from "./raw-bytes.ts";
import { decodeRecords, type RecordEntry, type RecordInode } from "./records.ts";

type Digest = `sha256:${string}`;

interface NativeFunctions {
  walkFolder(
    root: Buffer,
    deep: boolean,
    xattrs: boolean,
    self: boolean,
  ): Promise<{ count: number; stamp: Buffer; records: Buffer }>;
  digestFiles(paths: Buffer[]): Promise<Buffer>;
  lockFile(path: Buffer, exclusive: boolean, wait: boolean): Promise<number>;
  lockFileSync(path: Buffer, exclusive: boolean, wait: boolean): number;
  unlockFile(handle: number): void;
  setXattr(path: Buffer, name: string, value: Uint8Array): void;
  getXattrs(path: Buffer): [name: string, value: Buffer][];
  makeNode(path: Buffer, mode: number, major: number, minor: number): void;
  setTimes(path: Buffer, seconds: bigint, nanos: number): void;
  sha256(bytes: Buffer, portable: boolean, step: number): { kind: string; digest: Buffer };
}

let loaded: NativeFunctions | undefined;

function native(): NativeFunctions {
  loaded ??= loadAddon<NativeFunctions>();
  return loaded;
}

/** An error that came from C++ as a WbuildError; anything else as it is. Facts: `path` and `errno` (a name: ENOENT). */
export function fromNative(error: unknown): unknown {
  const { layerCode, path, errno, reason } = error as {
    layerCode?: ErrorCode;
    path?: Buffer;
    errno?: number;
    reason?: string;
  };
  if (!(error instanceof Error) || layerCode === undefined) return error;
  const name = path === undefined || path.length === 0 ? undefined : nameOfBytes(path);
  const where = name === undefined ? "" : ` ${showName(name)}`;
  const why = reason === undefined ? "" : `: ${reason.toLowerCase()}`;
  return new WbuildError(layerCode, `${error.message}${where}${why}`, {
    cause: error,
    facts: {
      ...(name === undefined ? {} : { path: name }),
      ...(errno ? { errno: getSystemErrorName(-errno) } : {}),
    },
    ...(errno === 28 ? { hint: "free some space, for example with `wbuild prune`" } : {}),
  });
}

async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fromNative(error);
  }
}

function now<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromNative(error);
  }
}

/** One member of a walked folder: the fields of a layer's Entry, and what lstat tells besides. */
export type WalkedEntry = RecordEntry & RecordInode;

export interface Walk {
  /** How many entries were found. */
  readonly count: number;
  /** sha256 over every entry's path, type, mode, owner, size, mtime, ctime, inode and target: equal stamps, equal trees. */
  readonly stamp: Digest;
  /** The entries as bytes, for `decodeWalk`. */
  readonly records: Buffer;
}

/**
 * lstat of everything below a folder: clean relative paths, parents first, siblings in byte order of their names.
 * Sockets are left out, and what vanishes meanwhile. `self` puts the folder itself first, as path "".
 * Costs no JavaScript object per entry until `decodeWalk`. Throws LAYER_IO with the path that cannot be read.
 */
export async function walkFolder(
  root: string,
  options: { depth?: "one" | "all"; xattrs?: boolean; self?: boolean } = {},
): Promise<Walk> {
  const { count, stamp, records } = await asking(() =>
    native().walkFolder(bytesOfName(root), options.depth !== "one", options.xattrs === true, options.self === true),
  );
  return { count, stamp: `sha256:${stamp.toString("hex")}`, records };
}

/** The entries of a walk, in its order. */
export function decodeWalk(records: Uint8Array): WalkedEntry[] {
  const out: WalkedEntry[] = [];
  for (const change of decodeRecords(records)) {
    if (change.kind !== "set" || change.inode === undefined) {
      throw new WbuildError("LAYER_RECORD", "these records are not those of a walk");
    }
    out.push(Object.assign(change.entry, change.inode));
  }
  return out;
}

/** sha256 of each file's bytes, in the order of the paths, on several threads. Links are not followed. Throws LAYER_IO. */
export async function digestFiles(paths: readonly string[]): Promise<Digest[]> {
  const bytes = await asking(() => native().digestFiles(paths.map(bytesOfName)));
  return paths.map((_, i): Digest => `sha256:${bytes.toString("hex", i * 32, i * 32 + 32)}`);
}

export interface FileLock {
  /** Gives the lock back; a second call does nothing. */
  release(): void;
}

type LockKind = "shared" | "exclusive";

/**
 * flock(2) on a file that is made when missing (mode 0600), once nobody stands in the way: held until released or until the
 * process dies. Throws LAYER_IO.
 */
export async function lockFile(path: string, kind: LockKind): Promise<FileLock> {
  return new HeldLock(await asking(() => native().lockFile(bytesOfName(path), kind === "exclusive", true)));
}

/** The lock where it can be had now; undefined when somebody else holds it. Throws LAYER_IO. */
export async function tryLockFile(path: string, kind: LockKind): Promise<FileLock | undefined> {
  return heldOf(await asking(() => native().lockFile(bytesOfName(path), kind === "exclusive", false)));
}

/** `lockFile` here and now, on the main thread: for locks that are held for a moment only. Throws LAYER_IO. */
export function lockFileSync(path: string, kind: LockKind): FileLock {
  return new HeldLock(now(() => native().lockFileSync(bytesOfName(path), kind === "exclusive", true)));
}

/** `tryLockFile` on the main thread. Throws LAYER_IO. */
export function tryLockFileSync(path: string, kind: LockKind): FileLock | undefined {
  return heldOf(now(() => native().lockFileSync(bytesOfName(path), kind === "exclusive", false)));
}

/** The addon says -1 for a lock that cannot be had. */
function heldOf(handle: number): FileLock | undefined {
  return handle < 0 ? undefined : new HeldLock(handle);
}

class HeldLock implements FileLock {
  #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
  }

  release(): void {
    if (this.#handle >= 0) native().unlockFile(this.#handle);
    this.#handle = -1;
  }
}

/** lsetxattr(2): links are not followed. Throws LAYER_IO. */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  now(() => native().setXattr(bytesOfName(path), name, value));
}

/** All extended attributes that may be read, sorted by name; links are not followed. Throws LAYER_IO. */
export function getXattrs(path: string): ReadonlyMap<string, Uint8Array> {
  return new Map(now(() => native().getXattrs(bytesOfName(path))));
}

/** mknod(2). Throws LAYER_IO, with errno EPERM where devices are not allowed. */
export function makeNode(
  path: string,
  kind: "character" | "block" | "fifo",
  mode: number,
  device: { major: number; minor: number } = { major: 0, minor: 0 },
): void {
  const type = { character: 0o020000, block: 0o060000, fifo: 0o010000 }[kind];
  now(() => native().makeNode(bytesOfName(path), type | (mode & 0o7777), device.major, device.minor));
}

/** Sets the modification time to the nanosecond; links are not followed. Throws LAYER_IO. */
export function setMtime(path: string, mtimeNs: bigint): void {
  const nanos = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  now(() => native().setTimes(bytesOfName(path), (mtimeNs - nanos) / 1_000_000_000n, Number(nanos)));
}

/** For tests: sha256 by the processor's instructions or, when `portable`, by the fallback; fed in pieces of `step` bytes. */
export function nativeSha256(bytes: Uint8Array, portable: boolean, step = 1 << 20): { kind: string; digest: Digest } {
  const { kind, digest } = native().sha256(Buffer.from(bytes), portable, step);
  return { kind, digest: `sha256:${digest.toString("hex")}` };
}
