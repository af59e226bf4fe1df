/**
 * Diagnostic → text for people: title, place, the lines around it with the span underlined, notes, help.
 * The source is foreign text: no control or direction character of it reaches the terminal, and no line grows without bound.
 */
import type { Diagnostic } from "./diagnostic.ts";
import type { SourceText, Span } from "./source.ts";
import { maskUrlSecrets } from "./url-secrets.ts";

export interface RenderOptions {
  readonly color: boolean;
  /** Terminal cells that a source line may fill; the part around the span is shown. */
  readonly width?: number;
}

const defaultWidth = 100;
const tab = "    ";
/** Characters of a message or note. */
const longestText = 2000;

/** Ends with a newline. */
export function renderDiagnostic(diagnostic: Diagnostic, options: RenderOptions): string {
  const paint = painter(options.color);
  const isError = diagnostic.severity === "error";
  const code = diagnostic.code === undefined ? "" : `[${diagnostic.code}]`;
  const lines = [
    `${paint(isError ? "1;31" : "1;33", diagnostic.severity + code)}: ${paint("1", harmless(diagnostic.message))}`,
  ];
  if (diagnostic.source !== undefined && diagnostic.span !== undefined) {
    const { source, span, around } = diagnostic;
    if (around === undefined) lines.push(...drawing(source, span, options, paint, isError));
    else lines.push(...excerpt(source, span, around, options, paint));
  }
  for (const note of diagnostic.notes) lines.push(`  ${paint("36", "note")}: ${harmless(note)}`);
  if (diagnostic.hint !== undefined) lines.push(`  ${paint("36", "help")}: ${harmless(diagnostic.hint)}`);
  return `${lines.join("\n")}\n`;
}

type Paint = (style: string, text: string) => string;

function drawing(source: SourceText, span: Span, options: RenderOptions, paint: Paint, isError: boolean): string[] {
  const lines = source.text.replace(/^\ufeff/, "").split("\n");
  const { line, column } = span.start;
  const place = `  ${paint("2", `${harmless(source.name)}:${line}:${column}`)}`;
  const text = shownLine(lines[line - 1]);
  if (text === undefined) return [place];
  const gutter = String(line).length;
  const bar = (number: number | undefined): string => paint("2", `  ${String(number ?? "").padStart(gutter)} |`);
  const width = Math.max(20, options.width ?? defaultWidth);
  const to = span.end.line > line ? text.length : span.end.column - 1;
  const shown = window(text, column - 1, Math.max(column, to), width);
  const before = line > 1 ? [`${bar(line - 1)} ${window(shownLine(lines[line - 2]) ?? "", 0, 0, width).text}`] : [];
  const more = span.end.line - line;
  const marks = " ".repeat(shown.offset) + paint(isError ? "1;31" : "1;33", "^".repeat(shown.length));
  const rest = more > 0 ? paint("2", ` … and ${more} more ${more === 1 ? "line" : "lines"}`) : "";
  return [place, ...before, `${bar(line)} ${shown.text}`.trimEnd(), `${bar(undefined)} ${marks}${rest}`];
}

/** Lines of one instruction that are shown; a here-document of pages says nothing more. */
const mostLines = 12;

/** The instruction's lines, each marked, between the lines around it. */
function excerpt(source: SourceText, span: Span, around: number, options: RenderOptions, paint: Paint): string[] {
  const lines = source.text.replace(/^\ufeff/, "").split("\n");
  const first = span.start.line;
  const last = Math.min(span.end.line, first + mostLines - 1);
  const begin = Math.max(1, first - around);
  const end = Math.min(lines.length - (lines.at(-1) === "" ? 1 : 0), Math.max(last, span.end.line + around));
  const gutter = String(end).length;
  const width = Math.max(20, options.width ?? defaultWidth);
  const shown = [paint("2", `  ${harmless(source.name)}:${first}:${span.start.column}`)];
  for (let number = begin; number <= end; number++) {
    const isInside = number >= first && number <= span.end.line;
    if (isInside && number > last) {
      shown.push(paint("2", `  ${" ".repeat(gutter)} | … and ${span.end.line - last} more lines`));
      number = span.end.line;
      continue;
    }
    const { text } = window(shownLine(lines[number - 1]) ?? "", 0, 0, width);
    const bar = isInside ? paint("1;31", ">") : paint("2", "|");
    shown.push(`${paint("2", `  ${String(number).padStart(gutter)}`)} ${bar} ${text}`.trimEnd());
  }
  return shown;
}

