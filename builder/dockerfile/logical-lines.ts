/**
 * A Dockerfile's physical lines → its instructions, one logical line each, with the here-documents they open.
 * dockerfile-ast finds where instructions begin and end; what it sees differently from BuildKit is evened out here first.
 */
import { DockerfileParser } from "dockerfile-ast";
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "./errors.ts";
import { endsDocument, type Opening, openings } from "./here-document.ts";
import type { HereDocument } from "./instruction.ts";
import { continuationAt, indentOf, isComment, isEmptyLine, join, type LogicalLine } from "./logical-line.ts";
import { jsonStrings, keywordOf, skipBlanks, takeFlags } from "./split.ts";

export interface LogicalLines {
  /** In order. */
  readonly instructions: readonly LogicalLine[];
  /** True for a physical line (from 0) that belongs to a here-document: neither instruction nor comment. */
  isText(index: number): boolean;
}

/** `lines`: the source's physicalLines(). Throws DF_HEREDOC_END. */
export function logicalLines(source: SourceText, lines: readonly string[], escapeChar: "\\" | "`"): LogicalLines {
  const documents = source.text.includes("<<") ? findDocuments(source, lines, escapeChar) : new Map();
  const text = new Set<number>();
  for (const { from, to } of documents.values()) for (let at = from; at < to; at++) text.add(at);
  const masked = lines.map((line, index) => (text.has(index) ? "" : maskLine(line, escapeChar)));
  const instructions: LogicalLine[] = [];
  for (const instruction of DockerfileParser.parse(masked.join("\n")).getInstructions()) {
    const { start, end } = instruction.getRange();
    const { line } = join(source, lines, start.line, end.line, escapeChar);
    const found = documents.get(line.span().start.line);
    if (line.text !== "") instructions.push(found === undefined ? line : line.with(found.documents));
  }
  return { instructions, isText: (index) => text.has(index) };
}

/** What an instruction opens, and the physical lines [from, to) of it. */
interface Found {
  readonly documents: readonly HereDocument[];
  readonly from: number;
  readonly to: number;
}

/** Here-documents by the line (from 1) that their instruction begins in. Their text must not be read as instructions. */
function findDocuments(source: SourceText, lines: readonly string[], escapeChar: "\\" | "`"): Map<number, Found> {
  const found = new Map<number, Found>();
  // With the carriage returns that physicalLines() takes away: they are part of a document.
  const whole = source.text.replace(/^\ufeff/, "").split("\n");
  for (let index = 0; index < lines.length; ) {
    const start = lines[index] ?? "";
    if (isComment(start) || isEmptyLine(start)) {
      index++;
      continue;
    }
    const { line, next } = join(source, lines, index, lines.length - 1, escapeChar);
    index = next;
    if (!takesDocuments(line)) continue;
    const documents = openings(line.text).map((opening) => {
      const first = index;
      while (index < lines.length && !endsDocument(lines[index] ?? "", opening)) index++;
      if (index >= lines.length) throw unended(line, opening);
      return documentOf(line, opening, first, whole.slice(first, index++));
    });
    if (documents.length > 0) found.set(line.span().start.line, { documents, from: next, to: index });
  }
  return found;
}

/** RUN, COPY and ADD, also behind ONBUILD, but not with a JSON array. */
function takesDocuments(line: LogicalLine): boolean {
  if (!line.text.includes("<<")) return false;
  const outer = line.from(skipBlanks(line, 0));
  const keyword = keywordOf(outer);
  const isTrigger = keyword.text.toUpperCase() === "ONBUILD";
  const inner = isTrigger ? outer.from(skipBlanks(outer, keyword.to)) : outer;
  const { text, to } = isTrigger ? keywordOf(inner) : keyword;
  if (!["RUN", "COPY", "ADD"].includes(text.toUpperCase())) return false;
  return jsonStrings(inner, takeFlags(inner, to).rest) === undefined;
}

function documentOf(line: LogicalLine, opening: Opening, first: number, whole: readonly string[]): HereDocument {
  const { name, expands, stripsTabs, descriptor, from, to } = opening;
  return {
    name,
    text: whole.map((each) => `${each}\n`).join(""),
    expands,
    stripsTabs,
    ...(descriptor === undefined ? {} : { descriptor }),
    span: line.span(from, to),
    textSpan: {
      start: { line: first + 1, column: 1 },
      end: { line: first + 1 + whole.length, column: 1 },
    },
  };
}

function unended(line: LogicalLine, { name, from, to }: Opening): Error {
  return dockerfileError(
    "DF_HEREDOC_END",
    `the here-document ${quoted(name).slice(1, -1)} is never ended`,
    { span: line.span(from, to), source: line.source },
    {
      facts: { name },
      hint: `end it with a line that holds ${quoted(name).slice(1, -1)} alone; a << that is meant for the shell goes in quotes`,
    },
  );
}

/**
 * The line as dockerfile-ast may see it so that it splits as BuildKit does, every character at its place:
 * comments blank (it would glue one to a split keyword), the escape character always a backslash and only where it
 * continues a line, no `<<` (it takes quoted ones for here-documents), no flags (it reads many in quadratic time),
 * no odd white space, no lone carriage return.
 */
function maskLine(line: string, escapeChar: string): string {
  if (isComment(line)) return " ".repeat(line.length);
  const indent = indentOf(line);
  const cut = continuationAt(line, escapeChar);
  const body = line
    .slice(indent, cut ?? line.length)
    // A byte order mark in the middle of a file is a character like any other; the library takes it for a blank.
    .replace(/[\\<\ufeff-]/g, "x")
    .replace(/[\v\f\r]/g, " ");
  const tail = cut === undefined ? "" : `${" ".repeat(line.length - cut - 1)}\\`;
  return " ".repeat(indent) + body + tail;
}
