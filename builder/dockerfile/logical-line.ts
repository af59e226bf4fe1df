/**
 * One instruction as one line of text that still knows where each character came from.
 * dockerfile-ast finds where instructions begin and end; what it sees differently from BuildKit is evened out here first.
 */
import { DockerfileParser } from "dockerfile-ast";
import type { Position, SourceText, Span } from "../diagnose/source.ts";

/** Blank characters inside a line, as Dockerfiles separate words. */
const blank = /[\t\v\f\r ]/;
/** Leading characters that do not make a line start (Unicode white space). */
const leading = /^[\t\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

interface Piece {
  /** Where this piece begins in the joined text. */
  readonly at: number;
  readonly start: Position;
}

/** The joined text of an instruction: continuations gone, comments inside it gone, trimmed. Offsets are UTF-16 units. */
export class LogicalLine {
  readonly source: SourceText;
  readonly text: string;
  /** Continued over an empty line: accepted, but BuildKit warns. */
  readonly hasEmptyLine: boolean;
  readonly #pieces: readonly Piece[];

  constructor(source: SourceText, text: string, pieces: readonly Piece[], hasEmptyLine = false) {
    this.source = source;
    this.text = text;
    this.hasEmptyLine = hasEmptyLine;
    this.#pieces = pieces;
  }

  /** Where text[from, to) stands in the file. */
  span(from = 0, to = this.text.length): Span {
    const start = this.#position(from);
    if (to <= from) return { start, end: start };
    const last = this.#position(to - 1);
    return { start, end: { line: last.line, column: last.column + 1 } };
  }

  #position(offset: number): Position {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#pieces[middle]?.at ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const piece = this.#pieces[low];
    if (piece === undefined) return { line: 1, column: 1 };
    return { line: piece.start.line, column: piece.start.column + Math.max(0, offset - piece.at) };
  }

  /** This line's text from an offset on, as a line of its own: the trigger of ONBUILD. */
  from(offset: number): LogicalLine {
    const pieces = this.#pieces
      .filter((_, index) => (this.#pieces[index + 1]?.at ?? Number.POSITIVE_INFINITY) > offset)
      .map((piece) =>
        piece.at >= offset
          ? { at: piece.at - offset, start: piece.start }
          : { at: 0, start: { line: piece.start.line, column: piece.start.column + offset - piece.at } },
      );
    return new LogicalLine(this.source, this.text.slice(offset), pieces);
  }
}

/** A whole text as one logical line, at line 1: for text that comes from an image instead of a file. */
export function singleLine(source: SourceText): LogicalLine {
  const text = source.text.trim();
  const skipped = source.text.length - source.text.trimStart().length;
  return new LogicalLine(source, text, [{ at: 0, start: { line: 1, column: skipped + 1 } }]);
}

/** Physical lines without their ends and without a byte order mark. A lone carriage return ends no line. */
export function physicalLines(text: string): string[] {
  return text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => trimEndOf(line, "\r"));
}

/** Text without the given characters at its end. Not a regular expression: `x+$` takes quadratic time on hostile text. */
export function trimEndOf(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

export function isComment(line: string): boolean {
  return line.replace(leading, "").startsWith("#");
}

/** The instructions of a Dockerfile, one logical line each, in order. */
export function logicalLines(source: SourceText, lines: readonly string[], escapeChar: "\\" | "`"): LogicalLine[] {
  const found: LogicalLine[] = [];
  const parsed = DockerfileParser.parse(lines.map((line) => maskLine(line, escapeChar)).join("\n"));
  for (const instruction of parsed.getInstructions()) {
    const range = instruction.getRange();
    const joined = join(source, lines, range.start.line, range.end.line, escapeChar);
    if (joined.text !== "") found.push(joined);
  }
  return found;
}

function join(
  source: SourceText,
  lines: readonly string[],
  first: number,
  last: number,
  escapeChar: string,
): LogicalLine {
  let text = "";
  let hasEmptyLine = false;
  const pieces: Piece[] = [];
  for (let index = first; index <= last; index++) {
    const line = lines[index] ?? "";
    if (index > first) {
      if (isComment(line)) continue;
      if (line.replace(leading, "") === "") {
        hasEmptyLine = true;
        continue;
      }
    }
    const skipped = pieces.length === 0 ? (leading.exec(line)?.[0].length ?? 0) : 0;
    const cut = continuationAt(line, escapeChar);
    pieces.push({ at: text.length, start: { line: index + 1, column: skipped + 1 } });
    text += line.slice(skipped, cut ?? line.length);
    if (cut === undefined) break;
  }
  return new LogicalLine(source, trimEndOf(text, "\t\v\f\r \u0085\u00a0"), pieces, hasEmptyLine);
}

/**
 * Where the escape character stands that continues a line, or undefined. It is the last character but for spaces and tabs,
 * and the one before it is not an escape character (BuildKit: `foo \\` does not continue).
 */
function continuationAt(line: string, escapeChar: string): number | undefined {
  let at = line.length - 1;
  while (at >= 0 && (line[at] === " " || line[at] === "\t")) at--;
  return at >= 0 && line[at] === escapeChar && line[at - 1] !== escapeChar ? at : undefined;
}

/**
 * The line as dockerfile-ast may see it so that it splits as BuildKit does, every character at its place:
 * comments blank (it would glue one to a split keyword), the escape character always a backslash and only where it
 * continues a line, no `<<` (it takes quoted ones for here-documents), no flags (it reads many in quadratic time),
 * no odd white space, no lone carriage return.
 */
function maskLine(line: string, escapeChar: string): string {
  if (isComment(line)) return " ".repeat(line.length);
  const indent = leading.exec(line)?.[0].length ?? 0;
  const cut = continuationAt(line, escapeChar);
  const body = line
    .slice(indent, cut ?? line.length)
    // A byte order mark in the middle of a file is a character like any other; the library takes it for a blank.
    .replace(/[\\<\ufeff-]/g, "x")
    .replace(/[\v\f\r]/g, " ");
  const tail = cut === undefined ? "" : `${" ".repeat(line.length - cut - 1)}\\`;
  return " ".repeat(indent) + body + tail;
}

/** True for a character that separates words. */
export function isBlank(character: string | undefined): boolean {
  return character !== undefined && blank.test(character);
}
