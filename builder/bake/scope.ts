/** The names that expressions of a bake file see: variables with what the environment says of them, functions, other blocks. */
import { WbuildError } from "../../native/error.ts";
import type { BakeDocument, Block, Variable } from "./document.ts";
import { type Budget, evaluate, type Scope, within } from "./expression.ts";
import { functions, missingFunctions } from "./functions/all.ts";
import { isTemplate, type Raw } from "./syntax.ts";
import { asBoolean, asText, badValue, isList, isMap, kindOf, type Value } from "./value.ts";

/** Calls of a file's own functions within each other. */
const deepestCall = 100;

export interface ScopeOptions {
  /** Variables of the environment; they set what the file declares. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `--var NAME=VALUE`: before the environment. */
  readonly given: Readonly<Record<string, string>>;
  /** Names that are always there, such as BAKE_LOCAL_PLATFORM. */
  readonly builtIn: Readonly<Record<string, string>>;
}

export class BakeScope implements Scope {
  readonly #document: BakeDocument;
  readonly #options: ScopeOptions;
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #functions: ReadonlyMap<string, Block>;
  readonly #values = new Map<string, Value>();
  readonly #open: string[] = [];
  #depth = 0;

  constructor(document: BakeDocument, options: ScopeOptions) {
    this.#document = document;
    this.#options = options;
    this.#variables = new Map(document.variables.map((variable) => [variable.name, merged(variable, document)]));
    this.#functions = new Map(document.functions.map((one) => [one.name, one]));
  }

  variable(name: string): Value | undefined {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    if (name === "target") return this.#blocks(this.#document.targets);
    if (name === "group") return this.#blocks(this.#document.groups);
    const value = this.#once(name, () => this.#value(name));
    if (value !== undefined) this.#values.set(name, value);
    return value;
  }

  call(name: string, args: readonly Value[], budget: Budget): Value | undefined {
    const own = this.#functions.get(name);
    if (own) return this.#callOwn(own, args, budget);
    const why = missingFunctions[name];
    if (why !== undefined) throw badValue(`the function ${name} is left out: ${why}`, { name });
    return Object.hasOwn(functions, name) ? functions[name]?.(...args) : undefined;
  }

  /** Checks every variable against the conditions of its validation blocks. Throws BAKE_VALUE with their messages. */
  validate(): void {
    for (const { name, validations, file } of this.#variables.values()) {
      for (const rules of validations) {
        const condition = evaluate(rules.get("condition") ?? true, this);
        if (asBoolean(condition, `the condition of variable ${name}`)) continue;
        const message = asText(evaluate(rules.get("error_message") ?? "it is not allowed", this), "error_message");
        throw badValue(`${file}: variable ${name}: ${message}`, { name, file });
      }
    }
  }

  /** Name, description, value and type of each, for `--list=variables`. */
  describe(): { readonly name: string; readonly type: string; readonly value: Value; readonly description: string }[] {
    return [...this.#variables.values()].map(({ name, body }) => ({
      name,
      type: typeText(body.get("type")),
      value: this.variable(name) ?? null,
      description: asText(evaluate(body.get("description") ?? "", this), "description"),
    }));
  }

  #once<T>(name: string, make: () => T): T {
    if (this.#open.includes(name)) {
      throw new WbuildError("BAKE_LOOP", `${[...this.#open, name].join(" → ")}: this needs itself`, {
        facts: { name },
      });
    }
    this.#open.push(name);
    try {
      return make();
    } finally {
      this.#open.pop();
    }
  }

  #value(name: string): Value | undefined {
    const { given, env, builtIn } = this.#options;
    const variable = this.#variables.get(name);
    const raw = this.#document.attributes.get(name) ?? variable?.body.get("default");
    if (!variable) return raw === undefined ? builtIn[name] : evaluate(raw, this);
    const usual = raw === undefined ? null : evaluate(raw, this);
    const text = Object.hasOwn(given, name) ? given[name] : env[name];
    const type = typeText(variable.body.get("type"));
    if (text === undefined) return type === "" ? usual : converted(usual, type, name);
    return fromText(text, type === "" ? usual : type, name);
  }

  #callOwn({ name, body, file }: Block, args: readonly Value[], budget: Budget): Value {
    const names = namesOf(body.get("params"));
    const [rest] = namesOf(body.get("variadic_params") ?? null);
    if (args.length < names.length || (rest === undefined && args.length > names.length)) {
      throw badValue(`${file}: the function ${name} takes ${names.length} arguments, not ${args.length}`, { name });
    }
    const values = Object.fromEntries(names.map((each, i) => [each, args[i] as Value]));
    if (rest !== undefined) values[rest] = args.slice(names.length);
    if (++this.#depth > deepestCall)
      throw new WbuildError("BAKE_LOOP", `the function ${name} calls itself without end`);
    try {
      return evaluate(body.get("result") ?? null, within(this, values), budget);
    } finally {
      this.#depth--;
    }
  }

  /** `target.app.tags`: each attribute is evaluated when it is asked for. */
  #blocks(blocks: readonly Block[]): Value {
    const all: Record<string, Value> = {};
    for (const { name } of blocks) {
      const body: Record<string, Value> = { name };
      for (const block of blocks.filter((one) => one.name === name)) {
        for (const [attribute, raw] of block.body) {
          Object.defineProperty(body, attribute, {
            enumerable: true,
            configurable: true,
            get: () => this.#once(`${name}.${attribute}`, () => evaluate(raw, this)),
          });
        }
      }
      all[name] = body;
    }
    return all;
  }
}

