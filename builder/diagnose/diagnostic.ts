/** Diagnostic: one problem of a source text, as data. Errors and warnings of the front end become these to be shown. */
import type { WbuildError } from "../../native/error.ts";
import type { SourceText, Span } from "./source.ts";

export interface Diagnostic {
  readonly severity: "error" | "warning";
  /** Of the error; a warning may have none. */
  readonly code?: string;
  readonly message: string;
  readonly span?: Span;
  readonly source?: SourceText;
  /** The span is a whole instruction: its lines are shown with so many around them, in place of one line underlined. */
  readonly around?: number;
  /** What else is known, one sentence each. */
  readonly notes: readonly string[];
  /** What to do. */
  readonly hint?: string;
}

/** Further problems of one text are told up to this number. */
const most = 10;

/** An error of the front end as diagnostics: itself, then facts.others. Span and source come from its facts. */
export function diagnosticsOf(error: WbuildError): Diagnostic[] {
  const { others } = error.facts;
  const all = [error, ...(Array.isArray(others) ? (others as WbuildError[]) : [])];
  return all.slice(0, most).map((each) => {
    const span = each.facts.span as Span | undefined;
    const source = each.facts.source as SourceText | undefined;
    return {
      severity: "error",
      code: each.code,
      message: each.message,
      notes: [],
      ...(span === undefined ? {} : { span }),
      ...(source === undefined ? {} : { source }),
      ...(each.hint === undefined || each.hint === "" ? {} : { hint: each.hint }),
    };
  });
}
