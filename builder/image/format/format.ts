/**
 * --format of history, images and inspect: Go templates as docker users write them, a bounded subset.
 * Fields, variables, if/with/range, pipes, and the functions json, upper, lower, title, join, split, len, index, slice,
 * truncate, println, print, eq, ne, lt, le, gt, ge, and, or, not.
 */
import { nearest } from "../../diagnose/nearest.ts";
import { type Node, type Operand, type Pipe, parseTemplate, templateError } from "./template-parse.ts";

/** Characters of output, and nodes evaluated: a template over foreign data must end. */
const largest = 32 * 1024 * 1024;
const mostSteps = 2_000_000;

export interface TemplateOptions {
  /** A field that is not there: an error with a suggestion (rows), or `<no value>` (inspect). */
  readonly isStrict: boolean;
}

export interface Template {
  render(value: unknown): string;
}

/** Throws IMG_FORMAT for what cannot be read; render throws it for what cannot be evaluated. */
export function compileTemplate(text: string, options: TemplateOptions): Template {
  const nodes = parseTemplate(text);
  return { render: (value) => new Evaluation(value, options).run(nodes) };
}

/**
 * Rows in the wanted format, each line ended: "json" gives one object a line, "table …" aligned columns under a header,
 * anything else is a template for each row. `\t` and `\n` may be written as such. `headers` name the columns by field.
 */
export function formatRows<Row extends Readonly<Record<string, unknown>>>(
  rows: readonly Row[],
  format: string,
  headers: Readonly<Record<string, string>>,
): string {
  if (format === "json") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const isTable = /^table(\s|$)/.test(format);
  const text = (isTable ? format.slice("table".length).trim() : format).replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  const template = compileTemplate(
    text === ""
      ? Object.keys(headers)
          .map((name) => `{{.${name}}}`)
          .join("\t")
      : text,
    {
      isStrict: true,
    },
  );
  const lines = rows.map((row) => template.render(row));
  if (!isTable) return lines.map((line) => `${line}\n`).join("");
  // The header shows the column's name where the row shows its value: functions are not applied to it.
  const header = compileTemplate(text === "" ? "" : bareFields(text), { isStrict: true }).render(headers);
  const top = text === "" ? Object.values(headers).join("\t") : header;
  return alignColumns([top, ...lines].map((line) => line.split("\t")));
}

