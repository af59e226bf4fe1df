/**
 * Values of flags: text that a person typed → plain data. Pure; every refusal is CLI_VALUE and says what a right one looks like.
 * The spellings are those of `docker build`, `docker run` and `docker buildx build`.
 */
import { isIP } from "node:net";
import { ulimitNames } from "../../../native/core/spec.ts";
import { WbuildError } from "../../../native/error.ts";

/** What every parser here throws: names the flag, shows the value (cut short), tells the form that was expected. */
export function badValue(flag: string, value: string, expected: string): WbuildError {
  return new WbuildError("CLI_VALUE", `${flag}: ${JSON.stringify(value.slice(0, 200))} is not ${expected}`, {
    facts: { flag, value: value.slice(0, 200), expected },
  });
}

const sizeShape = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b)?$/i;
const sizePowers: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** `512m`, `1.5g`, `64kb`, `10GiB`, `4096`: bytes, in powers of 1024 as Docker's memory flags count. */
export function parseSize(flag: string, text: string): number {
  const found = sizeShape.exec(text.trim());
  const bytes = found && Math.floor(Number(found[1]) * 1024 ** (sizePowers[(found[2] ?? "").toLowerCase()] ?? 0));
  if (!found || bytes === null || !Number.isSafeInteger(bytes)) throw badValue(flag, text, "a size such as 512m or 2g");
  return bytes;
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `24h`, `1h30m`, `7d`: milliseconds. */
export function parseDuration(flag: string, text: string): number {
  let ms = 0;
  const rest = text.trim().replace(/(\d+(?:\.\d+)?)(ms|[smhdw])/g, (_, count: string, unit: string) => {
    ms += Number(count) * (durationUnits[unit] ?? Number.NaN);
    return "";
  });
  if (rest !== "" || text.trim() === "" || !Number.isSafeInteger(Math.round(ms)))
    throw badValue(flag, text, "a duration such as 90s, 24h or 7d");
  return Math.round(ms);
}

/** A duration back from now, a date, or seconds since 1970: milliseconds since 1970. */
export function parseUntil(flag: string, text: string, now: number): number {
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (/^\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:\d\d)?)?$/.test(text)) {
    const at = Date.parse(text);
    if (Number.isFinite(at)) return at;
  }
  try {
    return now - parseDuration(flag, text);
  } catch {
    throw badValue(flag, text, "a duration such as 24h, or a date such as 2026-01-31");
  }
}

/** A whole number within bounds. */
export function parseCount(flag: string, text: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  const count = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= least && count <= most))
    throw badValue(
      flag,
      text,
      most === Number.MAX_SAFE_INTEGER ? `a whole number, ${least} or more` : `a whole number from ${least} to ${most}`,
    );
  return count;
}

/** `--cpus 1.5`. */
export function parseCpus(flag: string, text: string): number {
  const cpus = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(cpus > 0 && cpus <= 65536)) throw badValue(flag, text, "a number of CPUs such as 2 or 1.5");
  return cpus;
}

/** `nofile=1024:2048`, `core=0`, `memlock=-1`: the name, and soft and hard limit; -1 is unlimited. */
export function parseUlimit(flag: string, text: string): [name: string, limits: readonly [number, number]] {
  const found = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
  const name = found?.[1] ?? "";
  if (!found || !ulimitNames.includes(name)) throw badValue(flag, text, "a limit such as nofile=1024:2048");
  const soft = Number(found[2]);
  const hard = Number(found[3] ?? found[2]);
  const inRange = (limit: number) => Number.isSafeInteger(limit) && limit >= -1;
  if (!inRange(soft) || !inRange(hard) || (hard !== -1 && (soft === -1 || soft > hard)))
    throw badValue(flag, text, "a limit whose soft value is at most its hard one");
  return [name, [soft, hard]];
}

/** `name:ip`, `name=ip`, `name=[::1]`, `name:host-gateway`: one line for /etc/hosts. */
export function parseAddHost(flag: string, text: string): [name: string, address: string] {
  const found = /^([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}))[:=](.+)$/.exec(text);
  const address = (found?.[2] ?? "").replace(/^\[(.*)\]$/, "$1");
  // Which address of this host that is, is known where the container is made.
  if (!found || (isIP(address) === 0 && address !== "host-gateway"))
    throw badValue(flag, text, "a host such as db=10.0.0.2 or db:10.0.0.2 or db=host-gateway");
  return [found[1] ?? "", address];
}

/** `key=value`; the value may hold more of '='. Without '=' the value is undefined, and the caller says what that means. */
export function parsePair(flag: string, text: string): [key: string, value: string | undefined] {
  const at = text.indexOf("=");
  const key = at === -1 ? text : text.slice(0, at);
  if (key === "" || /[\s\0]/.test(key)) throw badValue(flag, text, "of the form NAME=VALUE");
  return [key, at === -1 ? undefined : text.slice(at + 1)];
}

/** Build arguments and variables: `NAME` alone takes the value from the environment, and is left out when that has none. */
export function parseVariables(
  flag: string,
  texts: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const text of texts) {
    const [key, value] = parsePair(flag, text);
    const given = value ?? env[key];
    if (given !== undefined) Object.defineProperty(found, key, { value: given, enumerable: true, configurable: true });
  }
  return found;
}

/** Labels: `NAME` alone has an empty value, as with Docker. */
export function parseLabels(flag: string, texts: readonly string[]): Record<string, string> {
  const none = new Proxy({}, { get: () => "" });
  return parseVariables(flag, texts, none);
}

/** One line of comma-separated values, with "quotes" around fields that hold commas (RFC 4180). */
export function splitCsv(flag: string, text: string): string[] {
  const fields: string[] = [];
  const shape = /(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/y;
  while (shape.lastIndex <= text.length) {
    const found = shape.exec(text);
    if (!found) throw badValue(flag, text, "a list such as type=oci,dest=image.tar");
    fields.push(found[1] === undefined ? (found[2] ?? "") : found[1].replaceAll('""', '"'));
    if (found[3] === "") break;
  }
  return fields;
}

/** Yes and no as Go's flags and BuildKit's attributes spell them. */
export function parseBoolean(flag: string, text: string): boolean {
  if (/^(1|t|true|yes|on)$/i.test(text)) return true;
  if (/^(0|f|false|no|off)$/i.test(text)) return false;
  throw badValue(flag, text, "true or false");
}

/** One of a list of words. */
export function parseChoice<const T extends string>(flag: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw badValue(flag, text, `one of ${choices.join(", ")}`);
}

/** `NAME=VALUE` of --build-context: what kinds of values there are, the build knows. */
export function parseNamedContext(flag: string, text: string): { name: string; value: string } {
  const [name, value = ""] = parsePair(flag, text);
  if (value === "") throw badValue(flag, text, "of the form NAME=FOLDER, NAME=URL or NAME=docker-image://REFERENCE");
  return { name, value };
}

/** A registry as login and logout know it: its host, also out of a URL; Docker Hub without one. Throws CLI_VALUE. */
export function parseRegistry(text = "docker.io"): string {
  const host = text.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  if (/^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?$/.test(host)) return host;
  // Not quoted: what else stands there is often a user and a password.
  throw new WbuildError("CLI_VALUE", "this is no registry: a host, or host:port, is expected", {
    hint: "the user goes to --username, the password to --password-stdin",
  });
}
