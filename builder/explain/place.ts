/** Where in a Dockerfile an error lies, drawn: from the facts that the front end and the solver add. */
import type { WbuildError } from "../../native/error.ts";
import type { SourceText, Span } from "../diagnose/source.ts";

/**
 * Facts `span` with `source` (a SourceText) or `file` (its name; the text is then read again, if it can be).
 * undefined when the error has no place.
 */
export function placeOf(error: WbuildError, readSource: (file: string) => string | undefined): string | undefined {
  const { span, source, file } = error.facts;
  if (!isSpan(span)) return undefined;
  if (isSource(source)) return drawPlace(source, span);
  const name = typeof file === "string" ? file : "Dockerfile";
  const text = name === "-" ? undefined : readSource(name);
  return text === undefined ? `  ${name}:${span.start.line}` : drawPlace({ name, text }, span);
}

/** `file:line:column`, the line before, the line itself, and what is meant underlined. */
function drawPlace(source: SourceText, span: Span): string {
  const lines = source.text.split(/\r?\n/);
  const { line, column } = span.start;
  const width = String(line).length;
  const row = (number: number) => `  ${String(number).padStart(width)} | ${lines[number - 1] ?? ""}`;
  const last = span.end.line === line ? span.end.column : (lines[line - 1] ?? "").length + 1;
  return [
    `  ${source.name}:${line}:${column}`,
    ...(line > 1 ? [row(line - 1)] : []),
    row(line),
    `  ${" ".repeat(width)} | ${" ".repeat(column - 1)}${"^".repeat(Math.max(1, last - column))}`,
  ].join("\n");
}

function isSpan(value: unknown): value is Span {
  const span = value as Span | undefined;
  return typeof span?.start?.line === "number" && typeof span.end?.column === "number";
}

function isSource(value: unknown): value is SourceText {
  const source = value as SourceText | undefined;
  return typeof source?.text === "string" && typeof source.name === "string";
}
