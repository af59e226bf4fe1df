/**
 * Reads registry files of regedit and reg.exe: what they tell to do, key by key. Such files know no classes, descriptors,
 * links or times. Carrying it out is regedit-edits.ts.
 */

import { constants } from "node:buffer";
import { WbuildError } from "../../native/error.ts";
import type { HiveValue } from "./key.ts";

/** What one section tells to do. */
export interface RegeditEdit {
  /** `HKEY_LOCAL_MACHINE`, `SOFTWARE`, … */
  readonly path: readonly string[];
  /** The key and all below it is to go; there are no values then. */
  readonly isDeleted: boolean;
  /** In their order, a later one of the same name over an earlier one. A tombstone deletes. */
  readonly values: readonly HiveValue[];
}

export const regeditMagic = "Windows Registry Editor Version 5.00";
const oldMagic = "REGEDIT4";
/** As deep as Windows lets keys be. */
const maxDepth = 512;

/**
 * Reads such a file: version 5 in UTF-16LE or UTF-8, or REGEDIT4 in Windows-1252. The edits come in the order of the file,
 * which is that in which they count. A string goes on over line ends until its quote.
 * Throws HIVE_REGEDIT_TEXT with the line that cannot be understood, or of a key more than 512 levels deep.
 */
export function readRegeditText(bytes: Uint8Array): readonly RegeditEdit[] {
  return new RegeditReader(decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))).read();
}

function decode(bytes: Buffer): string {
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw new WbuildError("HIVE_REGEDIT_TEXT", "the registry file is larger than half a gigabyte");
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString("utf16le", 2);
  if (bytes[0] !== 0 && bytes[1] === 0) return bytes.toString("utf16le");
  if (bytes.toString("latin1", 0, oldMagic.length) === oldMagic) return ansi(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WbuildError("HIVE_REGEDIT_TEXT", "the registry file is neither UTF-16 nor UTF-8", { cause });
  }
}

/** Windows-1252 where it is not Latin-1: 0x80 to 0x9F. Node's own decoder takes these for control characters. */
const ansiHigh =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";

function ansi(bytes: Buffer): string {
  return bytes.toString("latin1").replace(/[\x80-\x9f]/g, (byte) => ansiHigh.charAt(byte.charCodeAt(0) - 0x80));
}

class RegeditReader {
  readonly #text: string;
  readonly #edits: RegeditEdit[] = [];
  /** Data of strings in hexadecimal is Windows-1252 there. */
  readonly #isOld: boolean;
  #at = 0;
  /** Of the key that was named last; none where there is no such key. */
  #values: HiveValue[] | undefined;

  constructor(text: string) {
    this.#text = text;
    this.#isOld = text.startsWith(oldMagic);
  }

  read(): readonly RegeditEdit[] {
    const text = this.#text;
    const magic = [regeditMagic, oldMagic].find((each) => text.startsWith(each));
    if (magic === undefined) throw this.#wrong("does not begin as registry files do");
    this.#at = magic.length;
    for (; this.#at < text.length; ) {
      const character = text[this.#at] as string;
      if (character === "[") this.#readKey();
      else if (character === "@" || character === '"') this.#readValue();
      else if (character === ";") this.#at = this.#lineEnd();
      else if (/\s/.test(character)) this.#at++;
      else throw this.#wrong("is neither a key nor a value");
    }
    return this.#edits;
  }

  #readKey(): void {
    const end = this.#lineEnd();
    const line = this.#text.slice(this.#at + 1, end);
    const close = line.lastIndexOf("]");
    if (close < 0) throw this.#wrong("has a key without its closing bracket");
    const isDeleted = line.startsWith("-");
    const names = line
      .slice(isDeleted ? 1 : 0, close)
      .split("\\")
      .filter((name) => name !== "");
    if (names.length === 0) throw this.#wrong("has a key without a name");
    // Attack: paths so deep that whoever walks the tree runs out of stack.
    if (names.length > maxDepth) throw this.#wrong(`has a key more than ${maxDepth} levels deep`);
    const values: HiveValue[] = [];
    this.#edits.push({ path: names, isDeleted, values });
    // What follows a deleted key has no key to belong to.
    this.#values = isDeleted ? undefined : values;
    this.#at = end;
  }

