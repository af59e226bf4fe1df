/** A logical line cut into words, flags, JSON arrays: how each kind of argument list is split, with every part's place. */
import type { Span } from "../diagnose/source.ts";
import type { Word } from "./instruction.ts";
import { isBlank, type LogicalLine } from "./logical-line.ts";

/** A word and its offsets in the logical line. */
export interface Token {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

export interface Flag {
  readonly name: string;
  /** undefined: no `=` was written. */
  readonly value?: Word;
  readonly span: Span;
}

export function wordOf(line: LogicalLine, token: Token): Word {
  return { text: token.text, span: line.span(token.from, token.to) };
}

/** First offset at or after `from` that holds no blank. */
export function skipBlanks(line: LogicalLine, from: number): number {
  let at = from;
  while (isBlank(line.text[at])) at++;
  return at;
}

/** The keyword: all up to the first blank. */
export function keywordOf(line: LogicalLine): Token {
  let to = 0;
  while (to < line.text.length && !isBlank(line.text[to])) to++;
  return { text: line.text.slice(0, to), from: 0, to };
}

/** Everything from an offset to the end as one word; undefined when nothing is left. */
export function restOf(line: LogicalLine, from: number): Token | undefined {
  const start = skipBlanks(line, from);
  return start < line.text.length ? { text: line.text.slice(start), from: start, to: line.text.length } : undefined;
}

/** Words separated by blanks; quotes mean nothing here (FROM, COPY, ADD, EXPOSE, VOLUME). */
export function plainWords(line: LogicalLine, from: number): Token[] {
  const words: Token[] = [];
  let at = skipBlanks(line, from);
  while (at < line.text.length) {
    let to = at;
    while (to < line.text.length && !isBlank(line.text[to])) to++;
    words.push({ text: line.text.slice(at, to), from: at, to });
    at = skipBlanks(line, to);
  }
  return words;
}

/** What separates words that may have quotes: any white space of Unicode, a no-break space from a web page, too. */
const space = /[\t\n\v\f\r\u0085\p{Z}]/u;

/** Words in which quotes and escapes hold blanks together; they stay in the text for words.ts (ENV, LABEL, ARG). */
export function quotedWords(line: LogicalLine, from: number, escapeChar: string): Token[] {
  const { text } = line;
  const words: Token[] = [];
  const skipSpaces = (start: number): number => {
    let next = start;
    while (next < text.length && space.test(text[next] ?? "")) next++;
    return next;
  };
  let at = skipSpaces(from);
  while (at < text.length) {
    const start = at;
    let quote = "";
    while (at < text.length && (quote !== "" || !space.test(text[at] ?? ""))) {
      const character = text[at];
      if (character === escapeChar && quote !== "'") at++;
      else if (quote === "" && (character === "'" || character === '"')) quote = character;
      else if (character === quote) quote = "";
      at++;
    }
    at = Math.min(at, text.length);
    // An escape character that ends the instruction escapes nothing and is dropped, as in BuildKit.
    const dangling = at === text.length && danglingEscape(text.slice(start), escapeChar);
    const to = dangling ? at - 1 : at;
    if (to > start) words.push({ text: text.slice(start, to), from: start, to });
    at = skipSpaces(at);
  }
  return words;
}

function danglingEscape(word: string, escapeChar: string): boolean {
  let count = 0;
  while (word[word.length - 1 - count] === escapeChar) count++;
  return count % 2 === 1;
}

/**
 * Flags that open the argument list: words that begin with `--`. Quotes and backslashes in them are resolved here,
 * whatever the escape directive says, because BuildKit does so. `--` alone ends them.
 */
export function takeFlags(line: LogicalLine, from: number): { flags: Flag[]; rest: number } {
  const { text } = line;
  const flags: Flag[] = [];
  let at = skipBlanks(line, from);
  while (text.startsWith("--", at)) {
    const start = at;
    let word = "";
    let quote = "";
    let valueAt: number | undefined;
    let equals = -1;
    while (at < text.length && (quote !== "" || !isBlank(text[at]))) {
      const character = text[at] ?? "";
      if (quote === "" && (character === "'" || character === '"')) quote = character;
      else if (character === quote) quote = "";
      else if (character === "\\") {
        at++;
        word += text[at] ?? "";
      } else {
        if (character === "=" && equals < 0) {
          equals = word.length;
          valueAt = at + 1;
        }
        word += character;
      }
      at++;
    }
    at = Math.min(at, text.length);
    const next = skipBlanks(line, at);
    if (word === "--") return { flags, rest: next };
    flags.push({
      name: word.slice(2, equals < 0 ? undefined : equals),
      span: line.span(start, at),
      ...(equals < 0 ? {} : { value: { text: word.slice(equals + 1), span: line.span(valueAt ?? start, at) } }),
    });
    at = next;
  }
  return { flags, rest: at };
}

/** A JSON array of strings from an offset to the end; undefined when it is none; "mixed" when its items are not all strings. */
export function jsonStrings(line: LogicalLine, from: number): string[] | "mixed" | undefined {
  const text = line.text.slice(skipBlanks(line, from));
  if (!text.startsWith("[")) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => typeof item === "string") ? value : "mixed";
}
