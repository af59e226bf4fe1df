/**
 * Readers that know nothing of ours, hivexml, reglookup and regfexport, and what each should print for a hive by our
 * reading: a line for each key and value, sorted.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import type { Hive, HiveKey, HiveValue } from "../../../../layerfs/hive/key.ts";

const tools = ["hivexml", "reglookup", "regfexport"];
const missing = tools.filter((tool) => spawnSync("which", [tool]).status !== 0);

/** Why tests with the judges are skipped, undefined when they are there. */
export const noJudges = missing.length === 0 ? undefined : `${missing.join(" and ")} are not installed`;

interface Listed {
  readonly path: readonly string[];
  readonly value?: HiveValue;
}

function* all(key: HiveKey, path: readonly string[] = []): Generator<Listed> {
  yield { path };
  for (const value of key.values()) yield { path, value };
  for (const subkey of key.subkeys()) yield* all(subkey, [...path, subkey.name]);
}

const line = (path: readonly string[], ...rest: readonly string[]) => JSON.stringify([path, ...rest]);
const utf16 = (data: Uint8Array) => Buffer.from(data).toString("utf16le");

/** What hivexml says of a file. Not for tombstone values: their data field is no cell to it, and it loses its place. */
export function hivexmlLines(file: string): string[] {
  // It opens /dev/stdout by name, which cannot be a socket as our pipes are.
  const output = `${file}.xml`;
  const to = openSync(output, "w");
  execFileSync("hivexml", [file], { stdio: ["ignore", to, "ignore"] });
  closeSync(to);
  const xml = readFileSync(output, "utf8");
  const lines: string[] = [];
  const path: string[] = [];
  let strings: string[] | undefined;
  let name = "";
  // As the file has them: a tag with its attributes, or the text of a string.
  for (const [, close, tag, attributes = "", empty, text] of xml.matchAll(
    /<(\/?)(node|value|string)((?: [a-z]+="[^"]*")*)(\/?)>([^<]*)/g,
  )) {
    const has = new Map(
      [...attributes.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, plain(value)]),
    );
    if (tag === "node" && close === "/") path.pop();
    else if (tag === "node") {
      if (has.get("root") === undefined) path.push(has.get("name") ?? "");
      else path.length = 0;
      lines.push(line(path));
      if (empty === "/") path.pop();
    } else if (tag === "string" && close === "") strings?.push(empty === "/" ? "" : plain(text ?? ""));
    else if (tag === "value" && close === "") {
      name = has.get("key") ?? "";
      const type = has.get("type") ?? "";
      const value = has.get("value") ?? "";
      if (type === "string-list" && empty !== "/") strings = [];
      else lines.push(line(path, name, type, has.get("encoding") === "base64" ? hexOf(value) : value));
    } else if (tag === "value" && strings !== undefined) {
      lines.push(line(path, name, "string-list", ...strings));
      strings = undefined;
    }
  }
  return lines.sort();
}

const hexOf = (base64: string) => Buffer.from(base64, "base64").toString("hex");