  #readValue(): void {
    const values = this.#values;
    if (values === undefined) throw this.#wrong("has a value that belongs to no key");
    let name = "";
    if (this.#text[this.#at] === "@") this.#at++;
    else name = this.#readString();
    this.#skipBlanks();
    if (this.#text[this.#at] !== "=") throw this.#wrong("has no = behind the name of a value");
    this.#at++;
    this.#skipBlanks();
    if (this.#text[this.#at] === "-") {
      this.#at++;
      values.push({ name, type: 0, data: new Uint8Array(0), tombstone: true });
    } else values.push({ name, ...this.#readData() });
    this.#skipBlanks();
    if (this.#at < this.#text.length && !/[\r\n;]/.test(this.#text[this.#at] as string))
      throw this.#wrong("goes on behind its value");
  }

  #readData(): Pick<HiveValue, "type" | "data"> {
    if (this.#text[this.#at] === '"') return { type: 1, data: Buffer.from(`${this.#readString()}\0`, "utf16le") };
    const end = this.#lineEnd();
    const line = this.#text.slice(this.#at, Math.min(end, this.#at + 24));
    const dword = /^dword:\s*([0-9a-f]{1,8})(?![0-9a-f])/i.exec(line);
    if (dword) {
      this.#at += dword[0].length;
      const data = Buffer.alloc(4);
      data.writeUInt32LE(Number.parseInt(dword[1] ?? "", 16));
      return { type: 4, data };
    }
    const hex = /^hex(?:\(([0-9a-f]{1,8})\))?:/i.exec(line);
    if (!hex) throw this.#wrong("has data of no known form");
    this.#at += hex[0].length;
    const type = hex[1] === undefined ? 3 : Number.parseInt(hex[1], 16);
    const data = this.#readBytes();
    // Strings, lists of strings and those with variables.
    if (!this.#isOld || ![1, 2, 7].includes(type)) return { type, data };
    return { type, data: Buffer.from(ansi(data), "utf16le") };
  }

  /** Bytes with commas between; a backslash at the end of a line goes on with the next. */
  #readBytes(): Buffer {
    const text = this.#text;
    const parts: string[] = [];
    for (;;) {
      const end = this.#lineEnd();
      const line = text.slice(this.#at, end).replace(/;.*/s, "").trimEnd();
      const goesOn = line.endsWith("\\");
      const digits = goesOn ? line.slice(0, -1) : line;
      for (const part of digits.split(",")) {
        const byte = part.trim();
        if (!/^[0-9a-f]{0,2}$/i.test(byte)) throw this.#wrong("has something that is no hexadecimal byte");
        if (byte !== "") parts.push(byte.padStart(2, "0"));
      }
      this.#at = end;
      if (!goesOn || end >= text.length) return Buffer.from(parts.join(""), "hex");
      this.#at = end + 1;
    }
  }

  /** From its opening quote; ends behind the closing one. */
  #readString(): string {
    const text = this.#text;
    const parts: string[] = [];
    let from = this.#at + 1;
    for (let at = from; at < text.length; at++) {
      const character = text[at];
      if (character === '"') {
        parts.push(text.slice(from, at));
        this.#at = at + 1;
        return parts.join("");
      }
      if (character !== "\\") continue;
      const escaped = text[at + 1];
      if (escaped !== "\\" && escaped !== '"') throw this.#wrong("has a single backslash in a string: two make one");
      parts.push(text.slice(from, at), escaped);
      at++;
      from = at + 1;
    }
    throw this.#wrong("has a string without an end");
  }

  #skipBlanks(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }

  /** Of the line break. */
  #lineEnd(): number {
    const end = this.#text.indexOf("\n", this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #wrong(what: string): WbuildError {
    const line = this.#text.slice(0, this.#at).split("\n").length;
    return new WbuildError("HIVE_REGEDIT_TEXT", `line ${line} of the registry file ${what}`, { facts: { line } });
  }
}
