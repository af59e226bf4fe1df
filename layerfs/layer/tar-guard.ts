/**
 * The guard before tar-stream: it follows the blocks of a hostile tar, refuses what lies about itself, and keeps the raw
 * PAX records that tar-stream would decode as text. What passes is the same tar, without global headers.
 */
import { WbuildError } from "../../native/error.ts";
import { decodePax } from "./pax.ts";
import { fromRawBytes, showPath } from "./raw-path.ts";

const blockSize = 512;
/** A giant name or PAX header is an attack on memory. */
const maxExtra = 1 << 20;
const maxExtrasInRow = 8;
const fileTypes = new Set(["\0", "0", "7"]);

export interface TarLimits {
  /** Bytes of tar. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Of PAX headers and long names in all; usual: 512 MiB, twice those of a full Windows. */
  readonly maxExtraBytes?: number;
}

export const usualExtraBytes = 2 ** 29;

export class TarGuard {
  /** The raw PAX records of each entry that has passed and was not asked for, in order. */
  readonly #passed: ReadonlyMap<string, Uint8Array>[] = [];
  readonly #limits: TarLimits;
  #bytes = 0;
  #entries = 0;
  #extras = 0;
  #extraBytes = 0;
  #zeroBlocks = 0;
  #pax: ReadonlyMap<string, Uint8Array> = new Map();

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** The PAX records of the next entry, in the order in which tar-stream gives entries. */
  nextPax(): ReadonlyMap<string, Uint8Array> {
    return this.#passed.shift() ?? new Map();
  }

