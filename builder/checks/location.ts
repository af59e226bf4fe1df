/** Places as BuildKit's answers have them: lines. Whole instructions are meant, so there are no columns. */
import type { SourceText, Span } from "../diagnose/source.ts";

export interface Location {
  readonly ranges: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[];
}

/**
 * Of an instruction that is longer, one range: thousands of findings in one of thousands of lines would be more than any
 * memory holds.
 */
const mostRanges = 200;

/** A range for each line. `last`: the instruction goes on to that line, with its here-documents. */
export function locationOf({ start, end }: Span, last = end.line): Location {
  const count = last - start.line + 1;
  if (count > mostRanges) return { ranges: [{ start: { line: start.line }, end: { line: last } }] };
  const lines = Array.from({ length: count }, (_, index) => ({ line: start.line + index }));
  return { ranges: lines.map((line) => ({ start: line, end: line })) };
}

/** The Dockerfile in base64. */
export function dataOf(source: SourceText): string {
  return Buffer.from(source.text).toString("base64");
}

/** Columns of equal width, `gap` blanks between them; nothing behind the last. */
export function columns(rows: readonly (readonly string[])[], gap: number): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd((widths[column] ?? 0) + gap))
        .join("")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}
