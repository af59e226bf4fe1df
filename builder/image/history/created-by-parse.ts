/**
 * The text of a history entry → what it was: BuildKit's (`RUN |1 A=b /bin/sh -c make # buildkit`), the classic builder's
 * (`/bin/sh -c #(nop)  CMD ["a"]`), buildah's and our own. What nobody can know for sure is decided with the final config.
 */
import type { ContainerConfig } from "../../../registry/oci/image.ts";
import { parseDuration } from "../../dockerfile/go-duration.ts";
import { isKeyword, type Keyword } from "../../dockerfile/keywords.ts";
import { readQuotedList } from "../format/go-text.ts";

export interface HistoryStep {
  /** undefined: no builder's words; `rest` is the whole text. */
  readonly keyword?: Keyword;
  /** What follows the keyword. */
  readonly rest: string;
}

const longest = 256 * 1024;
const suffix = "# buildkit";

/** Takes an entry apart. A text without keyword that belongs to a layer and begins with a shell was a RUN. */
export function readStep(createdBy: string, hasLayer: boolean): HistoryStep {
  const whole = createdBy.slice(0, longest).trimEnd();
  const text = whole.endsWith(suffix) ? whole.slice(0, -suffix.length).replace(/[ \t]{1,256}$/, "") : whole;
  // `/bin/sh -c #(nop) CMD …`: the classic builder wrote what is no command behind a command that does nothing.
  const nop = /^.{0,200}?#\(nop\)\s+(.*)$/s.exec(text);
  const said = (nop?.[1] ?? text).replace(/^\s+/, "");
  const match = /^([A-Za-z]+)(?:\s+(.*))?$/s.exec(said);
  const word = match?.[1] ?? "";
  // The line end of a RUN's script tells a here-document from an exec form.
  if (word === "RUN") return { keyword: word, rest: (match?.[2] ?? "").trimStart() };
  if (isKeyword(word)) return { keyword: word, rest: (match?.[2] ?? "").trim() };
  const looksRun = /^(\|\d+ |\/bin\/|\/usr\/bin\/|cmd |powershell|pwsh)/i.test(said);
  if (nop === null && hasLayer && looksRun) return { keyword: "RUN", rest: said };
  return { rest: text.trim() };
}

export interface RunStep {
  /** ARGs that were in effect: `A=b`. */
  readonly args: readonly string[];
  readonly argv: readonly string[];
  /** The words of an exec form are not told apart in a history: split at blanks. */
  readonly isGuessed: boolean;
}

/** `|2 A=b C=d e /bin/sh -c make` with the shell that was in effect. */
export function readRun(rest: string, shell: readonly string[]): RunStep {
  let command = rest;
  let args: string[] = [];
  const prefix = `${shell.join(" ")} `;
  const counted = /^\|(\d{1,4}) (.*)$/s.exec(rest);
  if (counted !== null) {
    const body = counted[2] ?? "";
    const at = body.startsWith(prefix) ? 0 : body.indexOf(` ${prefix}`);
    const head = at < 0 ? body : body.slice(0, at);
    const pairs = splitPairs(head, /^[A-Za-z_][\w.-]*=/);
    const count = Number(counted[1]);
    if (at >= 0) {
      args = pairs.map(([name, value]) => `${name}=${value}`);
      command = body.slice(at).trimStart();
    } else {
      // An exec form: nothing marks where the last value ends and the command begins, so take it to be one word.
      args = pairs
        .slice(0, count)
        .map(([name, value], index) => `${name}=${index === count - 1 ? value.split(" ", 1)[0] : value}`);
      command = body.slice(args.join(" ").length).trimStart();
    }
  }
  if (command.startsWith(prefix)) return { args, argv: [...shell, command.slice(prefix.length)], isGuessed: false };
  return { args, argv: command.split(" ").filter((word) => word !== ""), isGuessed: true };
}

/**
 * `A=b c D=e` → pairs. Quotes are gone in a history, so a value with blanks looks like more pairs: of all ways to cut,
 * the one with most values that the final config has, then the one with most pairs.
 */
