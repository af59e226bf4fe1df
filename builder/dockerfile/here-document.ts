/**
 * Where here-documents open in an instruction's line, and what their delimiters mean: BuildKit's rules, which are a
 * shell's but for two. The escape character is always the backslash, and a line that no shell could read opens none.
 */
import type { Command, HereDocument, Run } from "./instruction.ts";

/** `3<<-"EOF"` in a line. Offsets in the line's text. */
export interface Opening {
  readonly name: string;
  readonly expands: boolean;
  readonly stripsTabs: boolean;
  readonly descriptor?: number;
  readonly from: number;
  readonly to: number;
}

/** `${a:-${a:-…` nests as deep as the file is long: an attack on the call stack. */
const deepest = 100;

/** What white space is in Go, which decides where a word ends. */
const space = /[\t\n\v\f\r\u0085\p{Z}]/u;

/** The here-documents that a line opens, in order. None where a quote or a brace is not closed. */
export function openings(text: string): Opening[] {
  if (!text.includes("<<")) return [];
  return (wordsOf(text) ?? []).flatMap(({ from, to }) => openingOf(text, from, to) ?? []);
}

/** The here-document that a whole text opens; undefined when it is anything else, or more. */
export function soleOpening(text: string): Opening | undefined {
  const [first] = openings(text);
  return first !== undefined && first.from === 0 && first.to === text.length ? first : undefined;
}

/** The text as it reaches a file or a shell: `<<-` takes the tabs at the beginning of each line away. */
export function textOf({ text, stripsTabs }: HereDocument): string {
  return stripsTabs ? text.replace(/(^|\n)\t+/g, "$1") : text;
}

/** Where a container finds the script of a RUN that is a here-document and says itself what runs it. */
export const scriptFolder = "/dev/pipes/";

/**
 * The command of a RUN together with its here-documents, as BuildKit has it: a document alone is the command, or with a
 * `#!` (not on Windows) a file that is run; behind a command the documents are the shell's business.
 */
export function commandOf({ command, documents = [] }: Run, os: string): { command: Command; file?: HereDocument } {
  const [first] = documents;
  if (first === undefined || command.form === "exec") return { command };
  const shell = (line: string): Command => ({ ...command, line });
  if (soleOpening(command.line) === undefined) {
    return { command: shell(command.line + documents.map(({ name, text }) => `\n${text}${name}`).join("")) };
  }
  if (os === "windows" || !first.text.startsWith("#!")) return { command: shell(textOf(first)) };
  return { command: shell(scriptFolder + first.name), file: { ...first, text: textOf(first), stripsTabs: false } };
}

/** What people see of a RUN: of one that is a here-document alone also the first line, which says more than `<<EOF`. */
export function titleOf({ text, command, documents = [] }: Run): string {
  const [document] = documents;
  if (document === undefined || command.form === "exec" || soleOpening(command.line) === undefined) return text;
  const [first = "", ...more] = document.text.trim().split("\n");
  return `${text} (${first.trim()}${more.length > 0 ? "..." : ""})`;
}

/** True for the line that ends the document. `line` is without its end. */
export function endsDocument(line: string, { name, stripsTabs }: Opening): boolean {
  return (stripsTabs ? line.replace(/^\t+/, "") : line) === name;
}

function openingOf(text: string, from: number, to: number): Opening | undefined {
  const match = /^(\d*)<<(-?)\s*([^<]*)$/.exec(text.slice(from, to));
  if (!match?.[3]) return undefined;
  const found = delimiterOf(match[3]);
  if (found === undefined) return undefined;
  const descriptor = match[1] ? { descriptor: Number(match[1]) } : {};
  return { ...found, stripsTabs: match[2] === "-", ...descriptor, from, to };
}

/** The delimiter without quotes and escapes. Variables are none here: `<<$X` ends at a line `$X`. */
function delimiterOf(written: string): { name: string; expands: boolean } | undefined {
  let name = "";
  let expands = true;
  for (let at = 0; at < written.length; at++) {
    const character = written[at] ?? "";
    if (character === "'" || character === '"') {
      const end = character === "'" ? written.indexOf("'", at + 1) : afterDouble(written, at, 0) - 1;
      if (end < at) return undefined;
      expands = false;
      const inside = written.slice(at + 1, end);
      name += character === "'" ? inside : inside.replace(/\\(["$\\])/g, "$1");
      at = end;
    } else if (character === "\\") name += written[++at] ?? "";
    else name += character;
  }
  return name === "" ? undefined : { name, expands };
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Words as a shell separates them, quotes and all; blanks after `<<` belong to it. undefined: something is not closed. */
function wordsOf(text: string): Range[] | undefined {
  const words: Range[] = [];
  let from = -1;
  let at = 0;
  while (at < text.length) {
    const character = text[at] ?? "";
    if (space.test(character)) {
      if (from >= 0) words.push({ from, to: at });
      from = -1;
      at++;
      continue;
    }
    if (from < 0) from = at;
    if (character === "<" && text[at + 1] === "<") {
      at += 2;
      while (at < text.length && "\t\r ".includes(text[at] ?? "")) at++;
    } else {
      at = afterPiece(text, at, 0);
      if (at < 0) return undefined;
    }
  }
  if (from >= 0) words.push({ from, to: at });
  return words;
}

/** Behind a quoted text, an escaped character, a variable, or one character. -1: not closed. */
function afterPiece(text: string, at: number, depth: number): number {
  switch (text[at]) {
    case "'":
      return text.indexOf("'", at + 1) + 1 || -1;
    case '"':
      return afterDouble(text, at, depth);
    case "\\":
      return Math.min(at + 2, text.length);
    case "$":
      return text[at + 1] === "{" ? afterBrace(text, at + 2, depth) : at + 1;
    default:
      return at + 1;
  }
}

function afterDouble(text: string, start: number, depth: number): number {
  let at = start + 1;
  while (at >= 0 && at < text.length) {
    if (text[at] === '"') return at + 1;
    at =
      text[at] === "'"
        ? at + 1
        : text[at] === "\\" && !'"$\\'.includes(text[at + 1] ?? " ")
          ? at + 1
          : afterPiece(text, at, depth);
  }
  return -1;
}

const substitution = /(?:\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*)?(?:\}|:?[+\-?#%]|\/\/?)/uy;

/** Behind `${…}`, from what follows the brace. -1 where BuildKit knows no such form. */
function afterBrace(text: string, start: number, depth: number): number {
  substitution.lastIndex = start;
  const form = substitution.exec(text)?.[0];
  if (form === undefined || depth > deepest || "{}:".includes(text[start] ?? "}")) return -1;
  let at = start + form.length;
  if (form.endsWith("}")) return at;
  let slashes = form.endsWith("/") ? 1 : 0;
  while (at >= 0 && at < text.length) {
    if (slashes > 0 && text[at] === "/") {
      slashes--;
      at++;
    } else if (slashes === 0 && text[at] === "}") return at + 1;
    else at = afterPiece(text, at, depth + 1);
  }
  return -1;
}
