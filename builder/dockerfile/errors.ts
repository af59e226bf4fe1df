/** How the Dockerfile front end fails: a WbuildError with a DF_ code whose facts say where, so that it can be drawn. */
import { type ErrorDetails, WbuildError } from "../../native/error.ts";
import type { SourceText, Span } from "../diagnose/source.ts";

export interface Place {
  readonly span: Span;
  readonly source: SourceText;
}

/** facts: { file, span } and whatever `details.facts` adds. */
export function dockerfileError(
  code: `DF_${string}`,
  message: string,
  at: Place,
  details: ErrorDetails = {},
): WbuildError {
  return new WbuildError(code, message, {
    ...details,
    facts: { ...details.facts, file: at.source.name, span: at.span },
  });
}

/** Text from a Dockerfile as a message may show it: short, quoted, control characters escaped. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
