/** Lists and JSON as commands print them. Pure. */
import { alignColumns } from "../image/format/format.ts";
import { harmless } from "../progress/harmless.ts";

/** Columns under a head. Cells may hold foreign text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return alignColumns([head, ...rows.map((row) => row.map((cell) => harmless(cell.replaceAll("\n", " "))))]);
}

/** JSON for people and programs: indented, with a newline. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
