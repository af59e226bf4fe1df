/**
 * How Wine spells strings in its registry files: any UTF-16 units as printable ASCII between two delimiters. Both ways, and
 * the sink that the text is written to; knows neither keys nor values.
 */
import { WbuildError } from "../../native/error.ts";

const code = (character: string): number => character.charCodeAt(0);
const backslash = code("\\");

/** Letters behind a backslash. */
const letters: ReadonlyMap<number, number> = new Map(
  [..."abtnvfre"].map((letter, at) => [code(letter), [7, 8, 9, 10, 11, 12, 13, 27][at] ?? 0]),
);
const letterOf: ReadonlyMap<number, number> = new Map([...letters].map(([letter, unit]) => [unit, letter]));

/** The value of a hexadecimal digit; 255 for any other byte. */
export const hexDigits: Uint8Array = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++)
  for (const digit of [value.toString(16), value.toString(16).toUpperCase()]) hexDigits[code(digit)] = value;

/** A file's bytes, and the same with one character a byte: cutting short texts out of a string costs less. */
export interface Source {
  readonly bytes: Buffer;
  readonly text: string;
  /** What may still be made of it. */
  readonly left: { values: number };
}

export interface Spelled {
  readonly text: string;
  /** Where the delimiter stands. */
  readonly end: number;
}

/**
 * The string from `at` up to the byte `close`, unescaped: up to four hexadecimal digits behind \x, up to three octal ones,
 * letters, anything else for itself; a raw byte over 0x7F is one unit (6.7). Undefined when the line or file ends first.
 * With `stop`, an escaped or spelled-out backslash ends it as well, and `end` is where that begins.
 */
export function readSpelled(source: Source, at: number, close: number, stop = false): Spelled | undefined {
  const { bytes, text } = source;
  let end = at;
  let byte = bytes[end];
  while (byte !== undefined && byte !== close && byte !== backslash && byte !== 10) byte = bytes[++end];
  if (byte === close) return { text: text.slice(at, end), end };
  if (byte !== backslash) return undefined;
  const parts: string[] = [];
  let from = at;
  while (byte !== close) {
    if (byte === undefined || byte === 10) return undefined;
    if (byte === backslash) {
      const { unit, next } = readEscape(bytes, end);
      if (unit === undefined) return undefined;
      if (from < end) parts.push(text.slice(from, end));
      if (stop && unit === backslash) return { text: parts.join(""), end };
      parts.push(String.fromCharCode(unit));
      end = next;
      from = next;
    } else end++;
    byte = bytes[end];
  }
  if (from < end) parts.push(text.slice(from, end));
  return { text: parts.join(""), end };
}

