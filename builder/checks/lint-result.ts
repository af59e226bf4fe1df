/** `--call=check`: findings as BuildKit answers `frontend.lint`, and as people read them. */
import { basename } from "node:path";
import { type RenderOptions, renderDiagnostic } from "../diagnose/render.ts";
import type { SourceText } from "../diagnose/source.ts";
import { dataOf, type Location, locationOf } from "./location.ts";
import { type Finding, rules, ruleUrl } from "./rule.ts";

export interface LintResult {
  readonly warnings: readonly {
    readonly ruleName: string;
    readonly description: string;
    readonly url?: string;
    readonly detail: string;
    readonly location: Location;
  }[];
  readonly sources: readonly { readonly filename: string; readonly language: string; readonly data: string }[];
  /** What a build would fail with. */
  readonly buildError?: { readonly message: string; readonly location?: Location };
}

interface LintContext {
  readonly buildError?: LintResult["buildError"] | undefined;
  /** Of an instruction with here-documents, by its first line. */
  readonly lastLines?: ReadonlyMap<number, number>;
}

export function lintResult(
  source: SourceText,
  findings: readonly Finding[],
  { buildError, lastLines }: LintContext = {},
): LintResult {
  return {
    warnings: findings.map(({ rule, message, span }) => {
      const url = ruleUrl(rule);
      return {
        ruleName: rule,
        description: rules[rule].description,
        ...(url === undefined ? {} : { url }),
        detail: message,
        location: locationOf(span, lastLines?.get(span.start.line)),
      };
    }),
    // As BuildKit, which sees the folder of the Dockerfile and nothing above.
    sources: [{ filename: basename(source.name), language: "Dockerfile", data: dataOf(source) }],
    ...(buildError === undefined ? {} : { buildError }),
  };
}

/** Findings that are drawn: for each the whole file is looked at. */
const mostDrawn = 200;

/** A head line with their number, then each with its lines. */
export function printFindings(source: SourceText, findings: readonly Finding[], options: RenderOptions): string {
  if (findings.length === 0) return "Check complete, no warnings found.\n";
  const count = findings.length === 1 ? "1 warning has" : `${findings.length} warnings have`;
  const drawn = findings.slice(0, mostDrawn).map(({ rule, message, span, point }) => {
    const url = ruleUrl(rule);
    return renderDiagnostic(
      {
        severity: "warning",
        code: rule,
        message,
        span: point ?? span,
        source,
        notes: [],
        ...(url === undefined ? {} : { hint: url }),
      },
      options,
    );
  });
  const rest = findings.length - drawn.length;
  const more = rest > 0 ? `\n${rest} more are not shown; --call=check,format=json lists all\n` : "";
  return `Check complete, ${count} been found!\n\n${drawn.join("\n")}${more}`;
}
