/**
 * Wine's registry files, "WINE REGISTRY Version 2" , read and written. A RUN step waits for both with
 * hundreds of thousands of keys: reading finds the keys, and leaves their lines until somebody asks.
 */

import { constants } from "node:buffer";
import { WbuildError } from "../../native/error.ts";
import { type Hive, type HiveKey, type HiveValue, symlinkFlag } from "./key.ts";
import { refuseLayered } from "./merge.ts";
import { compareNames } from "./upcase.ts";
import { WineKey } from "./wine-key.ts";
import { maxValues, refuseLine } from "./wine-lines.ts";
import { readEscape, readSpelled, type Source, TextSink } from "./wine-units.ts";

const magic = "WINE REGISTRY Version 2";
const about = ";; All keys relative to ";
const open = 0x5b;
const close = 0x5d;
const quote = 0x22;
const backslash = 0x5c;
/** As deep as Windows lets keys be. */
const maxDepth = 512;
/** Twenty times the registry of a full Windows. */
const maxKeys = 1 << 22;

export type WineArch = "win32" | "win64";

export interface WineText extends Hive {
  /** What the root is: `REGISTRY\Machine`, `REGISTRY\User\.Default`; "" when the file does not say. */
  readonly relativeTo: string;
  readonly arch: WineArch | undefined;
}

/** True when the bytes begin as such a file does. */
export function isWineText(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, magic.length)).toString("latin1") === magic;
}

/**
 * Reads such a file. Keys have no descriptors; one that the file mentions only as part of a longer path has time 0. Of a
 * value that comes twice the last counts. Comments and unknown lines that begin with # are passed over, as Wine does.
 * The lines of a key are understood when it is asked for them: its members throw, too. The bytes must stay as they are.
 * Throws HIVE_WINE_TEXT with the line that cannot be understood, or of a key more than 512 levels deep, and for more than 512 MiB.
 */
export function readWineText(bytes: Uint8Array): WineText {
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw new WbuildError("HIVE_WINE_TEXT", "Wine's registry text is larger than half a gigabyte");
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const source: Source = { bytes: buffer, text: buffer.toString("latin1"), left: { values: maxValues } };
  const { text } = source;
  if (!isWineText(bytes)) refuseLine(source, 0, "does not begin as Wine's registry files do");
  const first = text.startsWith("[") ? 0 : text.indexOf("\n[") + 1;
  const root = new WineKey("", source);
  if (first > 0) readKeys(source, first, root);
  const head = text.slice(0, first > 0 ? first : undefined);
  const { arch } = /^#arch=(?<arch>win32|win64)\r?$/m.exec(head)?.groups ?? {};
  const from = head.indexOf(`\n${about}`) + 1;
  const line = from > 0 ? `${head.slice(from + about.length).split(/\r?\n/, 1)}` : "";
  const relativeTo =
    readSpelled({ ...source, bytes: Buffer.from(`${line}\n`, "latin1"), text: `${line}\n` }, 0, 10)?.text ?? line;
  return { root, minor: 5, differencing: false, lastWritten: 0n, relativeTo, arch: arch as WineArch | undefined };
}

/** A key on the way from the root to the key that came last, and where its name ends within that key's path. */
interface Level {
  readonly end: number;
  readonly key: WineKey;
}