/** The escape that begins at the backslash at `at`; no unit when the line ends within it. */
export function readEscape(
  bytes: Uint8Array,
  at: number,
): { readonly unit: number | undefined; readonly next: number } {
  const byte = bytes[at + 1];
  if (byte === undefined || byte === 10) return { unit: undefined, next: at + 1 };
  let next = at + 2;
  let unit = 0;
  if (byte === code("x")) {
    for (; next < at + 6; next++) {
      const digit = hexDigits[bytes[next] ?? 0] ?? 255;
      if (digit === 255) break;
      unit = (unit << 4) | digit;
    }
    return next === at + 2 ? { unit: byte, next } : { unit, next };
  }
  if (byte < 0x30 || byte > 0x37) return { unit: letters.get(byte) ?? byte, next };
  unit = byte - 0x30;
  for (; next < at + 4; next++) {
    const digit = (bytes[next] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    unit = (unit << 3) | digit;
  }
  return { unit, next };
}

const chunkSize = 1 << 20;
/** No reader takes more. */
const largestText = 512 << 20;
/** What a value of that size could need at most. */
const largestPiece = 2 ** 31;

/** Text that grows, as bytes. */
export class TextSink {
  /** What is full; growing one buffer would copy it again and again. */
  readonly #full: Buffer[] = [];
  #fullLength = 0;
  readonly #take: ((piece: Uint8Array) => void) | undefined;
  #bytes: Buffer;
  #at = 0;

  /** With `take` nothing is kept: it gets each piece when that is full, for as long as the call lasts. */
  constructor(size = chunkSize, take?: (piece: Uint8Array) => void) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
    this.#take = take;
  }

  /** What was written so far and not taken. */
  bytes(): Uint8Array {
    return Buffer.concat([...this.#full, this.#bytes.subarray(0, this.#at)]);
  }

  get length(): number {
    return this.#fullLength + this.#at;
  }

  /** ASCII only. */
  put(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    const start = this.#at;
    for (let at = 0; at < length; at++) bytes[start + at] = text.charCodeAt(at);
    this.#at = start + length;
  }

  /** The first `length` of these bytes, which are ASCII. */
  putBytes(from: Uint8Array, length: number): void {
    this.#reserve(length);
    const bytes = this.#bytes;
    const start = this.#at;
    for (let at = 0; at < length; at++) bytes[start + at] = from[at] as number;
    this.#at = start + length;
  }

  /** A number below 2^64, given as its halves, in hexadecimal. */
  putHex(high: number, low: number): void {
    this.#reserve(16);
    let shift = high === 0 ? 28 : 60;
    while (shift > 0 && nibble(high, low, shift) === 0) shift -= 4;
    for (; shift >= 0; shift -= 4) this.#bytes[this.#at++] = hexOf[nibble(high, low, shift)] as number;
  }

  /** A string, escaped for these two delimiters. */
  spell(text: string, open: number, close: number): void {
    this.#reserve(text.length * 6);
    for (let at = 0; at < text.length; at++) this.#unit(text.charCodeAt(at), text.charCodeAt(at + 1), open, close);
  }

  /** UTF-16LE bytes [0, end) as a string in double quotes. */
  spellData(data: Uint8Array, end: number): void {
    this.#reserve(end * 3);
    const bytes = this.#bytes;
    let to = this.#at;
    for (let at = 0; at < end; at += 2) {
      const unit = (data[at] as number) | ((data[at + 1] as number) << 8);
      if (unit >= 0x20 && unit <= 0x7f && unit !== 0x22 && unit !== backslash) bytes[to++] = unit;
      else {
        const next = at + 2 < end ? (data[at + 2] as number) | ((data[at + 3] as number) << 8) : Number.NaN;
        this.#at = to;
        this.#unit(unit, next, 0x22, 0x22);
        to = this.#at;
      }
    }
    this.#at = to;
  }

  /**
   * Bytes in hexadecimal with commas, behind `column` characters of their line: after the byte that reaches column 76 the line
   * goes on on the next one.
   */
  hex(data: Uint8Array, column: number): void {
    this.#reserve(data.length * 4 + 16);
    const bytes = this.#bytes;
    let at = this.#at;
    let here = column;
    for (let index = 0; index < data.length; index++) {
      const byte = data[index] as number;
      bytes[at++] = hexOf[byte >> 4] as number;
      bytes[at++] = hexOf[byte & 15] as number;
      if (index === data.length - 1) break;
      bytes[at++] = 0x2c;
      here += 3;
      if (here > 76) {
        bytes[at++] = backslash;
        bytes[at++] = 10;
        bytes[at++] = 0x20;
        bytes[at++] = 0x20;
        here = 2;
      }
    }
    this.#at = at;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    // Attack: five hives of half a gigabyte, all of whose bytes become three letters each.
    if (this.length > largestText || more > largestPiece) {
      throw new WbuildError("HIVE_LIMIT", "the registry would be larger than half a gigabyte as Wine's text");
    }
    const piece = this.#bytes.subarray(0, this.#at);
    this.#fullLength += this.#at;
    this.#at = 0;
    if (this.#take === undefined) this.#full.push(piece);
    else {
      this.#take(piece);
      if (more <= this.#bytes.length) return;
    }
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(chunkSize, more));
  }

  /** At most six bytes a unit; the room is there. */
  #unit(unit: number, next: number, open: number, close: number): void {
    const bytes = this.#bytes;
    if (unit > 0x7f) {
      bytes[this.#at++] = backslash;
      bytes[this.#at++] = 0x78;
      // Behind fewer digits a further one would be read as part of the number.
      const all = next < 0x80 && (hexDigits[next] ?? 255) < 16;
      for (let shift = all || unit > 0xfff ? 12 : unit > 0xff ? 8 : 4; shift >= 0; shift -= 4)
        bytes[this.#at++] = hexOf[(unit >> shift) & 15] as number;
    } else if (unit < 0x20) {
      bytes[this.#at++] = backslash;
      const letter = letterOf.get(unit);
      if (letter !== undefined) bytes[this.#at++] = letter;
      else {
        const all = next >= 0x30 && next <= 0x37;
        if (all) bytes[this.#at++] = 0x30;
        if (all || unit > 7) bytes[this.#at++] = 0x30 + (unit >> 3);
        bytes[this.#at++] = 0x30 + (unit & 7);
      }
    } else {
      if (unit === backslash || unit === open || unit === close) bytes[this.#at++] = backslash;
      bytes[this.#at++] = unit;
    }
  }
}

const hexOf = Uint8Array.from([..."0123456789abcdef"].map(code));

function nibble(high: number, low: number, shift: number): number {
  return shift >= 32 ? (high >>> (shift - 32)) & 15 : (low >>> shift) & 15;
}
