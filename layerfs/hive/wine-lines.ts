/** The lines below a key's name in Wine's registry text: time, class, link, values. */

import { WbuildError } from "../../native/error.ts";
import { type HiveValue, symlinkFlag } from "./key.ts";
import { hexDigits, readSpelled, type Source } from "./wine-units.ts";

const code = (character: string): number => character.charCodeAt(0);
const quote = code('"');
const backslash = code("\\");
const newline = 10;
/** Of a whole text: forty times those of a full Windows. */
export const maxValues = 1 << 22;
/** 1601 to 1970 in 100 ns. */
const unixEpoch = 116_444_736_000_000_000n;

/** What stands before the opening quote of a string, and the type that it gives. */
const stringTypes = [
  ['"', 1],
  ['str(2):"', 2],
  ['str(7):"', 7],
  ['str:"', 1],
] as const;

/** The lines behind a key's name, [from, to) of the source; the seconds since 1970 that stand behind the name. */
export interface Section {
  readonly seconds: number;
  readonly from: number;
  readonly to: number;
}

export interface KeyBody {
  lastWrite: bigint;
  flags: number;
  className: Uint8Array | undefined;
  readonly values: HiveValue[];
}

/** Throws HIVE_WINE_TEXT for what stands at this offset. */
export function refuseLine(source: Source, at: number, what: string): never {
  let line = 1;
  for (let next = source.text.indexOf("\n"); next >= 0 && next < at; next = source.text.indexOf("\n", next + 1)) line++;
  throw new WbuildError("HIVE_WINE_TEXT", `line ${line} of Wine's registry text ${what}`, { facts: { line } });
}

/** Adds a section to what is known of its key; a value that is there already is there twice then. Throws HIVE_WINE_TEXT. */
export function readSection(source: Source, section: Section, body: KeyBody): void {
  const { bytes, text } = source;
  const { to } = section;
  body.lastWrite = section.seconds === 0 ? 0n : BigInt(section.seconds) * 10_000_000n + unixEpoch;
  let at = section.from;
  while (at < to) {
    const byte = bytes[at] as number;
    if (byte === quote || byte === code("@")) {
      const { value, end } = readValue(source, at);
      // Attack: six bytes a value, each of which takes fifty times that as an object.
      if (source.left.values-- === 0) refuseLine(source, at, `has more than ${maxValues} values before it`);
      body.values.push(value);
      at = end;
    } else if (byte === code("#")) {
      if (text.startsWith("#time=", at)) body.lastWrite = readTime(source, at + 6) ?? body.lastWrite;
      else if (text.startsWith('#class="', at)) {
        const name = readSpelled(source, at + 8, quote) ?? refuseLine(source, at, "has a class without an end");
        // Wine 10 saves a NUL behind what it has read.
        body.className = Buffer.from(name.text.replace(/\0+$/, ""), "utf16le");
      } else if (text.startsWith("#link", at)) body.flags |= symlinkFlag;
      at = endOfLine(text, at);
    } else if (byte === code(";")) at = endOfLine(text, at);
    else if (byte <= 0x20) at++;
    else refuseLine(source, at, "is neither a key nor a value");
  }
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

/** A FILETIME in hexadecimal; undefined when there is no digit. Only the last sixteen digits of a longer number count. */
function readTime({ bytes }: Source, from: number): bigint | undefined {
  let high = 0;
  let low = 0;
  let at = from;
  for (; ; at++) {
    const digit = hexDigits[bytes[at] ?? 0] as number;
    if (digit === 255) break;
    high = ((high << 4) | (low >>> 28)) >>> 0;
    low = ((low << 4) | digit) >>> 0;
  }
  return at === from ? undefined : (BigInt(high) << 32n) | BigInt(low);
}

interface Read<T> {
  readonly value: T;
  /** The offset behind it. */
  readonly end: number;
}

function readValue(source: Source, from: number): Read<HiveValue> {
  const { bytes } = source;
  let name = "";
  let at = from + 1;
  if (bytes[from] === quote) {
    const spelled = readSpelled(source, at, quote) ?? refuseLine(source, from, "has a name without an end");
    name = spelled.text;
    at = spelled.end + 1;
  }
  at = blank(bytes, at);
  if (bytes[at] !== code("=")) refuseLine(source, from, "has no = behind the name of a value");
  at = blank(bytes, at + 1);
  const { type, data, end } = readData(source, at);
  const after = blank(bytes, end);
  if (after < bytes.length && bytes[after] !== newline) refuseLine(source, from, "goes on behind its value");
  return { value: { name, type, data }, end: after };
}

/** Past spaces, tabs and carriage returns. */
function blank(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 9 || bytes[at] === 13) at++;
  return at;
}

