/** `key=value,"key=value, with a comma"`: one line of CSV as Go reads it (RFC 4180), which is how mounts and devices are written. */

import type { Place } from "./errors.ts";
import { dockerfileError } from "./errors.ts";
import type { Word } from "./instruction.ts";

export interface Field {
  /** In small letters. */
  readonly key: string;
  /** undefined: no `=` was written. */
  readonly value?: Word;
  /** The field as written, without the quotes of CSV. */
  readonly word: Word;
}

/** The fields in order. `flag` says in errors what is read (`--mount`). Throws DF_FLAG_VALUE. */
export function csvFields(word: Word, flag: string, source: Place["source"]): Field[] {
  const { text } = word;
  const refuse = (problem: string): Error =>
    dockerfileError("DF_FLAG_VALUE", `${flag} ${problem}`, { span: word.span, source }, { facts: { found: text } });
  if (text === "") throw refuse("needs a value");
  const fields: Field[] = [];
  for (let at = 0; at <= text.length; ) {
    const quoted = text[at] === '"';
    const end = quoted ? endOfQuoted(text, at) : text.indexOf(",", at);
    const to = end < 0 ? text.length : end;
    const raw = text.slice(at, to);
    if (quoted && (end < 0 || (to < text.length && text[to] !== ","))) throw refuse('has a " that is not closed');
    if (!quoted && raw.includes('"'))
      throw refuse('has a " inside a field: quote the whole field, and double that one');
    fields.push(fieldOf(quoted ? raw.slice(1, -1).replaceAll('""', '"') : raw, partOf(word, at, to)));
    at = to + 1;
  }
  return fields;
}

/** Behind the quote that closes the one at `start`; a doubled one closes nothing. -1: none does. */
function endOfQuoted(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== '"') continue;
    if (text[at + 1] !== '"') return at + 1;
    at++;
  }
  return -1;
}

function fieldOf(text: string, word: Word): Field {
  const whole = { ...word, text };
  const equals = text.indexOf("=");
  if (equals < 0) return { key: text.toLowerCase(), word: whole };
  return { key: text.slice(0, equals).toLowerCase(), value: partOf(whole, equals + 1, text.length), word: whole };
}

/** A part of a word with its own place, where the word stands in the file as it is: quotes and line ends move what follows. */
function partOf({ text, span }: Word, from: number, to: number): Word {
  const { start, end } = span;
  const isPlain = start.line === end.line && end.column - start.column === text.length;
  const at = (offset: number) => ({ line: start.line, column: start.column + offset });
  return { text: text.slice(from, to), span: isPlain ? { start: at(from), end: at(to) } : span };
}