function readKeys(source: Source, first: number, root: WineKey): void {
  const { bytes, text } = source;
  const levels: Level[] = [{ end: 0, key: root }];
  const left = { keys: maxKeys };
  let last = first + 1;
  let lastLength = 0;
  for (let at = first; at < bytes.length; ) {
    const start = at + 1;
    // Keys come depth first: what this path begins with was opened for the one before. Attack: `[a]` a million times, each of
    // which has the whole rest of the file in common with the next.
    let shared = 0;
    while (shared <= lastLength && start + shared < bytes.length && bytes[start + shared] === bytes[last + shared])
      shared++;
    while (levels.length > 1 && !isPrefix(bytes, start, levels.at(-1)?.end ?? 0, shared)) levels.pop();
    const end = openKeys(source, start, levels, left);
    const key = levels.at(-1)?.key ?? root;
    const line = lineEnd(text, end);
    const next = text.indexOf("\n[", line);
    const to = next < 0 ? text.length : next + 1;
    key.add({ seconds: secondsAt(bytes, end + 1), from: Math.min(line + 1, to), to });
    last = start;
    lastLength = end - start;
    at = to;
  }
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

/** Whether a path that shares so many bytes with the one before goes on below the name that ended there, or is just it. */
function isPrefix(bytes: Uint8Array, start: number, end: number, shared: number): boolean {
  if (end > shared) return false;
  const next = bytes[start + end];
  return next === close || (next === backslash && bytes[start + end + 1] === backslash);
}

/** Opens what the path from `start` has beyond the levels; gives the offset of its closing bracket. */
function openKeys(source: Source, start: number, levels: Level[], left: { keys: number }): number {
  const { bytes } = source;
  let at = start + (levels.at(-1)?.end ?? 0);
  for (;;) {
    if (bytes[at] === close) return at;
    const separator = bytes[at] === backslash ? readEscape(bytes, at) : undefined;
    if (separator?.unit === backslash) {
      at = separator.next;
      continue;
    }
    const name = readSpelled(source, at, close, true) ?? refuseLine(source, start, "has a key's name without an end");
    at = name.end;
    // Attack: paths so deep that whoever walks the tree runs out of stack.
    if (levels.length > maxDepth) refuseLine(source, start, `has a key more than ${maxDepth} levels deep`);
    // Attack: three bytes a key, each of which takes a hundred times that as an object.
    if (left.keys-- === 0) refuseLine(source, start, `has more than ${maxKeys} keys before it`);
    const key = (levels.at(-1) as Level).key.open(name.text);
    levels.push({ end: at - start, key });
  }
}

function secondsAt(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20) at++;
  let seconds = 0;
  for (; at < from + 20; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    seconds = seconds * 10 + digit;
  }
  return Number.isSafeInteger(seconds) ? seconds : 0;
}

export interface WineTextOptions {
  /** What the hive's root is, such as `REGISTRY\Machine`: for Wine's server only a remark. */
  readonly relativeTo: string;
  readonly arch?: WineArch;
}

/**
 * A plain hive as such a file, byte for byte as Wine writes its own, but for the order of names, which is that of Windows.
 * As there, a key that has subkeys and neither values, class nor link gets no lines of its own, so its time is not kept;
 * descriptors, user flags and flags other than the link's have no place at all.
 * Throws HIVE_LAYERED for a differencing hive, HIVE_NAME for a key whose name is empty or has a backslash.
 */
export function writeWineText(hive: Hive, options: WineTextOptions): Uint8Array {
  const sink = new TextSink();
  writeHive(sink, hive, options);
  return sink.bytes();
}

/**
 * The same in pieces, none of which is kept: `take` gets each for as long as the call lasts. Throws what writeWineText throws,
 * when some of it is written already.
 */
export function streamWineText(hive: Hive, options: WineTextOptions, take: (piece: Uint8Array) => void): void {
  const sink = new TextSink(undefined, take);
  writeHive(sink, hive, options);
  take(sink.bytes());
}