/** A line of the source without what its URLs hide and without carriage returns at its end. */
function shownLine(line: string | undefined): string | undefined {
  let end = line?.length ?? 0;
  while (line?.charAt(end - 1) === "\r") end--;
  return line === undefined ? undefined : maskUrlSecrets(line.slice(0, end));
}

interface Window {
  readonly text: string;
  /** Cells before the underline, and its length (at least 1, never beyond the text by more than one). */
  readonly offset: number;
  readonly length: number;
}

/** The part of a line around [from, to) that fits, made harmless, and where the span now lies in it, in cells. */
function window(line: string, from: number, to: number, width: number): Window {
  // Long before the span nothing is needed: cut by units first, so that a line of megabytes costs nothing.
  const start = Math.max(0, Math.min(from, line.length) - 2 * width);
  const cells = Array.from(line.slice(start, start + 4 * width), (character) => harmless(character));
  const units = Array.from(line.slice(start, start + 4 * width), (character) => character.length);
  let unit = start;
  let offset = 0;
  let end = 0;
  let total = 0;
  const ends: number[] = [];
  cells.forEach((cell, index) => {
    const next = unit + (units[index] ?? 1);
    if (next <= from) offset = total + cellsOf(cell);
    if (unit < to) end = total + cellsOf(cell);
    unit = next;
    total += cellsOf(cell);
    ends.push(total);
  });
  const isCutBefore = start > 0 || offset > width - 20;
  const skip = isCutBefore ? Math.max(0, offset - Math.floor(width / 3)) : 0;
  const isCutAfter = total - skip > width || start + 4 * width < line.length;
  const first = ends.findIndex((each, index) => each - cellsOf(cells[index] ?? "") >= skip);
  const begin = first < 0 ? cells.length : first;
  const skipped = begin === 0 ? 0 : (ends[begin - 1] ?? 0);
  const kept = cells.filter((_, index) => index >= begin && (ends[index] ?? 0) - skipped <= width);
  const lead = isCutBefore && (skip > 0 || start > 0) ? "…" : "";
  const text = lead + kept.join("") + (isCutAfter ? "…" : "");
  const shownOffset = Math.max(0, offset - skipped) + lead.length;
  const length = Math.max(1, Math.min(end - offset, width - Math.max(0, offset - skipped)));
  return { text, offset: shownOffset, length };
}

/** Control characters, and those that turn the direction of text or are invisible, as escapes; a tab as four blanks. */
export function harmless(text: string): string {
  return text
    .slice(0, longestText)
    .replaceAll("\t", tab)
    .replace(hidden, (character) => {
      const point = character.codePointAt(0) ?? 0;
      return point < 0x100 ? `\\x${point.toString(16).padStart(2, "0")}` : `\\u{${point.toString(16)}}`;
    });
}

/** Cc, Cf but the zero-width joiner of emoji, line and paragraph separators, lone surrogates. */
const hidden = /(?!\u200d)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const narrowest = /^[\p{Mn}\p{Me}\u200d]$/u;

/** Terminal cells of harmless text that came from one character. */
function cellsOf(text: string): number {
  if (text.length > 2) return text.length;
  if (narrowest.test(text)) return 0;
  return wide.test(text) ? 2 : [...text].length;
}

function painter(color: boolean): Paint {
  return (style, text) => (color ? `\x1b[${style}m${text}\x1b[0m` : text);
}