/** Blocks of one variable in several files: later attributes win, every validation counts. */
function merged(variable: Variable, { variables }: BakeDocument): Variable {
  const all = variables.filter(({ name }) => name === variable.name);
  if (all.length === 1) return variable;
  return {
    ...variable,
    body: new Map(all.flatMap(({ body }) => [...body])),
    validations: all.flatMap(({ validations }) => validations),
  };
}

/** `params = [a, b]` are bare names: each was read as an expression. */
function namesOf(raw: Raw | undefined): string[] {
  const all = Array.isArray(raw) ? (raw as readonly Raw[]) : raw === null || raw === undefined ? [] : [raw];
  return all.map((one) => (isTemplate(one) ? one.text.replace(/^\$\{\s*(.*?)\s*\}$/s, "$1") : String(one)));
}

/** `list(string)` as it was written. */
function typeText(raw: Raw | undefined): string {
  return raw === undefined ? "" : (namesOf(raw)[0] ?? "").replace(/\s+/g, "");
}

/** The value of a variable of the environment; `as` is a declared type, or the default whose kind counts. */
function fromText(text: string, as: Value, name: string): Value {
  const type =
    typeof as === "string" && /^(string|number|bool|any|(list|set|map|object|tuple)\(.*\))$/s.test(as)
      ? as
      : usualType(as, name);
  if (/^(list|set|tuple)\(/.test(type))
    return /^\s*\[/.test(text) ? json(text, name) : text === "" ? [] : text.split(",").map((one) => one.trim());
  if (/^(map|object)\(/.test(type)) return json(text, name);
  return converted(text, type, name);
}

function usualType(value: Value, name: string): string {
  if (value === null || typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "number";
  throw badValue(`the variable ${name} has ${kindOf(value)} as its default: declare its type to set it from outside`, {
    name,
  });
}

function json(text: string, name: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    throw badValue(`the variable ${name} is set to what is no JSON`, { name });
  }
}

function converted(value: Value, type: string, name: string): Value {
  if (value === null) return null;
  const wrong = () => badValue(`the variable ${name} must be of type ${type}, and is ${kindOf(value)}`, { name, type });
  if (type === "string") return asText(value, `the variable ${name}`);
  if (type === "number") {
    if (typeof value !== "number" && !/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(String(value))) throw wrong();
    return Number(value);
  }
  if (type === "bool") {
    if (typeof value === "boolean") return value;
    if (/^(1|t|true)$/i.test(String(value))) return true;
    if (/^(0|f|false)$/i.test(String(value))) return false;
    throw wrong();
  }
  if (/^(list|set|tuple)\(/.test(type) && !isList(value)) throw wrong();
  if (/^(map|object)\(/.test(type) && !isMap(value)) throw wrong();
  return value;
}
