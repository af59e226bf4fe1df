/**
 * Compression of whole streams: what comes in is known by its first bytes, never by its name.
 * Layers that we write or unpack do not pass here where native code can do it in one go; archives, ADD and pulls do.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createGzip } from "node:zlib";
import { WbuildError } from "../../native/error.ts";
import { type Compression, checkLevel } from "./compression.ts";

export type Detected = Compression | "xz" | "bzip2";

const magics: readonly (readonly [Detected, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];
const longestMagic = 6;
const pieceSize = 256 * 1024;

export interface DecompressOptions {
  /** Bytes that may come out; more throws LAYER_BOMB. No limit when absent. */
  readonly maxBytes?: number;
}

/** What the first bytes of a stream tell; "none" for what is not known. */
export function detectCompression(head: Uint8Array): Detected {
  for (const [name, magic] of magics) {
    if (head.length >= magic.length && magic.every((byte, i) => head[i] === byte)) return name;
  }
  // Skippable frames (RFC 8878, 3.1.2) may stand first in a zstd file.
  if (((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd";
  return "none";
}

/**
 * The plain bytes of a gzip, zstd, xz, bzip2 or plain stream.
 * Throws LAYER_COMPRESSION for damaged input, LAYER_TRUNCATED for input that ends too early, LAYER_BOMB past the limit,
 * LAYER_NO_XZ or LAYER_NO_BZIP2 where that program is not installed.
 */
export async function* decompressStream(
  bytes: AsyncIterable<Uint8Array>,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const { kind, rest } = await peekCompression(bytes);
  let left = options.maxBytes ?? Number.POSITIVE_INFINITY;
  for await (const piece of decompressed(kind, rest)) {
    left -= piece.length;
    if (left < 0) {
      throw new WbuildError("LAYER_BOMB", `the ${kind} data becomes more than ${options.maxBytes} bytes`, {
        facts: { maxBytes: options.maxBytes },
      });
    }
    yield piece;
  }
}

/** The compression of a stream, and the whole stream again. */
export async function peekCompression(
  bytes: AsyncIterable<Uint8Array>,
): Promise<{ kind: Detected; rest: AsyncIterable<Uint8Array> }> {
  const source = bytes[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  while (head.length < longestMagic) {
    const next = await source.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  async function* rest(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  }
  return { kind: detectCompression(head), rest: rest() };
}

/** Compresses a stream with the level given or the usual one (see compression.ts). Throws LAYER_COMPRESSION. */
export async function* compressStream(
  bytes: AsyncIterable<Uint8Array>,
  compression: Compression,
  level?: number,
): AsyncGenerator<Uint8Array> {
  const chosen = checkLevel(compression, level);
  if (compression === "none") yield* bytes;
  else if (compression === "gzip")
    yield* through(bytes, createGzip({ level: Math.min(chosen, 9), chunkSize: pieceSize }));
  else {
    const { CompressStream } = await import("zstd-napi");
    yield* through(bytes, new CompressStream({ compressionLevel: chosen }));
  }
}

async function* decompressed(kind: Detected, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (kind === "none") yield* bytes;
  else if (kind === "gzip") yield* gunzip(bytes);
  else if (kind === "zstd") yield* unzstd(bytes);
  else yield* byProgram(kind, bytes);
}

async function* gunzip(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* through(bytes, createGunzip({ chunkSize: pieceSize }));
  } catch (cause) {
    // Errors of the source pass as they are; zlib's have codes of their own.
    const code = (cause as NodeJS.ErrnoException | undefined)?.code;
    if (code === "Z_BUF_ERROR") throw new WbuildError("LAYER_TRUNCATED", "the gzip data ends too early", { cause });
    if (code?.startsWith("Z_")) throw new WbuildError("LAYER_COMPRESSION", "the gzip data is damaged", { cause });
    throw cause;
  }
}

/**
 * By zstd-napi's plain binding: its stream class would hold all that one piece becomes in memory at once, and one
 * piece of a bomb becomes gigabytes. Here no more is made than is asked for.
 */
async function* unzstd(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // CommonJS with computed exports: Node gives it as `default`, a bundle as itself.
  const binding = await import("zstd-napi/binding.js");
  const { DCtx } = ("default" in binding ? binding.default : binding) as typeof binding;
  const context = new DCtx();
  let isInFrame = false;
  for await (const piece of bytes) {
    let from = piece;
    for (;;) {
      const to = Buffer.allocUnsafe(pieceSize);
      const [wanted, produced, consumed] = decode(() => context.decompressStream(to, from));
      from = from.subarray(consumed);
      if (produced > 0) yield to.subarray(0, produced);
      isInFrame = wanted !== 0;
      if (from.length === 0 && (!isInFrame || produced < to.length)) break;
    }
  }
  if (isInFrame) throw new WbuildError("LAYER_TRUNCATED", "the zstd data ends too early");
}

function decode<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw new WbuildError("LAYER_COMPRESSION", "the zstd data is damaged", { cause });
  }
}

/** The bytes through a transform; both ends are torn down when either stops early. */
async function* through(bytes: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  const source = Readable.from(bytes, { objectMode: true });
  source.on("error", (error) => {
    failure ??= error;
  });
  pipeline(source, transform, (error) => {
    failure ??= error;
  });
  try {
    for await (const piece of transform) yield piece as Uint8Array;
  } catch (error) {
    throw failure ?? error;
  } finally {
    transform.destroy();
    source.destroy();
  }
}

/** xz and bzip2 have no place in Node; the distribution's own programs are run, with nothing but a pipe to each side. */
async function* byProgram(kind: "xz" | "bzip2", bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const args = kind === "xz" ? ["-dc", "--memlimit-decompress=512MiB", "--threads=1"] : ["-dc"];
  const child = spawn(kind, args, { stdio: ["pipe", "pipe", "pipe"] });
  const ended = endOf(child);
  let failure: unknown;
  pipeline(Readable.from(bytes, { objectMode: true }), child.stdin, (error) => {
    // EPIPE: the program ended first and says itself why.
    if (error && (error as NodeJS.ErrnoException).code !== "EPIPE") failure ??= error;
  });
  let broken: unknown;
  try {
    for await (const piece of child.stdout) yield piece as Uint8Array;
  } catch (error) {
    broken = error;
  } finally {
    // Whoever stops early wants no more; after its last byte the program ends by itself.
    if (!child.stdout.readableEnded) child.kill("SIGKILL");
  }
  const end = await ended;
  if (end.error === undefined && failure !== undefined) throw failure;
  complainOf(kind, end);
  if (broken !== undefined) throw broken;
}

interface ProgramEnd {
  readonly code: number | null;
  readonly error: NodeJS.ErrnoException | undefined;
  readonly said: string;
}

function endOf(child: ChildProcessWithoutNullStreams): Promise<ProgramEnd> {
  let said = "";
  child.stderr.on("data", (piece: Buffer) => {
    if (said.length < 2000) said += piece.toString("latin1");
  });
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ code: null, error, said }));
    child.on("close", (code) => resolve({ code, error: undefined, said }));
  });
}

function complainOf(kind: "xz" | "bzip2", end: ProgramEnd): void {
  if (end.error?.code === "ENOENT") {
    throw new WbuildError(
      `LAYER_NO_${kind.toUpperCase()}`,
      `cannot unpack ${kind} data: the program ${kind} is missing`,
      {
        hint: `install the package ${kind === "xz" ? "xz-utils" : "bzip2"}`,
      },
    );
  }
  if (end.error !== undefined) throw end.error;
  if (end.code === 0) return;
  const short = /unexpected end|ends unexpectedly/i.test(end.said);
  throw new WbuildError(
    short ? "LAYER_TRUNCATED" : "LAYER_COMPRESSION",
    short ? `the ${kind} data ends too early` : `the ${kind} data is damaged`,
  );
}
