/** Parser directives: the comments `# syntax=`, `# escape=` and `# check=` that may open a Dockerfile, by BuildKit's rules. */
import type { SourceText, Span } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "./errors.ts";
import type { Word } from "./instruction.ts";

export interface Directives {
  readonly escape: "\\" | "`";
  readonly syntax?: string;
  readonly check?: Word;
  /** How many lines at the top are directives. */
  readonly lineCount: number;
}

const shape = /^#[\t\v\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\v\f\r ]*=[\t\v\f\r ]*(.*)$/;
const known = new Set(["syntax", "escape", "check"]);

/**
 * Reads the directives at the very top. The first line that is none (blank, another comment, an instruction) ends them.
 * Throws DF_DUPLICATE_DIRECTIVE, DF_ESCAPE.
 */
export function readDirectives(source: SourceText, lines: readonly string[]): Directives {
  const found = new Map<string, string>();
  let check: Word | undefined;
  let lineCount = 0;
  for (const raw of lines) {
    const line = raw.replace(/^[\t\v\f\r ]+/, "");
    const match = shape.exec(line);
    const name = match?.[1]?.toLowerCase();
    const value = match?.[2]?.trimEnd();
    if (name === undefined || !value || !known.has(name)) break;
    const span = lineSpan(lineCount + 1, raw);
    if (found.has(name)) {
      throw dockerfileError("DF_DUPLICATE_DIRECTIVE", `the directive ${name} is given twice`, { span, source });
    }
    if (name === "escape" && value !== "\\" && value !== "`") {
      throw dockerfileError(
        "DF_ESCAPE",
        `the escape character must be \\ or \`, not ${quoted(value)}`,
        { span, source },
        { facts: { found: value } },
      );
    }
    found.set(name, value);
    lineCount++;
    if (name === "check") check = { text: value, span: valueSpan(lineCount, raw, value) };
  }
  const syntax = found.get("syntax");
  return {
    escape: found.get("escape") === "`" ? "`" : "\\",
    ...(syntax === undefined ? {} : { syntax }),
    ...(check === undefined ? {} : { check }),
    lineCount,
  };
}

/** Looks like a directive that people meant: for the warning that it stands too far down to count. */
export function isLateDirective(line: string): boolean {
  const name = shape.exec(line.trim())?.[1]?.toLowerCase();
  return name === "escape" || name === "syntax";
}

/** The value is the last text of its line. */
function valueSpan(line: number, text: string, value: string): Span {
  const start = text.lastIndexOf(value) + 1;
  return { start: { line, column: start }, end: { line, column: start + value.length } };
}

function lineSpan(line: number, text: string): Span {
  return { start: { line, column: 1 }, end: { line, column: text.length + 1 } };
}
