/** Lists and JSON as commands print them. Pure. */
import { alignColumns } from "../image/format/format.ts";
import { harmless } from "../progress/harmless.ts";

/** Columns under a head. Cells may hold foreign text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return alignColumns([head, ...rows.map((row) => row.map((cell) => harmless(cell.replaceAll("\n", " "))))]);
}

/** JSON for people and programs: indented, with a newline. What a terminal would obey is escaped; the value stays the same. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )}\n`;
}
