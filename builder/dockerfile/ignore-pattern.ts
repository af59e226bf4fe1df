/**
 * One pattern of an ignore file, with the meaning that moby/patternmatcher gives it. Few wildcards become a regular
 * expression; many are matched in O(pattern × path), because a hostile pattern (`*a*a*a*a…`) makes backtracking hang.
 */
import { posix } from "node:path";

type Element =
  | { readonly kind: "character"; readonly character: string }
  /** `?`: any character but `/`. */
  | { readonly kind: "one" }
  /** `*`: any run without `/`. */
  | { readonly kind: "many" }
  /** A doubled star before more: nothing, or anything up to a `/`. */
  | { readonly kind: "folders" }
  /** A doubled star at the end: anything. */
  | { readonly kind: "rest" }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] };

export interface IgnorePattern {
  /** Cleaned, without `!`. */
  readonly pattern: string;
  readonly isException: boolean;
  /** Of the ignore file, from 1. */
  readonly line: number;
  /** Exactly this path; parents are the caller's business. */
  matches(path: string): boolean;
  /** False only when nothing below this folder can match. */
  canMatchBelow(folder: string): boolean;
}

/** Reads one line; undefined for a blank one or a comment; a problem when it is no pattern. */
export function parsePattern(text: string, line: number): IgnorePattern | { problem: string } | undefined {
  if (text.startsWith("#")) return undefined;
  let pattern = text.trim();
  if (pattern === "") return undefined;
  const isException = pattern.startsWith("!");
  if (isException) pattern = pattern.slice(1).trim();
  if (pattern === "") return { problem: "a ! needs a pattern behind it" };
  pattern = cleanPath(pattern);
  if (pattern.length > 1 && pattern.startsWith("/")) pattern = pattern.slice(1);
  const elements = compile(pattern);
  if (elements === undefined) return { problem: "a [ is not closed, or a \\ stands at the end" };
  return {
    pattern,
    isException,
    line,
    matches: matcherOf(pattern, elements),
    canMatchBelow: belowOf(pattern),
  };
}

/** A pattern of --exclude; undefined for text that is none. No line of a file: # begins no comment. */
export function readExclude(text: string): IgnorePattern | undefined {
  const read = parsePattern(text.startsWith("#") ? `./${text}` : text, 1);
  return read === undefined || "problem" in read ? undefined : read;
}

/** As Go's filepath.Clean: no empty, `.` or resolvable `..` component, no trailing slash. */
function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 ? clean.replace(/\/+$/, "") : clean;
}

function compile(pattern: string): Element[] | undefined {
  const characters = Array.from(pattern);
  const elements: Element[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*" && characters[at + 1] === "*") {
      at += characters[at + 2] === "/" ? 2 : 1;
      elements.push({ kind: at + 1 >= characters.length ? "rest" : "folders" });
    } else if (character === "*") elements.push({ kind: "many" });
    else if (character === "?") elements.push({ kind: "one" });
    else if (character === "\\") {
      const escaped = characters[++at];
      if (escaped === undefined) return undefined;
      elements.push({ kind: "character", character: escaped });
    } else if (character === "[") {
      const found = readClass(characters, at + 1);
      if (found === undefined) return undefined;
      elements.push(found.element);
      at = found.end;
    } else elements.push({ kind: "character", character });
  }
  return elements;
}

/** `[a-z]`, `[^a-z]`; undefined when it is malformed by Go's filepath.Match. */
function readClass(characters: readonly string[], start: number): { element: Element; end: number } | undefined {
  const negated = characters[start] === "^";
  const ranges: [string, string][] = [];
  let at = negated ? start + 1 : start;
  const one = (): string | undefined => {
    const character = characters[at];
    if (character === undefined || character === "-" || character === "]") return undefined;
    at += 1;
    if (character !== "\\") return character;
    at += 1;
    return characters[at - 1];
  };
  while (characters[at] !== "]" || ranges.length === 0) {
    const low = one();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (characters[at] === "-") {
      at += 1;
      high = one();
      if (high === undefined) return undefined;
    }
    ranges.push([low, high]);
  }
  return { element: { kind: "class", negated, ranges }, end: at };
}

/**
 * Plain text, `text**` and `**text` are compared as text: so has the original, which is why `**text` also matches
 * `moretext` though its doubled star otherwise ends at a `/`.
 */
