/** How the Dockerfile front end fails: a WbuildError with a DF_ code whose facts say where, so that it can be drawn. */
import { type ErrorDetails, WbuildError } from "../../native/error.ts";
import type { SourceText, Span } from "../diagnose/source.ts";

export interface Place {
  readonly span: Span;
  readonly source: SourceText;
}

/**
 * facts: { file, span } and whatever `details.facts` adds. facts.source, the whole text, is there too but not enumerable:
 * what prints or serialises facts shall not repeat the file.
 */
export function dockerfileError(
  code: `DF_${string}`,
  message: string,
  at: Place,
  details: ErrorDetails = {},
): WbuildError {
  const facts = { ...details.facts, file: at.source.name, span: at.span };
  Object.defineProperty(facts, "source", { value: at.source, enumerable: false });
  return new WbuildError(code, message, { ...details, facts });
}

/** Text from a Dockerfile as a message may show it: short, quoted, control characters escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
