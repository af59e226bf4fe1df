/** Changes of a registry as people and programs read them: keys with their roots' names, data by its type. */
import type { HiveChange } from "../../../layerfs/hive/changes.ts";
import { type HiveValue, valueTypes } from "../../../layerfs/hive/key.ts";

/** `data`: text of strings (without the last NUL), a number of DWORDs and QWORDs (these as text), a list, else hex. */
export interface RegistryData {
  readonly type: string;
  readonly data: string | number | readonly string[];
}

export interface RegistryDifference {
  readonly kind: "added" | "changed" | "deleted";
  /** `HKLM\SOFTWARE\Vendor`. */
  readonly key: string;
  /** Of a value its name, "" of the default one; absent: the key itself. A deleted key had more below it. */
  readonly value?: string;
  /** What of it differs, for `changed`: data, type; name, class, security, link of a key. */
  readonly what: readonly string[];
  readonly before?: RegistryData;
  readonly after?: RegistryData;
}

/** A change below a root such as `HKLM\SOFTWARE`. */
export function differenceOf(root: string, change: HiveChange): RegistryDifference {
  const key = [root, ...change.path].join("\\");
  if (change.value === undefined) return { kind: change.kind, key, what: change.facets ?? [] };
  const { kind, value, was } = change;
  const now = dataOf(value);
  const common = { kind, key, value: value.name };
  if (was === undefined) return { ...common, what: [], ...(kind === "deleted" ? { before: now } : { after: now }) };
  const what = [...(was.type === value.type ? [] : ["type"]), ...(sameBytes(was, value) ? [] : ["data"])];
  return { ...common, what, before: dataOf(was), after: now };
}

function sameBytes(a: HiveValue, b: HiveValue): boolean {
  return Buffer.from(a.data).equals(b.data);
}

/** Data whose length does not fit its type is shown as hex. */
export function dataOf({ type, data }: Pick<HiveValue, "type" | "data">): RegistryData {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { type: valueTypes[type] ?? `0x${type.toString(16)}`, data: shownData(type, bytes) };
}

function shownData(type: number, bytes: Buffer): RegistryData["data"] {
  const isText = bytes.length % 2 === 0;
  if ((type === 1 || type === 2) && isText) return bytes.toString("utf16le").replace(/\0$/, "");
  if (type === 7 && isText) {
    const text = bytes.toString("utf16le").replace(/\0{1,2}$/, "");
    return text === "" ? [] : text.split("\0");
  }
  if (type === 4 && bytes.length === 4) return bytes.readUInt32LE();
  if (type === 5 && bytes.length === 4) return bytes.readUInt32BE();
  if (type === 11 && bytes.length === 8) return String(bytes.readBigUInt64LE());
  return bytes.toString("hex");
}

const longest = 200;

/** One line: `A HKLM\SOFTWARE\Vendor [Name] = REG_SZ "text"`. Names cannot forge lines of their own. */
export function registryLine(difference: RegistryDifference): string {
  const { kind, key, value, what, before, after } = difference;
  const letter = { added: "A", changed: "C", deleted: "D" }[kind];
  const rest =
    value === undefined
      ? what.length > 0
        ? ` (${what.join(", ")})`
        : ""
      : ` [${value === "" ? "(Default)" : value}]${after ? ` = ${dataText(after)}` : ""}${kind === "changed" && before ? ` (was ${dataText(before)})` : ""}`;
  return `${letter} ${key}${rest}`.replaceAll("\n", "\\n");
}

function dataText({ type, data }: RegistryData): string {
  const isHex = typeof data === "string" && !/^REG_(SZ|EXPAND_SZ|QWORD)$/.test(type);
  const text = isHex ? data : JSON.stringify(data);
  return `${type} ${text.length > longest ? `${text.slice(0, longest)}…` : text}`;
}
