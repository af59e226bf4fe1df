/**
 * HCL's syntax: text → blocks and attributes whose expressions are trees. HashiCorp's own parser does it, compiled to
 * WebAssembly (@cdktn/hcl2json); what it means is for expression.ts and document.ts.
 */
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";

/** A part of an expression, as the parser tells it. Offsets are bytes of the expression's text. */
export interface Syntax {
  readonly type: string;
  readonly children: readonly Syntax[];
  readonly range: { readonly start: { readonly byte: number }; readonly end: { readonly byte: number } };
  readonly meta?: {
    readonly value?: string | undefined;
    readonly type?: string | undefined;
    readonly name?: string | undefined;
    readonly operator?: string | undefined;
    readonly keyVar?: string | undefined;
    readonly valVar?: string | undefined;
    readonly groupedValue?: boolean | undefined;
    readonly conditionalExpression?: string | undefined;
    readonly openRangeValue?: string | undefined;
    readonly expandedFinalArgument?: boolean | undefined;
    readonly traversal?: readonly { readonly type: string; readonly segment: string }[] | undefined;
  };
}

const text = v.optional(v.string());
const flag = v.optional(v.boolean());
const marker = v.object({ byte: v.number() });
const syntaxShape: v.GenericSchema<unknown, Syntax> = v.object({
  type: v.string(),
  children: v.array(v.lazy(() => syntaxShape)),
  range: v.object({ start: marker, end: marker }),
  meta: v.optional(
    v.object({
      value: text,
      type: text,
      name: text,
      operator: text,
      keyVar: text,
      valVar: text,
      groupedValue: flag,
      conditionalExpression: text,
      openRangeValue: text,
      expandedFinalArgument: flag,
      traversal: v.optional(v.array(v.object({ type: v.string(), segment: v.string() }))),
    }),
  ),
}) as v.GenericSchema<unknown, Syntax>;

/** An attribute's value before it is evaluated. A string without expressions is what it says. */
export type Raw =
  | null
  | boolean
  | number
  | string
  | Template
  | readonly Raw[]
  | { readonly pairs: readonly (readonly [string | Template, Raw])[] };

/** A string that holds expressions. */
export interface Template {
  readonly text: string;
  readonly syntax: Syntax;
  /** What the offsets of `syntax` count in. */
  readonly source: string;
}

export function isTemplate(raw: Raw): raw is Template {
  return typeof raw === "object" && raw !== null && "text" in raw;
}

/** No file of a build is near this; it bounds what the parser takes. */
const largest = 4 << 20;
const deepest = 64;

/** The file as plain data, strings still with `${…}`. Throws BAKE_SYNTAX with the place, as HashiCorp's parser tells it. */
export async function parseHcl(name: string, content: string): Promise<Record<string, unknown>> {
  if (content.length > largest)
    throw new WbuildError("BAKE_SYNTAX", `${name} is larger than 4 MiB`, { facts: { file: name } });
  const { parse } = await import("@cdktn/hcl2json");
  try {
    return (await parse(name, content)) as Record<string, unknown>;
  } catch (cause) {
    throw syntaxError(name, cause);
  }
}

function syntaxError(name: string, cause: unknown): WbuildError {
  const told = (cause instanceof Error ? cause.message : String(cause))
    .replace(/^parse config: \[?/, "")
    .replace(/\]$/, "");
  return new WbuildError("BAKE_SYNTAX", `${name} is no valid HCL: ${told.slice(0, 400)}`, {
    facts: { file: name },
  });
}

/** Makes templates of the strings in a parsed value. Throws BAKE_SYNTAX. */
export async function compile(name: string, value: unknown, depth = 0): Promise<Raw> {
  if (depth > deepest)
    throw new WbuildError("BAKE_SYNTAX", `${name}: a value is nested too deeply`, { facts: { file: name } });
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "string") return compileText(name, value);
  if (Array.isArray(value)) return Promise.all(value.map((item) => compile(name, item, depth + 1)));
  const pairs = Object.entries(value as object).map(
    async ([key, item]) => [await compileText(name, key), await compile(name, item, depth + 1)] as const,
  );
  return { pairs: await Promise.all(pairs) };
}

const delimiter = "WBUILD_END_OF_TEXT";

/** As the body of a here-document nothing has to be escaped. */
async function compileText(name: string, content: string): Promise<string | Template> {
  if (!/[$%]\{/.test(content)) return content;
  const { getExpressionAst } = await import("@cdktn/hcl2json");
  const source = `<<${delimiter}\n${content}\n${delimiter}\n`;
  try {
    return { text: content, syntax: v.parse(syntaxShape, await getExpressionAst(name, source)), source };
  } catch (cause) {
    throw syntaxError(name, cause);
  }
}