function matcherOf(pattern: string, elements: readonly Element[]): (path: string) => boolean {
  const wild = elements.filter((element) => element.kind !== "character");
  const isEscaped = pattern.includes("\\");
  if (wild.length === 0 && !isEscaped) return (path) => path === pattern;
  if (wild.length === 1 && !isEscaped) {
    if (elements[0]?.kind === "rest") return () => true;
    if (elements[0]?.kind === "folders") {
      const suffix = pattern.slice(2);
      return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
    }
    if (elements.at(-1)?.kind === "rest") {
      const prefix = pattern.slice(0, pattern.lastIndexOf("**"));
      return (path) => path.startsWith(prefix);
    }
  }
  const runs = wild.filter((element) => element.kind !== "one" && element.kind !== "class");
  if (runs.length > 2) return (path) => simulate(elements, path);
  const expression = new RegExp(`^${elements.map(regularExpression).join("")}$`, "su");
  return (path) => expression.test(path);
}

function regularExpression(element: Element): string {
  switch (element.kind) {
    case "character":
      return literal(element.character);
    case "one":
      return "[^/]";
    case "many":
      return "[^/]*";
    case "folders":
      return "(?:.*/)?";
    case "rest":
      return ".*";
    case "class": {
      const ranges = element.ranges.filter(([low, high]) => low <= high);
      if (ranges.length === 0) return element.negated ? "." : "[]";
      const inside = ranges.map(([low, high]) => (low === high ? literal(low) : `${literal(low)}-${literal(high)}`));
      return `[${element.negated ? "^" : ""}${inside.join("")}]`;
    }
  }
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** All ways at once, character by character: what a regular expression would try one after another. */
function simulate(elements: readonly Element[], path: string): boolean {
  const count = elements.length;
  // waiting[i]: element i comes next. within[i]: inside the run of the doubled star i, which ends at a `/`.
  let waiting = new Uint8Array(count + 1);
  let within = new Uint8Array(count + 1);
  waiting[0] = 1;
  skipEmpty(elements, waiting);
  for (const character of path) {
    const nextWaiting = new Uint8Array(count + 1);
    const nextWithin = new Uint8Array(count + 1);
    for (let at = 0; at < count; at++) {
      const element = elements[at];
      if (element === undefined) continue;
      if (element.kind === "folders") {
        if (!waiting[at] && !within[at]) continue;
        nextWithin[at] = 1;
        if (character === "/") nextWaiting[at + 1] = 1;
      } else if (waiting[at] && accepts(element, character)) {
        if (element.kind === "many" || element.kind === "rest") nextWaiting[at] = 1;
        else nextWaiting[at + 1] = 1;
      }
    }
    waiting = nextWaiting;
    within = nextWithin;
    skipEmpty(elements, waiting);
  }
  return waiting[count] === 1;
}

/** Elements that may match nothing let the next one wait too. */
function skipEmpty(elements: readonly Element[], waiting: Uint8Array): void {
  elements.forEach((element, at) => {
    if (waiting[at] && (element.kind === "many" || element.kind === "rest" || element.kind === "folders")) {
      waiting[at + 1] = 1;
    }
  });
}

function accepts(element: Element, character: string): boolean {
  switch (element.kind) {
    case "character":
      return character === element.character;
    case "one":
    case "many":
      return character !== "/";
    case "folders":
    case "rest":
      return true;
    case "class": {
      const point = character.codePointAt(0) ?? 0;
      const inside = element.ranges.some(
        ([low, high]) => point >= (low.codePointAt(0) ?? 0) && point <= (high.codePointAt(0) ?? 0),
      );
      return inside !== element.negated;
    }
  }
}

/** Compares only the components before the first wildcard: may say yes too often, never no wrongly. */
function belowOf(pattern: string): (folder: string) => boolean {
  const wild = pattern.search(/[*?[\\]/);
  if (wild < 0) return (folder) => pattern.startsWith(`${folder}/`);
  const plain = pattern.slice(0, wild);
  const fixed = plain.slice(0, plain.lastIndexOf("/") + 1);
  // A doubled star also runs over `/` in the middle of a component, so only whole components before it count.
  return (folder) => `${folder}/`.startsWith(fixed) || fixed.startsWith(`${folder}/`);
}