/** `{{json .ID}}` → `{{.ID}}`: the fields of a table's template, without functions. */
function bareFields(text: string): string {
  return text.replace(/\{\{(?:[^}"`]|"(?:[^"\\]|\\.)*"|`[^`]*`)*\}\}/g, (action) => {
    const field = /\.[A-Za-z_]\w*/.exec(action)?.[0];
    return field === undefined ? "" : `{{${field}}}`;
  });
}

/** Cells of at least ten characters, three blanks between columns, as docker's tables; the last column is not padded. */
export function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 10, [...cell].length + 3);
    });
  }
  const pad = (cell: string, column: number): string => cell + " ".repeat((widths[column] ?? 0) - [...cell].length);
  return rows
    .map((row) => `${row.map((cell, column) => (column < row.length - 1 ? pad(cell, column) : cell)).join("")}\n`)
    .join("");
}

type Functions = Readonly<Record<string, (values: readonly unknown[]) => unknown>>;

const functions: Functions = {
  json: ([value]) => JSON.stringify(value ?? null),
  upper: ([value]) => textOf(value).toUpperCase(),
  lower: ([value]) => textOf(value).toLowerCase(),
  title: ([value]) => textOf(value).replace(/(^|\s)\p{L}/gu, (letter) => letter.toUpperCase()),
  join: ([list, separator]) => listOf(list, "join").map(textOf).join(textOf(separator)),
  split: ([value, separator]) => textOf(value).split(textOf(separator)),
  len: ([value]) => lengthOf(value),
  truncate: ([value, count]) => [...textOf(value)].slice(0, Math.max(0, Number(count))).join(""),
  print: (values) => values.map(textOf).join(" "),
  println: (values) => `${values.map(textOf).join(" ")}\n`,
  index: ([value, ...keys]) => keys.reduce<unknown>((at, key) => memberOf(at, key), value),
  slice: ([value, from, to]) =>
    (typeof value === "string" ? value : listOf(value, "slice")).slice(
      Number(from ?? 0),
      to === undefined ? undefined : Number(to),
    ),
  eq: ([value, ...others]) => others.some((other) => other === value),
  ne: ([a, b]) => a !== b,
  lt: ([a, b]) => compare(a, b) < 0,
  le: ([a, b]) => compare(a, b) <= 0,
  gt: ([a, b]) => compare(a, b) > 0,
  ge: ([a, b]) => compare(a, b) >= 0,
  and: (values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (values) => values.find(isTrue) ?? values.at(-1),
  not: ([value]) => !isTrue(value),
};

class Evaluation {
  readonly #root: unknown;
  readonly #options: TemplateOptions;
  #out: string[] = [];
  #size = 0;
  #steps = 0;

  constructor(root: unknown, options: TemplateOptions) {
    this.#root = root;
    this.#options = options;
  }

  run(nodes: readonly Node[]): string {
    this.#nodes(nodes, this.#root, new Map());
    return this.#out.join("");
  }

  #nodes(nodes: readonly Node[], dot: unknown, variables: Map<string, unknown>): void {
    for (const node of nodes) {
      if (++this.#steps > mostSteps) throw templateError("the template takes too long");
      if (node.kind === "text") this.#write(node.text);
      else if (node.kind === "value") this.#write(textOf(this.#pipe(node.pipe, dot, variables)));
      else if (node.kind === "let") variables.set(node.name, this.#pipe(node.pipe, dot, variables));
      else this.#block(node, dot, variables);
    }
  }

  #block(node: Extract<Node, { kind: "if" | "with" | "range" }>, dot: unknown, outer: Map<string, unknown>): void {
    const value = this.#pipe(node.pipe, dot, outer);
    const [first, second] = node.names;
    if (!isTrue(value)) this.#nodes(node.otherwise, dot, new Map(outer));
    else if (node.kind === "range") {
      for (const [key, each] of entriesOf(value)) {
        const inner = new Map(outer);
        if (second !== undefined && first !== undefined) inner.set(first, key).set(second, each);
        else if (first !== undefined) inner.set(first, each);
        this.#nodes(node.body, each, inner);
      }
    } else {
      const inner = new Map(outer);
      if (first !== undefined) inner.set(first, value);
      this.#nodes(node.body, node.kind === "with" ? value : dot, inner);
    }
  }

  #pipe(pipe: Pipe, dot: unknown, variables: ReadonlyMap<string, unknown>): unknown {
    let value: unknown;
    pipe.forEach((command, index) => {
      const operands = command.operands.map((operand) => this.#operand(operand, dot, variables));
      if (command.name === undefined) {
        value = operands[0];
        return;
      }
      const run = Object.hasOwn(functions, command.name) ? functions[command.name] : undefined;
      if (run === undefined) {
        const suggestion = nearest(command.name, Object.keys(functions));
        const known = `known are ${Object.keys(functions).join(", ")}`;
        throw templateError(
          `there is no function ${command.name}`,
          suggestion === undefined
            ? known
            : `did you mean ${suggestion}? A field begins with a dot: {{.${command.name}}}`,
        );
      }
      value = run(index > 0 ? [...operands, value] : operands);
    });
    return value;
  }

  #operand(operand: Operand, dot: unknown, variables: ReadonlyMap<string, unknown>): unknown {
    if (operand.kind === "literal") return operand.value;
    if (operand.kind === "call") return this.#path(this.#pipe(operand.pipe, dot, variables), operand.path);
    if (operand.root === ".") return this.#path(dot, operand.path);
    if (operand.root === "") return this.#path(this.#root, operand.path);
    if (!variables.has(operand.root)) throw templateError(`the variable $${operand.root} is not set`);
    return this.#path(variables.get(operand.root), operand.path);
  }

  #path(value: unknown, path: readonly string[]): unknown {
    let at = value;
    for (const name of path) {
      const isObject = typeof at === "object" && at !== null;
      if (isObject && Object.hasOwn(at as object, name)) at = (at as Record<string, unknown>)[name];
      else if (!this.#options.isStrict) at = undefined;
      else {
        const names = isObject ? Object.keys(at as object) : [];
        const suggestion = nearest(name, names);
        throw templateError(
          `there is no field .${name}`,
          suggestion === undefined
            ? names.length === 0
              ? undefined
              : `the fields are ${names.map((each) => `.${each}`).join(", ")}`
            : `did you mean .${suggestion}?`,
        );
      }
    }
    return at;
  }

  #write(text: string): void {
    this.#size += text.length;
    if (this.#size > largest) throw templateError("the output is larger than 32 MiB");
    this.#out.push(text);
  }
}

/** Go's truth: not false, 0, "", nothing, or an empty list or map. */
function isTrue(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return entriesOf(value).length > 0;
  return Boolean(value);
}

/** Lists in order, maps sorted by key. */
function entriesOf(value: unknown): [string | number, unknown][] {
  if (Array.isArray(value)) return value.map((each, index) => [index, each]);
  if (typeof value === "object" && value !== null) return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  throw templateError("only a list or a map can be gone through");
}

/** As Go's fmt prints a value: lists `[a b]`, maps `map[k:v]`, nothing `<no value>`. */
function textOf(value: unknown, depth = 0): string {
  if (value === undefined || value === null) return "<no value>";
  if (typeof value !== "object") return String(value);
  if (depth > 50) throw templateError("a value is too deep to be printed");
  const parts = entriesOf(value).map(([key, each]) =>
    Array.isArray(value) ? textOf(each, depth + 1) : `${key}:${textOf(each, depth + 1)}`,
  );
  return Array.isArray(value) ? `[${parts.join(" ")}]` : `map[${parts.join(" ")}]`;
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return value === undefined || value === null ? 0 : entriesOf(value).length;
}

function listOf(value: unknown, name: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw templateError(`${name} needs a list`);
  return value;
}

function memberOf(value: unknown, key: unknown): unknown {
  if (Array.isArray(value) && typeof key === "number") {
    if (key >= 0 && key < value.length) return value[key];
    throw templateError(`there is no item ${key}: the list has ${value.length}`);
  }
  if (typeof value === "object" && value !== null && Object.hasOwn(value, String(key))) {
    return (value as Record<string, unknown>)[String(key)];
  }
  return undefined;
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [textOf(a), textOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}
