/** Writes hives as registry files of regedit, version 5: for Windows' own tools, for reviews, for moving a few keys. */

import { WbuildError } from "../../native/error.ts";
import type { HiveKey, HiveValue } from "./key.ts";
import { regeditMagic } from "./regedit-text.ts";
import { compareNames } from "./upcase.ts";

/** Characters of a line of bytes. */
const lineWidth = 80;
/** UTF-16 units of a piece. */
const pieceSize = 1 << 15;

/**
 * A key and all below it as such a file, UTF-16LE with a mark of its order, in pieces; `path` is what the key is called there,
 * such as `HKEY_LOCAL_MACHINE\SOFTWARE`. Values come by name, strings that such a file cannot say in quotes as bytes. Of a
 * differencing hive, tombstones come as deletions, and a superseding tree as a deletion and the tree.
 * Throws HIVE_NAME for names of keys that would be read as something else, HIVE_LAYERED for a key that replaces the values
 * below but not the subkeys: no file says that.
 */
export function* writeRegeditText(key: HiveKey, path: string): Generator<Uint8Array> {
  const out = new Utf16Text();
  out.line(`\ufeff${regeditMagic}`);
  out.line("");
  yield* writeKey(out, key, path, false);
  yield out.take();
}

function* writeKey(out: Utf16Text, key: HiveKey, path: string, isAnew: boolean): Generator<Uint8Array> {
  if (key.layer === "supersede-local")
    throw new WbuildError(
      "HIVE_LAYERED",
      `no registry file can say how ${JSON.stringify(path)} replaces what lies below`,
      {
        hint: "merge the hive over its base first",
      },
    );
  const isTree = key.layer === "supersede-tree";
  if (key.layer === "tombstone" || (isTree && !isAnew)) {
    out.line(`[-${path}]`);
    out.line("");
  }
  if (key.layer === "tombstone") return;
  out.line(`[${path}]`);
  for (const value of [...key.values()].sort((a, b) => compareNames(a.name, b.name))) writeValue(out, value);
  out.line("");
  if (out.length >= pieceSize) yield out.take();
  for (const below of key.subkeys()) {
    // Attack: a hive's key called "x]\r\n[-HKEY_LOCAL_MACHINE" would be read as another line.
    if (/^$|[\\\r\n]/.test(below.name))
      throw new WbuildError("HIVE_NAME", `a key cannot be called ${JSON.stringify(below.name.slice(0, 60))}`, {
        hint: "names of keys have at least one character, no backslash, and here no line break",
      });
    yield* writeKey(out, below, `${path}\\${below.name}`, isTree);
  }
}

function writeValue(out: Utf16Text, { name, type, data, tombstone }: HiveValue): void {
  const head = name === "" ? "@=" : `"${quoted(name)}"=`;
  const text = type === 1 ? plainString(data) : undefined;
  if (tombstone) out.line(`${head}-`);
  else if (text !== undefined) out.line(`${head}"${quoted(text)}"`);
  else if (type === 4 && data.length === 4) {
    const number = Buffer.from(data.buffer, data.byteOffset, 4).readUInt32LE();
    out.line(`${head}dword:${number.toString(16).padStart(8, "0")}`);
  } else out.hexLines(`${head}hex${type === 3 ? "" : `(${type.toString(16)})`}:`, data);
}

function quoted(text: string): string {
  return text.replace(/[\\"]/g, "\\$&");
}

/** Text that ends in its only NUL and has no control characters; undefined for other data. */
function plainString(data: Uint8Array): string | undefined {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("utf16le");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
  return data.length % 2 === 0 && /^[^\0-\x1f]*\0$/.test(text) ? text.slice(0, -1) : undefined;
}

const digits = Buffer.from("0123456789abcdef");
const [comma = 0, backslash = 0, space = 0, carriageReturn = 0, lineFeed = 0] = Buffer.from(",\\ \r\n");

/** Text that grows in one buffer: a hive of megabytes is not held as lines. */
class Utf16Text {
  #bytes = Buffer.allocUnsafe(1024);
  /** In units. */
  length = 0;

  line(text: string): void {
    this.#write(text);
    this.#unit(carriageReturn);
    this.#unit(lineFeed);
  }

  /** Bytes after `head`, as regedit breaks them into lines. */
  hexLines(head: string, data: Uint8Array): void {
    this.#write(head);
    // Three characters a byte, and five more at the end of each line.
    this.#room(4 * data.length + 16);
    let column = head.length;
    for (let at = 0; at < data.length; at++) {
      const byte = data[at] as number;
      this.#unit(digits[byte >> 4] as number);
      this.#unit(digits[byte & 15] as number);
      column += 3;
      if (at === data.length - 1) break;
      this.#unit(comma);
      if (column < lineWidth - 4) continue;
      for (const unit of [backslash, carriageReturn, lineFeed, space, space]) this.#unit(unit);
      column = 2;
    }
    this.#unit(carriageReturn);
    this.#unit(lineFeed);
  }

  /** What was written since it was last taken. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, 2 * this.length);
    this.#bytes = Buffer.allocUnsafe(this.#bytes.length);
    this.length = 0;
    return taken;
  }

  #write(text: string): void {
    this.#room(text.length + 2);
    this.#bytes.write(text, 2 * this.length, "utf16le");
    this.length += text.length;
  }

  /** The room is there. All that is written so is ASCII. */
  #unit(unit: number): void {
    this.#bytes[2 * this.length] = unit;
    this.#bytes[2 * this.length + 1] = 0;
    this.length++;
  }

  #room(units: number): void {
    const needed = 2 * (this.length + units);
    if (needed <= this.#bytes.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(bigger, 0, 0, 2 * this.length);
    this.#bytes = bigger;
  }
}