export function splitPairs(
  text: string,
  name: RegExp = /^[^\s=]+=/,
  known: Readonly<Record<string, string>> = {},
): [name: string, value: string][] {
  const starts: number[] = [];
  // A label's name may hold blanks: such a one is recognised when the final config has it.
  const odd = Object.keys(known)
    .filter((key) => /\s/.test(key))
    .slice(0, 200);
  for (let at = 0; at >= 0 && at < text.length && starts.length < 300; ) {
    if (name.test(text.slice(at, at + 500)) || odd.some((key) => text.startsWith(`${key}=`, at))) starts.push(at);
    const next = text.indexOf(" ", at);
    at = next < 0 ? -1 : next + 1;
  }
  if (starts[0] !== 0) return [];
  const pairAt = (from: number, to: number | undefined): [string, string] => {
    const pair = text.slice(from, to === undefined ? undefined : to - 1);
    const equals = pair.indexOf("=");
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  };
  // best[i]: the best way to cut everything from starts[i] on.
  const best: { known: number; pairs: number; next: number }[] = [];
  for (let from = starts.length - 1; from >= 0; from--) {
    let choice = { known: -1, pairs: 0, next: starts.length };
    for (let next = from + 1; next <= starts.length; next++) {
      const [key, value] = pairAt(starts[from] ?? 0, starts[next]);
      const after = best[next] ?? { known: 0, pairs: 0 };
      const isKnown = Object.hasOwn(known, key) && known[key] === value ? 1 : 0;
      const found = { known: after.known + isKnown, pairs: after.pairs + 1, next };
      if (found.known > choice.known || (found.known === choice.known && found.pairs > choice.pairs)) choice = found;
    }
    best[from] = choice;
  }
  const pairs: [string, string][] = [];
  for (let at = 0; at < starts.length; ) {
    const next = best[at]?.next ?? starts.length;
    pairs.push(pairAt(starts[at] ?? 0, starts[next]));
    at = next;
  }
  return pairs;
}

/** `["a" "b"]`, `["a", "b"]`; undefined for anything else. */
export const readArgv = readQuotedList;

/** `[80/tcp 443/tcp]`, `map[80/tcp:{}]`, `80/tcp 53/udp`. */
export function readPorts(rest: string): string[] {
  return rest.match(/\d+(?:-\d+)?(?:\/[a-z]+)?/gi) ?? [];
}

/** `[/a /b c]`, `map[/a:{}]`, `["/a"]`, `/a`: blanks in a path are recognised when the final config has that path. */
export function readPaths(rest: string, known: readonly string[]): string[] {
  const quoted = readQuotedList(rest);
  if (quoted !== undefined && quoted.length > 0) return quoted;
  const inside = /^(?:map)?\[(.*)\]$/s.exec(rest)?.[1] ?? rest;
  const words = inside.split(" ").map((word) => word.replace(/:\{\}$/, ""));
  const paths: string[] = [];
  for (let at = 0; at < words.length; ) {
    let length = 1;
    for (let more = Math.min(words.length - at, 50); more > 1; more--) {
      if (!known.includes(words.slice(at, at + more).join(" "))) continue;
      length = more;
      break;
    }
    paths.push(words.slice(at, at + length).join(" "));
    at += length;
  }
  return paths.filter((path) => path !== "");
}

/** `[/bin/bash -o pipefail -c]`; the final config's SHELL when it reads the same. */
export function readShell(rest: string, known: readonly string[] | undefined): string[] {
  const quoted = readQuotedList(rest);
  if (quoted !== undefined && quoted.length > 0) return quoted;
  const inside = /^\[(.*)\]$/s.exec(rest)?.[1] ?? rest;
  if (known !== undefined && known.join(" ") === inside) return [...known];
  return inside.split(" ").filter((word) => word !== "");
}

/** `&{["CMD-SHELL" "true"] "30s" "3s" "0s" "0s" '\x03'}`, with or without the start interval. */
export function readHealthcheck(rest: string): NonNullable<ContainerConfig["Healthcheck"]> | undefined {
  if (rest.length > 10_000) return undefined;
  const match = /^&?\{(\[.*\])((?: "[^"]*")*) '((?:[^'\\]|\\.)[^']*)'\}$/s.exec(rest);
  const test = readQuotedList(match?.[1] ?? "");
  if (match === null || test === undefined) return undefined;
  const durations = [...(match[2] ?? "").matchAll(/"([^"]*)"/g)].map((found) => parseDuration(found[1] ?? ""));
  const character = readQuotedList(`["${match[3] ?? ""}"]`)?.[0] ?? "";
  const [interval, timeout, startPeriod] = durations;
  const startInterval = durations.length > 3 ? durations[3] : undefined;
  const retries = character.codePointAt(0);
  return {
    Test: test,
    ...(interval ? { Interval: interval } : {}),
    ...(timeout ? { Timeout: timeout } : {}),
    ...(startPeriod ? { StartPeriod: startPeriod } : {}),
    ...(startInterval ? { StartInterval: startInterval } : {}),
    ...(retries ? { Retries: retries } : {}),
  };
}
