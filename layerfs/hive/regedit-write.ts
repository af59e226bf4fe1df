/** Writes hives as registry files of regedit, version 5: for Windows' own tools, for reviews, for moving a few keys. */

import { WbuildError } from "../../native/error.ts";
import type { HiveKey, HiveValue } from "./key.ts";
import { regeditMagic } from "./regedit-text.ts";
import { compareNames } from "./upcase.ts";

/** Characters of a line of bytes. */
const lineWidth = 80;

/**
 * A key and all below it as such a file, UTF-16LE with a mark of its order; `path` is what the key is called there, such as
 * `HKEY_LOCAL_MACHINE\SOFTWARE`. Values come by name, strings that such a file cannot say in quotes as bytes. Of a
 * differencing hive, tombstones come as deletions, and a superseding tree as a deletion and the tree.
 * Throws HIVE_NAME for names of keys that would be read as something else, HIVE_LAYERED for a key that replaces the values
 * below but not the subkeys: no file says that.
 */
export function writeRegeditText(key: HiveKey, path: string): Uint8Array {
  const lines = [regeditMagic, ""];
  writeKey(lines, key, path, false);
  return Buffer.from(`\ufeff${lines.join("\r\n")}\r\n`, "utf16le");
}

function writeKey(lines: string[], key: HiveKey, path: string, isAnew: boolean): void {
  if (key.layer === "supersede-local")
    throw new WbuildError(
      "HIVE_LAYERED",
      `no registry file can say how ${JSON.stringify(path)} replaces what lies below`,
      {
        hint: "merge the hive over its base first",
      },
    );
  const isTree = key.layer === "supersede-tree";
  if (key.layer === "tombstone" || (isTree && !isAnew)) lines.push(`[-${path}]`, "");
  if (key.layer === "tombstone") return;
  lines.push(`[${path}]`);
  for (const value of [...key.values()].sort((a, b) => compareNames(a.name, b.name))) writeValue(lines, value);
  lines.push("");
  for (const below of key.subkeys()) {
    // Attack: a hive's key called "x]\r\n[-HKEY_LOCAL_MACHINE" would be read as another line.
    if (/^$|[\\\r\n]/.test(below.name))
      throw new WbuildError("HIVE_NAME", `a key cannot be called ${JSON.stringify(below.name.slice(0, 60))}`, {
        hint: "names of keys have at least one character, no backslash, and here no line break",
      });
    writeKey(lines, below, `${path}\\${below.name}`, isTree);
  }
}

function writeValue(lines: string[], { name, type, data, tombstone }: HiveValue): void {
  const head = name === "" ? "@=" : `"${quoted(name)}"=`;
  const text = type === 1 ? plainString(data) : undefined;
  if (tombstone) lines.push(`${head}-`);
  else if (text !== undefined) lines.push(`${head}"${quoted(text)}"`);
  else if (type === 4 && data.length === 4) {
    const number = Buffer.from(data.buffer, data.byteOffset, 4).readUInt32LE();
    lines.push(`${head}dword:${number.toString(16).padStart(8, "0")}`);
  } else writeBytes(lines, `${head}hex${type === 3 ? "" : `(${type.toString(16)})`}:`, data);
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

function writeBytes(lines: string[], head: string, data: Uint8Array): void {
  let line = head;
  for (let at = 0; at < data.length; at++) {
    line += (data[at] as number).toString(16).padStart(2, "0");
    if (at === data.length - 1) break;
    line += ",";
    if (line.length >= lineWidth - 4) {
      lines.push(`${line}\\`);
      line = "  ";
    }
  }
  lines.push(line);
}