  /** Throws LAYER_HEADER, LAYER_PAX, LAYER_SPARSE, LAYER_NAME_TOO_LONG, LAYER_TRUNCATED, LAYER_BOMB, LAYER_TOO_MANY. */
  async *pass(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let held: Buffer = Buffer.alloc(0);
    let skip = 0; // bytes of content and padding that pass as they are
    let extra: { readonly block: Buffer; readonly size: number } | undefined;
    for await (const piece of bytes) {
      this.#bytes += piece.length;
      if (this.#bytes > this.#limits.maxBytes) {
        throw new WbuildError("LAYER_BOMB", `the tar has more than ${this.#limits.maxBytes} bytes`);
      }
      let from = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      while (from.length > 0 && this.#zeroBlocks < 2) {
        if (skip > 0) {
          const part = from.subarray(0, skip);
          skip -= part.length;
          from = from.subarray(part.length);
          yield part;
          continue;
        }
        const wanted = extra === undefined ? blockSize : padded(extra.size);
        const part = from.subarray(0, wanted - held.length);
        from = from.subarray(part.length);
        held = held.length === 0 ? part : Buffer.concat([held, part]);
        if (held.length < wanted) continue;
        if (extra !== undefined) {
          if (this.#extra(extra.block, held.subarray(0, extra.size))) yield Buffer.concat([extra.block, held]);
          extra = undefined;
        } else {
          const block = held;
          const size = this.#header(block);
          if (isExtra(block)) {
            extra = { block, size };
            // Nothing follows an empty one.
            if (size === 0) extra = undefined;
          } else {
            skip = padded(size);
            yield block;
          }
        }
        held = Buffer.alloc(0);
      }
    }
    if (this.#zeroBlocks === 0 && (held.length > 0 || skip > 0 || extra !== undefined || this.#extras > 0)) {
      throw new WbuildError("LAYER_TRUNCATED", "the tar ends in the middle of an entry");
    }
    if (this.#bytes === 0) throw new WbuildError("LAYER_TRUNCATED", "the tar is empty, not even its end is there");
  }

  /** Checks a header block. Gives the bytes that follow it; rewrites the size of what can have no content. */
  #header(block: Buffer): number {
    if (block.every((byte) => byte === 0)) {
      if (this.#extras > 0) throw new WbuildError("LAYER_TRUNCATED", "the tar ends in the middle of an entry");
      this.#zeroBlocks++;
      return 0;
    }
    const name = nameOf(block);
    if (this.#zeroBlocks > 0) throw refusal("LAYER_HEADER", "an entry stands behind the end of the tar", name);
    if (!checksumFits(block)) throw refusal("LAYER_HEADER", "a header has a wrong checksum, or this is no tar", name);
    const size = numberAt(block, 124, 12);
    if (size === undefined || size < 0) throw refusal("LAYER_HEADER", "an entry has an impossible size", name);
    const type = String.fromCharCode(block[156] ?? 0);
    if (isExtra(block)) {
      if (size > maxExtra) throw refusal("LAYER_NAME_TOO_LONG", "a name or PAX header is too long", name);
      if (type !== "g" && ++this.#extras > maxExtrasInRow) {
        throw refusal("LAYER_HEADER", "too many extra headers for one entry", name);
      }
      return size;
    }
    for (const [at, width] of [
      [100, 8],
      [108, 8],
      [116, 8],
      [136, 12],
    ] as const) {
      if (numberAt(block, at, width) === undefined)
        throw refusal("LAYER_HEADER", "a header has a number that is none", name);
    }
    if (type === "S") throw refusal("LAYER_SPARSE", "sparse entries in GNU's form are not supported", name);
    if (++this.#entries > this.#limits.maxEntries) {
      throw new WbuildError("LAYER_TOO_MANY", `the tar has more than ${this.#limits.maxEntries} entries`);
    }
    const pax = this.#pax;
    this.#pax = new Map();
    this.#extras = 0;
    this.#passed.push(pax);
    const real = sizeOf(pax, size, name);
    if (fileTypes.has(type)) return real;
    // Only regular files have content; tar-stream would look for some.
    if (pax.has("size") && real > 0) throw refusal("LAYER_HEADER", "an entry has a size and no content", name);
    if (size > 0) {
      block.fill(0, 124, 136);
      block.write("00000000000", 124, "latin1");
      writeChecksum(block);
    }
    return 0;
  }

  /** Takes note of an extra header. False when it must not pass. */
  #extra(block: Buffer, body: Buffer): boolean {
    const type = String.fromCharCode(block[156] ?? 0);
    // Attack: a global "size" or "path" would hold for every file after it.
    if (type === "g") return false;
    // Attack: a descriptor of a megabyte at each of thousands of files, for readers that keep them all.
    const most = this.#limits.maxExtraBytes ?? usualExtraBytes;
    this.#extraBytes += body.length;
    if (this.#extraBytes > most) {
      throw new WbuildError("LAYER_BOMB", `the tar has more than ${most} bytes of PAX headers and long names`);
    }
    if (type === "x") {
      this.#pax = decodePax(body);
      for (const [key, value] of this.#pax) {
        // An empty value takes a record back: there is none then.
        if (key.startsWith("GNU.sparse.") && value.length > 0) {
          throw refusal("LAYER_SPARSE", "sparse entries in GNU's form are not supported", nameOf(block));
        }
      }
    }
    return true;
  }
}

function isExtra(block: Buffer): boolean {
  return "xgLK".includes(String.fromCharCode(block[156] ?? 0));
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize;
}

function sizeOf(pax: ReadonlyMap<string, Uint8Array>, size: number, name: string): number {
  const told = pax.get("size");
  if (told === undefined || told.length === 0) return size;
  const text = Buffer.from(told).toString("latin1");
  if (!/^[0-9]{1,15}$/.test(text)) throw refusal("LAYER_HEADER", "an entry has an impossible size", name);
  return Number(text);
}

/** An octal or base-256 field; undefined when it is neither or too big for a number. */
export function numberAt(block: Uint8Array, at: number, width: number): number | undefined {
  const first = block[at] ?? 0;
  if (first & 0x80) {
    let value = first & 0x40 ? -1n : 0n;
    for (let i = 0; i < width; i++)
      value = (value << 8n) | BigInt(i === 0 && !(first & 0x40) ? first & 0x7f : (block[at + i] ?? 0));
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : undefined;
  }
  const text = Buffer.from(block.subarray(at, at + width)).toString("latin1");
  const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits === "" ? "0" : digits, 8);
}

function checksumFits(block: Buffer): boolean {
  const told = numberAt(block, 148, 8);
  return told === checksum(block);
}

function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < blockSize; i++) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  return sum;
}

function writeChecksum(block: Buffer): void {
  block.write(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
}

function nameOf(block: Buffer): string {
  const end = block.indexOf(0);
  return fromRawBytes(block.subarray(0, end < 0 ? 100 : Math.min(end, 100)));
}

function refusal(code: `LAYER_${string}`, text: string, name: string): WbuildError {
  return new WbuildError(code, `${text}: ${showPath(name)}`, { facts: { path: name } });
}
