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
/** Header fields that must be numbers besides the size: where, and how wide. */
const numbers = [
  [100, 8],
  [108, 8],
  [116, 8],
  [136, 12],
] as const;
const nothing = Buffer.alloc(0);
const noRecords: ReadonlyMap<string, Uint8Array> = new Map();

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
  #pax: ReadonlyMap<string, Uint8Array> = noRecords;
  /** The beginning of a block, or of an extra header's body, that the next piece goes on with. */
  #held: Buffer = nothing;
  /** Bytes of content and padding that pass as they are. */
  #skip = 0;
  /** An extra header whose body comes next. */
  #extraBlock: Buffer | undefined;
  #extraSize = 0;

  constructor(limits: TarLimits) {
    this.#limits = limits;
  }

  /** The PAX records of the next entry, in the order in which tar-stream gives entries. */
  nextPax(): ReadonlyMap<string, Uint8Array> {
    return this.#passed.shift() ?? noRecords;
  }

  /**
   * Gives what passes in pieces as large as they came: for each entry by itself, a tar of many small files would cost a turn of
   * the event loop, and its garbage. Throws LAYER_HEADER, LAYER_PAX, LAYER_SPARSE, LAYER_NAME_TOO_LONG, LAYER_TRUNCATED,
   * LAYER_BOMB, LAYER_TOO_MANY, each after the entries that stand before it have passed.
   */
  async *pass(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of bytes) {
      this.#bytes += piece.length;
      if (this.#bytes > this.#limits.maxBytes) {
        throw new WbuildError("LAYER_BOMB", `the tar has more than ${this.#limits.maxBytes} bytes`);
      }
      const sound: Buffer[] = [];
      let failure: { readonly error: unknown } | undefined;
      try {
        this.#follow(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength), sound);
      } catch (error) {
        failure = { error };
      }
      yield* sound;
      if (failure !== undefined) throw failure.error;
    }
    const isAtEntry = this.#held.length === 0 && this.#skip === 0 && this.#extraBlock === undefined;
    if (this.#zeroBlocks === 0 && (!isAtEntry || this.#extras > 0)) {
      throw new WbuildError("LAYER_TRUNCATED", "the tar ends in the middle of an entry");
    }
    if (this.#bytes === 0) throw new WbuildError("LAYER_TRUNCATED", "the tar is empty, not even its end is there");
  }

  /** Adds to `sound` what of the piece passes, neighbours in one. */
  #follow(piece: Buffer, sound: Buffer[]): void {
    let at = 0;
    /** Where what passes begins, and an extra header of this piece that waits for its body. */
    let from = 0;
    let extraAt: number | undefined;
    const passUpTo = (end: number) => {
      if (end > from) sound.push(piece.subarray(from, end));
    };
    try {
      while (at < piece.length && this.#zeroBlocks < 2) {
        if (this.#skip > 0) {
          const part = Math.min(this.#skip, piece.length - at);
          this.#skip -= part;
          at += part;
          continue;
        }
        const extra = this.#extraBlock;
        const wanted = extra === undefined ? blockSize : padded(this.#extraSize);
        const end = Math.min(piece.length, at + wanted - this.#held.length);
        const isWhole = end - at === wanted;
        if (!isWhole) {
          passUpTo(extraAt ?? at);
          extraAt = undefined;
          from = end;
          this.#held = Buffer.concat([this.#held, piece.subarray(at, end)]);
        }
        const block = isWhole ? piece.subarray(at, end) : this.#held;
        if (block.length === wanted) {
          this.#held = nothing;
          if (extra !== undefined) {
            this.#extraBlock = undefined;
            const passes = this.#extra(extra, block.subarray(0, this.#extraSize));
            if (extraAt === undefined) {
              if (passes) sound.push(extra, block);
              from = end;
            } else if (!passes) {
              passUpTo(extraAt);
              from = end;
            }
            extraAt = undefined;
          } else {
            const size = this.#header(block);
            if (!isExtra(block)) {
              this.#skip = padded(size);
              if (!isWhole) sound.push(block);
            } else if (size > 0) {
              [this.#extraBlock, this.#extraSize] = [block, size];
              if (isWhole) extraAt = at;
            } else if (isWhole) {
              // Nothing follows an empty one.
              passUpTo(at);
              from = end;
            }
          }
        }
        at = end;
      }
    } finally {
      passUpTo(extraAt ?? at);
      // The piece's memory is its maker's.
      if (this.#extraBlock !== undefined) this.#extraBlock = Buffer.from(this.#extraBlock);
    }
  }

  /** Checks a header block. Gives the bytes that follow it; rewrites the size of what can have no content. */
  #header(block: Buffer): number {
    if (block[0] === 0 && block.every((byte) => byte === 0)) {
      if (this.#extras > 0) throw new WbuildError("LAYER_TRUNCATED", "the tar ends in the middle of an entry");
      this.#zeroBlocks++;
      return 0;
    }
    if (this.#zeroBlocks > 0) throw refusal("LAYER_HEADER", "an entry stands behind the end of the tar", block);
    if (!checksumFits(block)) throw refusal("LAYER_HEADER", "a header has a wrong checksum, or this is no tar", block);
    const size = numberAt(block, 124, 12);
    if (size === undefined || size < 0) throw refusal("LAYER_HEADER", "an entry has an impossible size", block);
    const type = String.fromCharCode(block[156] ?? 0);
    if (isExtra(block)) {
      if (size > maxExtra) throw refusal("LAYER_NAME_TOO_LONG", "a name or PAX header is too long", block);
      if (type !== "g" && ++this.#extras > maxExtrasInRow) {
        throw refusal("LAYER_HEADER", "too many extra headers for one entry", block);
      }
      return size;
    }
    for (const [at, width] of numbers) {
      if (numberAt(block, at, width) === undefined)
        throw refusal("LAYER_HEADER", "a header has a number that is none", block);
    }
    if (type === "S") throw refusal("LAYER_SPARSE", "sparse entries in GNU's form are not supported", block);
    if (++this.#entries > this.#limits.maxEntries) {
      throw new WbuildError("LAYER_TOO_MANY", `the tar has more than ${this.#limits.maxEntries} entries`);
    }
    const pax = this.#pax;
    this.#pax = noRecords;
    this.#extras = 0;
    this.#passed.push(pax);
    const real = sizeOf(pax, size, block);
    if (fileTypes.has(type)) return real;
    // Only regular files have content; tar-stream would look for some.
    if (pax.has("size") && real > 0) throw refusal("LAYER_HEADER", "an entry has a size and no content", block);
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
          throw refusal("LAYER_SPARSE", "sparse entries in GNU's form are not supported", block);
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

function sizeOf(pax: ReadonlyMap<string, Uint8Array>, size: number, block: Buffer): number {
  const told = pax.get("size");
  if (told === undefined || told.length === 0) return size;
  const text = Buffer.from(told).toString("latin1");
  if (!/^[0-9]{1,15}$/.test(text)) throw refusal("LAYER_HEADER", "an entry has an impossible size", block);
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
  // By hand: with a text and a regular expression for each field, headers of a large tar cost twice the time.
  const end = at + width;
  let next = at;
  let value = 0;
  while (next < end && block[next] === 0x20) next++;
  for (; next < end; next++) {
    const digit = (block[next] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; next < end; next++) if (block[next] !== 0x20 && block[next] !== 0) return undefined;
  return value;
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

function refusal(code: `LAYER_${string}`, text: string, block: Buffer): WbuildError {
  const name = nameOf(block);
  return new WbuildError(code, `${text}: ${showPath(name)}`, { facts: { path: name } });
}
