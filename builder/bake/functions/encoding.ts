/** Bytes, digests, JSON, CSV, identifiers, times. */
import { createHash, randomUUID } from "node:crypto";
import { asNumber, asText, badValue, mapOf, type Value } from "../value.ts";
import { type BakeFunction, type FunctionTable, given, ofText } from "./function.ts";

function digest(name: string): BakeFunction {
  return ofText(name, (text) => createHash(name).update(text, "utf8").digest("hex"));
}

function bytes(value: Value | undefined, name: string): Buffer {
  return Buffer.from(asText(given(value, name), `an argument of ${name}`), "utf8");
}

/** RFC 4180: a first line of names, then one object a line. */
function decodeCsv(text: string): Value {
  const rows: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (cell.lastIndex < text.length) {
    const found = cell.exec(text);
    if (!found) throw badValue("csvdecode: a quote stands where it must not");
    rows.at(-1)?.push(found[1] === undefined ? (found[2] ?? "") : found[1].replaceAll('""', '"'));
    if (found[3] !== "," && found[3] !== "" && cell.lastIndex < text.length) rows.push([]);
    if (found[3] === "," && cell.lastIndex === text.length) rows.at(-1)?.push("");
  }
  const [names = [], ...lines] = rows;
  return lines.map((line) => {
    if (line.length !== names.length) throw badValue("csvdecode: a line has not as many fields as the first one");
    return mapOf(names.map((name, i) => [name, line[i] as string]));
  });
}

function decodeJson(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    throw badValue(`jsondecode: ${(error as Error).message}`);
  }
}

/** RFC 4122, version 5: SHA-1 over a namespace (a word or a UUID) and a name. */
function uuid5(namespace: Value | undefined, name: Value | undefined): string {
  const words: Readonly<Record<string, number>> = { dns: 0, url: 1, oid: 2, x500: 4 };
  const given5 = asText(given(namespace, "uuidv5"), "the namespace of uuidv5");
  const word = words[given5];
  const text = word === undefined ? given5 : `6ba7b81${word}-9dad-11d1-80b4-00c04fd430c8`;
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw badValue("uuidv5 needs a UUID, or dns, url, oid or x500");
  const hash = createHash("sha1")
    .update(Buffer.from(text.replaceAll("-", ""), "hex"))
    .update(bytes(name, "uuidv5"))
    .digest();
  hash[6] = ((hash[6] as number) & 0x0f) | 0x50;
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80;
  return hash.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function time(value: Value | undefined, name: string): Date {
  const text = asText(given(value, name), `the time of ${name}`);
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)$/.test(text) ? new Date(text) : undefined;
  if (!at || Number.isNaN(at.getTime()))
    throw badValue(`${name}: ${JSON.stringify(text.slice(0, 50))} is no time such as 2026-01-31T12:00:00Z`);
  return at;
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, ns: 0.000001 };

function addDuration(at: Date, duration: string): string {
  let ms = 0;
  const rest = duration
    .replace(/^[-+]/, "")
    .replace(/(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)/g, (_, count: string, unit: string) => {
      ms += Number(count) * (unitMs[unit] as number);
      return "";
    });
  if (rest !== "" || duration === "")
    throw badValue(`timeadd: ${JSON.stringify(duration.slice(0, 50))} is no duration such as 1h30m`);
  return new Date(at.getTime() + (duration.startsWith("-") ? -ms : ms)).toISOString().replace(/\.\d+Z$/, "Z");
}

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = "January February March April May June July August September October November December".split(" ");

/** HCL's letters: YYYY YY MMMM MMM MM M DD D EEEE EEE hh h HH H AA aa mm m ss s Z ZZZ ZZZZ ZZZZZ; text in 'quotes'. UTC. */
function formatDate(form: string, at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const hour = at.getUTCHours() % 12 || 12;
  const month = months[at.getUTCMonth()] as string;
  const day = days[at.getUTCDay()] as string;
  const fields: Readonly<Record<string, string>> = {
    YYYY: String(at.getUTCFullYear()).padStart(4, "0"),
    YY: two(at.getUTCFullYear() % 100),
    MMMM: month,
    MMM: month.slice(0, 3),
    MM: two(at.getUTCMonth() + 1),
    M: String(at.getUTCMonth() + 1),
    DD: two(at.getUTCDate()),
    D: String(at.getUTCDate()),
    EEEE: day,
    EEE: day.slice(0, 3),
    hh: two(at.getUTCHours()),
    h: String(at.getUTCHours()),
    HH: two(hour),
    H: String(hour),
    AA: at.getUTCHours() < 12 ? "AM" : "PM",
    aa: at.getUTCHours() < 12 ? "am" : "pm",
    mm: two(at.getUTCMinutes()),
    m: String(at.getUTCMinutes()),
    ss: two(at.getUTCSeconds()),
    s: String(at.getUTCSeconds()),
    Z: "Z",
    ZZZ: "UTC",
    ZZZZ: "+0000",
    ZZZZZ: "+00:00",
  };
  return form.replace(/'((?:[^']|'')*)'|([a-zA-Z])\2*/g, (run, quotedText?: string) => {
    if (quotedText !== undefined) return quotedText.replaceAll("''", "'");
    const field = fields[run];
    if (field === undefined) throw badValue(`formatdate does not know ${JSON.stringify(run)}: text goes into 'quotes'`);
    return field;
  });
}

export const encodingFunctions: FunctionTable = {
  base64decode: ofText("base64decode", (text) => Buffer.from(text, "base64").toString("utf8")),
  base64encode: ofText("base64encode", (text) => Buffer.from(text, "utf8").toString("base64")),
  byteslen: (value) => bytes(value, "byteslen").length,
  bytesslice: (value, offset, length) => {
    const start = asNumber(given(offset, "bytesslice"), "the offset of bytesslice");
    return bytes(value, "bytesslice")
      .subarray(start, start + asNumber(given(length, "bytesslice"), "the length of bytesslice"))
      .toString("utf8");
  },
  csvdecode: ofText("csvdecode", decodeCsv),
  formatdate: (form, at) =>
    formatDate(asText(given(form, "formatdate"), "the form of formatdate"), time(at, "formatdate")),
  jsondecode: ofText("jsondecode", decodeJson),
  jsonencode: (value) => JSON.stringify(given(value, "jsonencode")),
  md5: digest("md5"),
  sha1: digest("sha1"),
  sha256: digest("sha256"),
  sha512: digest("sha512"),
  timeadd: (at, duration) =>
    addDuration(time(at, "timeadd"), asText(given(duration, "timeadd"), "the duration of timeadd")),
  timestamp: () => new Date().toISOString().replace(/\.\d+Z$/, "Z"),
  urlencode: ofText("urlencode", (text) =>
    encodeURIComponent(text)
      .replaceAll("%20", "+")
      .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`),
  ),
  uuidv4: () => randomUUID(),
  uuidv5: uuid5,
};