interface Data {
  readonly type: number;
  readonly data: Uint8Array;
  readonly end: number;
}

function readData(source: Source, at: number): Data {
  const { bytes, text } = source;
  for (const [mark, type] of stringTypes)
    if (text.startsWith(mark, at)) return readString(source, at + mark.length, type);
  if (text.startsWith("dword:", at)) {
    const { value, end } = readHexNumber(bytes, at + 6);
    if (end === at + 6 || end > at + 14) refuseLine(source, at, "has no number of up to eight digits behind dword:");
    const data = Buffer.allocUnsafe(4);
    data.writeUInt32LE(value);
    return { type: 4, data, end };
  }
  if (text.startsWith("hex:", at)) return readHex(source, at + 4, 3);
  if (text.startsWith("hex(", at)) {
    const { value, end } = readHexNumber(bytes, at + 4);
    if (end > at + 4 && end <= at + 12 && text.startsWith("):", end)) return readHex(source, end + 2, value);
  }
  return refuseLine(source, at, "has data of no known form");
}

function readHexNumber(bytes: Uint8Array, from: number): Read<number> {
  let value = 0;
  let end = from;
  for (let digit = hexDigits[bytes[end] ?? 0] as number; digit !== 255; digit = hexDigits[bytes[++end] ?? 0] as number)
    value = ((value << 4) | digit) >>> 0;
  return { value, end };
}

/** UTF-16LE with a NUL behind it. */
function readString(source: Source, from: number, type: number): Data {
  const { bytes } = source;
  let end = from;
  let byte = bytes[end];
  while (byte !== undefined && byte !== quote && byte !== backslash && byte !== newline) byte = bytes[++end];
  if (byte === quote) {
    const data = Buffer.alloc((end - from + 1) * 2);
    for (let at = from; at < end; at++) data[(at - from) * 2] = bytes[at] as number;
    return { type, data, end: end + 1 };
  }
  const spelled = readSpelled(source, from, quote) ?? refuseLine(source, from, "has a string without an end");
  return { type, data: Buffer.from(`${spelled.text}\0`, "utf16le"), end: spelled.end + 1 };
}

/** Bytes with commas between; a backslash at the end of a line goes on with the next. */
function readHex(source: Source, from: number, type: number): Data {
  const { bytes } = source;
  let commas = 0;
  let end = from;
  for (; end < bytes.length; end++) {
    const byte = bytes[end];
    if (byte === 0x2c) commas++;
    else if (byte === newline && !continues(bytes, end)) break;
  }
  const data = Buffer.allocUnsafe(commas + 1);
  let length = 0;
  let at = from;
  while (at < end) {
    const byte = bytes[at] as number;
    const first = hexDigits[byte] as number;
    if (first !== 255) {
      const second = hexDigits[bytes[at + 1] ?? 0] as number;
      data[length++] = second === 255 ? first : (first << 4) | second;
      at += second === 255 ? 1 : 2;
      at = blank(bytes, at);
      if (at < end && bytes[at] === 0x2c) at++;
      else if (at < end && bytes[at] !== backslash) refuseLine(source, at, "has a byte of more than two digits");
    } else if (byte === backslash || byte <= 0x20) at++;
    else refuseLine(source, at, "has something that is no hexadecimal byte");
  }
  return { type, data: data.subarray(0, length), end };
}

function continues(bytes: Uint8Array, newlineAt: number): boolean {
  let at = newlineAt - 1;
  while (bytes[at] === 13 || bytes[at] === 0x20) at--;
  return bytes[at] === backslash;
}
