/** Keys, values and changes of hives as lines for people and as data for JSON. Names and data are foreign: nothing here obeys them. */
import type { HiveChange } from "../../layerfs/hive/changes.ts";
import { type HiveKey, type HiveValue, type LayerSemantics, symlinkFlag, valueTypes } from "../../layerfs/hive/key.ts";
import { compareNames } from "../../layerfs/hive/upcase.ts";
import { formatSddl } from "../../layerfs/windows/sddl.ts";
import { decodeSecurity } from "../../layerfs/windows/security.ts";
import { harmless } from "../progress/harmless.ts";

/** Bytes of a value that a line shows. */
const shownBytes = 24;
const shownText = 200;

const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

const semantics: Readonly<Record<LayerSemantics, string>> = {
  merge: "",
  tombstone: " [deleted]",
  "supersede-local": " [replaces values]",
  "supersede-tree": " [replaces tree]",
};

/** A name or path with control characters, lone surrogates and marks of direction spelled out, so that none is lost. */
export function visible(name: string): string {
  if (/^[ -~]*$/.test(name)) return name;
  const spelled = name.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
    /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return harmless(spelled);
}

function typeName(type: number): string {
  return valueTypes[type] ?? `0x${type.toString(16)}`;
}

function nameOf(value: HiveValue): string {
  return value.name === "" ? "@" : `"${visible(value.name)}"`;
}

/** What is in the bytes, where the type says how to read them. */
function contentOf({ type, data }: HiveValue): string | readonly string[] | number | bigint | undefined {
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const isText = data.length % 2 === 0 && data.length > 0;
  switch (type) {
    case 1:
    case 2:
    case 6:
      return isText ? bytes.toString("utf16le").replace(/\0$/, "") : undefined;
    case 7:
      return isText
        ? bytes
            .toString("utf16le")
            .replace(/\0{1,2}$/, "")
            .split("\0")
        : undefined;
    case 4:
      return data.length === 4 ? bytes.readUInt32LE() : undefined;
    case 5:
      return data.length === 4 ? bytes.readUInt32BE() : undefined;
    case 11:
      return data.length === 8 ? bytes.readBigUInt64LE() : undefined;
    default:
      return undefined;
  }
}

function quote(text: string): string {
  return `"${visible(text.slice(0, shownText))}"${text.length > shownText ? "…" : ""}`;
}

/** Type and data on one line, cut where they are long. */
function dataLine(value: HiveValue): string {
  if (value.tombstone) return "[deleted]";
  const content = contentOf(value);
  let shown: string;
  if (typeof content === "string") shown = quote(content);
  else if (typeof content === "object")
    shown = content.slice(0, 20).map(quote).join(" ") + (content.length > 20 ? " …" : "");
  else if (content !== undefined) shown = `${content} (0x${content.toString(16)})`;
  else {
    const { data } = value;
    const end = Math.min(data.length, shownBytes);
    shown = "";
    for (let at = 0; at < end; at++) shown += at === 0 ? hexPairs[data[at] ?? 0] : ` ${hexPairs[data[at] ?? 0]}`;
    if (data.length > shownBytes) shown += ` … ${data.length} bytes`;
  }
  return shown === "" ? typeName(value.type) : `${typeName(value.type)} ${shown}`;
}

/** The tree below a key, two spaces a level; the key itself is not among the lines. */
export function treeLines(key: HiveKey, depth: number, line: (text: string) => void, indent = ""): void {
  for (const value of sorted(key.values())) line(`${indent}${nameOf(value)} ${dataLine(value)}`);
  if (depth <= 0) return;
  const deeper = `${indent}  `;
  for (const below of key.subkeys()) {
    const link = below.flags & symlinkFlag ? " [link]" : "";
    line(`${indent}${visible(below.name)}${semantics[below.layer]}${link}`);
    treeLines(below, depth - 1, line, deeper);
  }
}

function sorted(values: readonly HiveValue[]): readonly HiveValue[] {
  return values.length < 2 ? values : [...values].sort((a, b) => compareNames(a.name, b.name));
}

/** A key for programs: everything, bytes in hexadecimal, and what they say where the type tells. */
export function keyJson(key: HiveKey, depth: number, differencing: boolean): object {
  return {
    name: key.name,
    ...(differencing ? { layer: key.layer, inheritClass: key.inheritClass } : {}),
    lastWrite: timeOf(key.lastWrite),
    ...(key.flags & symlinkFlag ? { link: true } : {}),
    ...(key.className === undefined ? {} : { class: Buffer.from(key.className).toString("utf16le") }),
    ...(key.security === undefined ? {} : { security: securityOf(key.security) }),
    values: sorted(key.values()).map(valueJson),
    ...(depth <= 0 ? {} : { keys: key.subkeys().map((below) => keyJson(below, depth - 1, differencing)) }),
  };
}

function valueJson(value: HiveValue): object {
  const { name, type, data, tombstone } = value;
  if (tombstone) return { name, deleted: true };
  const content = contentOf(value);
  return {
    name,
    type: typeName(type),
    data: Buffer.from(data).toString("hex"),
    ...(content === undefined ? {} : { value: typeof content === "bigint" ? String(content) : content }),
  };
}

/** In nanoseconds' place Windows counts 100 of them since 1601. Null for 0, and for what no calendar has. */
function timeOf(fileTime: bigint): string | null {
  const milliseconds = Number((fileTime - 116_444_736_000_000_000n) / 10_000n);
  return fileTime === 0n || Math.abs(milliseconds) > 8.64e15 ? null : new Date(milliseconds).toISOString();
}

/** In SDDL; bytes in hexadecimal where they are no descriptor. */
function securityOf(bytes: Uint8Array): string {
  try {
    return formatSddl(decodeSecurity(bytes));
  } catch {
    return Buffer.from(bytes).toString("hex");
  }
}

const letters = { added: "A", changed: "C", deleted: "D" } as const;

/** `A Key\Sub`, `C Key\Sub "Value" REG_DWORD 1 (0x1) -> REG_DWORD 2 (0x2)`. */
export function changeLine({ kind, path, ...change }: HiveChange): string {
  const key = path.length === 0 ? "\\" : path.map(visible).join("\\");
  if (change.value === undefined) {
    const facets = "facets" in change && change.facets ? ` (${change.facets.join(", ")})` : "";
    return `${letters[kind]} ${key}${facets}`;
  }
  const { value } = change;
  const was = "was" in change && change.was ? `${dataLine(change.was)} -> ` : "";
  return `${letters[kind]} ${key} ${nameOf(value)} ${was}${dataLine(value)}`;
}

export function changeJson({ kind, path, ...change }: HiveChange): object {
  if (change.value === undefined)
    return { kind, key: path, ...("facets" in change && change.facets ? { changed: change.facets } : {}) };
  return {
    kind,
    key: path,
    value: valueJson(change.value),
    ...("was" in change && change.was ? { was: valueJson(change.was) } : {}),
  };
}
