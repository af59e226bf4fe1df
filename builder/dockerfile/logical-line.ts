/** One instruction as one line of text that still knows where each character came from. */
import type { Position, SourceText, Span } from "../diagnose/source.ts";
import type { HereDocument } from "./instruction.ts";

/** Blank characters inside a line, as Dockerfiles separate words. */
const blank = /[\t\v\f\r ]/;
/** Leading characters that do not make a line start (Unicode white space). */
const leading = /^[\t\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

interface Piece {
  /** Where this piece begins in the joined text. */
  readonly at: number;
  readonly start: Position;
}

export interface LineDetails {
  /** The here-documents that the text opens, in order. */
  readonly documents?: readonly HereDocument[];
}

/** The joined text of an instruction: continuations gone, comments inside it gone, trimmed. Offsets are UTF-16 units. */
export class LogicalLine {
  readonly source: SourceText;
  readonly text: string;
  readonly documents: readonly HereDocument[];
  readonly #pieces: readonly Piece[];

  constructor(source: SourceText, text: string, pieces: readonly Piece[], details: LineDetails = {}) {
    this.source = source;
    this.text = text;
    this.documents = details.documents ?? [];
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
    return new LogicalLine(this.source, this.text.slice(offset), pieces, { documents: this.documents });
  }

  /** The same line with what it opens. */
  with(documents: readonly HereDocument[]): LogicalLine {
    return new LogicalLine(this.source, this.text, this.#pieces, { documents });
  }
}

/** Physical lines without their ends and without a byte order mark. A lone carriage return ends no line. */
export function physicalLines(text: string): string[] {
  return text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => trimEndOf(line, "\r"));
}

/** Text without the given characters at its end. Not a regular expression: `x+$` takes quadratic time on hostile text. */
function trimEndOf(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

export function isComment(line: string): boolean {
  return line.replace(leading, "").startsWith("#");
}

/** A line that holds nothing but blanks. */
export function isEmptyLine(line: string): boolean {
  return line.replace(leading, "") === "";
}

/** How many characters of a line come before its text. */
export function indentOf(line: string): number {
  return leading.exec(line)?.[0].length ?? 0;
}

/** The instruction that begins in the physical line `first` and ends in `last` at the latest; `next` is the line behind it. */
export function join(
  source: SourceText,
  lines: readonly string[],
  first: number,
  last: number,
  escapeChar: string,
): { line: LogicalLine; next: number } {
  let text = "";
  const pieces: Piece[] = [];
  let next = first;
  while (next <= last) {
    const index = next++;
    const line = lines[index] ?? "";
    if (index > first && (isComment(line) || isEmptyLine(line))) continue;
    const skipped = pieces.length === 0 ? indentOf(line) : 0;
    const cut = continuationAt(line, escapeChar);
    pieces.push({ at: text.length, start: { line: index + 1, column: skipped + 1 } });
    text += line.slice(skipped, cut ?? line.length);
    if (cut === undefined) break;
  }
  return { line: new LogicalLine(source, trimEndOf(text, "\t\v\f\r \u0085\u00a0"), pieces), next };
}

/**
 * Where the escape character stands that continues a line, or undefined. It is the last character but for spaces and tabs,
 * and the one before it is not an escape character (BuildKit: `foo \\` does not continue).
 */
export function continuationAt(line: string, escapeChar: string): number | undefined {
  let at = line.length - 1;
  while (at >= 0 && (line[at] === " " || line[at] === "\t")) at--;
  return at >= 0 && line[at] === escapeChar && line[at - 1] !== escapeChar ? at : undefined;
}

/** True for a character that separates words. */
export function isBlank(character: string | undefined): boolean {
  return character !== undefined && blank.test(character);
}