function writeHive(sink: TextSink, hive: Hive, options: WineTextOptions): void {
  refuseLayered(hive);
  sink.put(`${magic}\n${about}`);
  for (const [at, part] of options.relativeTo.split("\\").entries()) {
    if (at > 0) sink.put("\\\\");
    sink.spell(part, open, close);
  }
  sink.put(`\n${options.arch === undefined ? "" : `\n#arch=${options.arch}\n`}`);
  writeKey(sink, new PathBytes(), hive.root, true);
}

/** A key's path as it is spelled between the brackets. */
class PathBytes {
  #bytes = Buffer.allocUnsafe(256);
  length = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  push(name: string): void {
    let spelled = this.length === 0 ? name : `\\\\${name}`;
    if (needsEscape.test(name)) {
      const sink = new TextSink(2 + name.length * 6);
      if (this.length > 0) sink.put("\\\\");
      sink.spell(name, open, close);
      spelled = Buffer.from(sink.bytes()).toString("latin1");
    }
    if (this.length + spelled.length > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.allocUnsafe(this.#bytes.length + spelled.length)]);
    for (let at = 0; at < spelled.length; at++) this.#bytes[this.length + at] = spelled.charCodeAt(at);
    this.length += spelled.length;
  }
}

const needsEscape = /[^ -Z^-~]/;

const time64 = new BigUint64Array(1);
const time32 = new Uint32Array(time64.buffer);

/** `path` is the key's; it is the same again afterwards. */
function writeKey(sink: TextSink, path: PathBytes, key: HiveKey, isRoot: boolean): void {
  const values = key.values();
  const subkeys = key.subkeys();
  const { className } = key;
  const isLink = (key.flags & symlinkFlag) !== 0;
  if (values.length > 0 || className !== undefined || isLink || (subkeys.length === 0 && !isRoot)) {
    time64[0] = key.lastWrite;
    const [low = 0, high = 0] = time32;
    sink.put("\n[");
    sink.putBytes(path.bytes, path.length);
    sink.put(`] ${unixSeconds(high * 0x1_0000_0000 + low)}\n#time=`);
    sink.putHex(high, low);
    sink.put("\n");
    if (className !== undefined) {
      sink.put('#class="');
      sink.spell(Buffer.from(className).toString("utf16le"), quote, quote);
      sink.put('"\n');
    }
    if (isLink) sink.put("#link\n");
    for (const value of byName(values)) writeValue(sink, value);
  }
  const { length } = path;
  for (const below of subkeys) {
    // Attack: a hive's key called A\B would come out as a key somewhere else.
    if (below.name === "" || below.name.includes("\\"))
      throw new WbuildError("HIVE_NAME", `a key cannot be called ${JSON.stringify(below.name.slice(0, 60))}`, {
        hint: "names of keys have at least one character, and no backslash",
      });
    path.push(below.name);
    writeKey(sink, path, below, false);
    path.length = length;
  }
}

/** Of a time in 100 ns since 1601. */
function unixSeconds(time: number): number {
  return Math.max(0, Math.floor((time - 116_444_736_000_000_000) / 10_000_000)) >>> 0;
}

function byName(values: readonly HiveValue[]): readonly HiveValue[] {
  for (let at = 1; at < values.length; at++)
    if (compareNames((values[at - 1] as HiveValue).name, (values[at] as HiveValue).name) > 0)
      return [...values].sort((a, b) => compareNames(a.name, b.name));
  return values;
}

function writeValue(sink: TextSink, { name, type, data }: HiveValue): void {
  const start = sink.length;
  if (name === "") sink.put("@=");
  else {
    sink.put('"');
    sink.spell(name, quote, quote);
    sink.put('"=');
  }
  const end = data.length - 2;
  if ((type === 1 || type === 2 || type === 7) && end >= 0 && end % 2 === 0 && data[end] === 0 && data[end + 1] === 0) {
    sink.put(type === 1 ? '"' : type === 2 ? 'str(2):"' : 'str(7):"');
    sink.spellData(data, end);
    sink.put('"\n');
  } else if (type === 4 && data.length === 4) {
    sink.put("dword:");
    for (const byte of [data[3], data[2], data[1], data[0]]) sink.put((byte as number).toString(16).padStart(2, "0"));
    sink.put("\n");
  } else {
    sink.put(type === 3 ? "hex:" : `hex(${type.toString(16)}):`);
    sink.hex(data, sink.length - start);
    sink.put("\n");
  }
}