function plain(xml: string): string {
  const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return xml.replace(/&(?:#x([0-9A-Fa-f]+)|#(\d+)|(\w+));/g, (_, hex, decimal, word) =>
    word === undefined
      ? String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
      : (named[word] ?? ""),
  );
}

/** What hivexml should say. */
export function asHivexml(hive: Hive): string[] {
  const lines: string[] = [];
  for (const { path, value } of all(hive.root)) {
    if (value === undefined) lines.push(line(path));
    else lines.push(line(path, value.name, ...hivexmlValue(value)));
  }
  return lines.sort();
}

function hivexmlValue({ type, data }: HiveValue): string[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const raw = Buffer.from(data).toString("hex");
  switch (type) {
    case 1:
    case 2:
    case 6:
      // Up to the first NUL.
      return [{ 1: "string", 2: "expand", 6: "link" }[type], utf16(data).replace(/\0.*$/s, "")];
    case 4:
      return ["int32", String(view.getInt32(0, true))];
    case 7:
      return ["string-list", ...utf16(data).replace(/\0$/, "").split("\0")];
    case 11:
      return ["int64", String(view.getBigInt64(0, true))];
    case 0:
      return ["none", raw];
    case 3:
      return ["binary", raw];
    default:
      return [
        { 8: "resource-list", 9: "full-resource-description", 10: "resource-requirements" }[type] ?? "unknown",
        raw,
      ];
  }
}

/** What reglookup says of a file, its quotes undone. Bytes over 0x7F stand as one unit each. */
export function reglookupLines(file: string): string[] {
  const text = execFileSync("reglookup", [file], {
    maxBuffer: 1 << 28,
    encoding: "latin1",
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const rows = text.split("\n").slice(1, -1);
  return rows
    .map((row) => {
      const [path = "", type = "", data = ""] = row.split(",");
      const parts = path.split("/").slice(1).map(unquoted);
      if (type === "KEY") return line(parts.filter((part) => part !== ""));
      return line(
        parts.slice(0, -1).filter((part) => part !== ""),
        parts.at(-1) ?? "",
        type,
        unquoted(data),
      );
    })
    .sort();
}

function unquoted(text: string): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

const reglookupTypes = [
  "NONE",
  "SZ",
  "EXPAND_SZ",
  "BINARY",
  "DWORD",
  "DWORD_BE",
  "LINK",
  "MULTI_SZ",
  "RSRC_LIST",
  "RSRC_DESC",
  "RSRC_REQ_LIST",
  "QWORD",
];

/** What reglookup should say. */
export function asReglookup(hive: Hive): string[] {
  const lines: string[] = [];
  for (const { path, value } of all(hive.root)) {
    if (value === undefined) lines.push(line(path));
    else lines.push(line(path, value.name, ...reglookupValue(value)));
  }
  return lines.sort();
}

function reglookupValue({ type, data }: HiveValue): string[] {
  const named = reglookupTypes[type] ?? `0x${type.toString(16).toUpperCase().padStart(8, "0")}`;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const raw = Buffer.from(data).toString("latin1");
  if (data.length === 0) return [named, "(null)"];
  switch (type) {
    case 1:
    case 2:
    case 6:
    case 7: {
      const text = utf16(data);
      // Without a locale it has no letters beyond ASCII, and prints the bytes.
      if (!/^[\0-\x7f]*$/.test(text)) return [named, raw];
      return [named, type === 7 ? text.replace(/^\0+|\0+$/g, "").replace(/\0+/g, "|") : text.replace(/\0.*$/s, "")];
    }
    case 4:
      return [named, `0x${view.getUint32(0, true).toString(16).toUpperCase().padStart(8, "0")}`];
    case 11:
      return [named, `0x${view.getBigUint64(0, true).toString(16).toUpperCase().padStart(16, "0")}`];
    default:
      return [named, raw];
  }
}

/** What regfexport says of a file: keys and names of values. A tombstone value "is corrupted" to it. */
export function regfexportLines(file: string): string[] {
  const text = execFileSync("regfexport", [file], { maxBuffer: 1 << 28, encoding: "utf8" });
  const lines: string[] = [];
  for (const block of text.split(/\n(?=Key path: )/).slice(1)) {
    const [, key = ""] = /^Key path: (.*)/.exec(block) ?? [];
    lines.push(line([key]));
    for (const [, name = "", corrupted] of block.matchAll(/\nValue: \d+ (.*)\n(Is corrupted)?/g)) {
      lines.push(line([key], name, corrupted === undefined ? "" : "deleted"));
    }
  }
  return lines.sort();
}

/** What regfexport should say. */
export function asRegfexport(hive: Hive): string[] {
  return [...all(hive.root)]
    .map(({ path, value }) => {
      const key = [[hive.root.name, ...path].join("\\")];
      if (value === undefined) return line(key);
      return line(key, value.name || "(default)", value.tombstone ? "deleted" : "");
    })
    .sort();
}
