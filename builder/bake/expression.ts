/** What an HCL expression means (HCL native syntax specification, "Expressions"): a tree and a scope → a value. */
import type { Raw, Syntax, Template } from "./syntax.ts";
import { isTemplate } from "./syntax.ts";
import {
  asBoolean,
  asList,
  asNumber,
  asText,
  badValue,
  isList,
  isMap,
  kindOf,
  mapOf,
  same,
  type Value,
} from "./value.ts";

export interface Scope {
  /** Undefined: there is no such name. */
  variable(name: string): Value | undefined;
  /** Undefined: there is no such function. */
  call(name: string, args: readonly Value[], budget: Budget): Value | undefined;
}

/** What one expression may cost, the functions of the file that it calls included. */
export interface Budget {
  steps: number;
}

/** A scope in which some names are hidden by others. */
export function within(scope: Scope, names: Readonly<Record<string, Value>>): Scope {
  return {
    call: (name, args, budget) => scope.call(name, args, budget),
    variable: (name) => (Object.hasOwn(names, name) ? names[name] : scope.variable(name)),
  };
}

/** Throws BAKE_VALUE. */
export function evaluate(raw: Raw, scope: Scope, budget: Budget = { steps: 0 }): Value {
  const read = (each: Raw) => evaluate(each, scope, budget);
  if (raw === null || typeof raw !== "object") return raw;
  if (isTemplate(raw)) return evaluateTemplate(raw, scope, budget);
  if ("pairs" in raw) return mapOf(raw.pairs.map(([name, item]) => [asText(read(name), "a key"), read(item)]));
  return raw.map(read);
}

function evaluateTemplate({ syntax, source }: Template, scope: Scope, budget: Budget): Value {
  const reader = new Reader(Buffer.from(source, "utf8"), scope, budget);
  return reader.whole(syntax);
}

/** Lists that a file can make are no longer than this: `range(1e12)` is an attack or a mistake. */
export const longest = 100_000;
const mostSteps = 1_000_000;
/** Characters. Attack: ten variables, each ten times the one before. */
const longestText = 10_000_000;

function joined(parts: readonly string[]): string {
  checkLength(parts.reduce((sum, part) => sum + part.length, 0));
  return parts.join("");
}

function checkLength(length: number): void {
  if (length > longestText) throw badValue(`a text has no more than ${longestText} characters`);
}

class Reader {
  readonly #source: Buffer;
  readonly #scope: Scope;
  /** The item of a splat. */
  readonly #item: Value | undefined;
  readonly #budget: Budget;

  constructor(source: Buffer, scope: Scope, budget: Budget, item?: Value) {
    this.#source = source;
    this.#scope = scope;
    this.#item = item;
    this.#budget = budget;
  }

  /** The body of the here-document that every text is parsed as: one lone `${…}` keeps its kind. */
  whole(syntax: Syntax): Value {
    const parts = syntax.children.map((child) =>
      child.type === "literalValue" ? unescapeBraces(child.meta?.value ?? "") : this.read(child),
    );
    const last = parts.at(-1);
    if (typeof last === "string" && last.endsWith("\n")) parts[parts.length - 1] = last.slice(0, -1);
    if (parts.at(-1) === "") parts.pop();
    if (parts.length === 1) return parts[0] as Value;
    return joined(parts.map((part) => asText(part, "what a template holds")));
  }

  read(node: Syntax): Value {
    if (++this.#budget.steps > mostSteps) throw badValue("this expression takes too many steps");
    const [first, second, third] = node.children;
    const { meta } = node;
    switch (node.type) {
      case "literalValue":
        return literal(meta?.type, meta?.value ?? "");
      case "template":
        return this.#template(node);
      case "templateWrap":
        return this.read(child(first));
      case "templateJoin":
        return joined(
          asList(this.read(child(first)), "a template's for").map((part) => asText(part, "a part of a template")),
        );
      case "tuple":
        return node.children.map((item) => this.read(item));
      case "object":
        return this.#object(node);
      case "scopeTraversal":
        return this.#traverse(undefined, meta?.traversal ?? []);
      case "relativeTraversal":
        return this.#traverse(this.read(child(first)), meta?.traversal ?? []);
      case "index":
        return step(this.read(child(first)), this.read(child(second)));
      case "splat":
        return this.#splat(this.read(child(first)), child(second));
      case "conditional":
        return this.read(asBoolean(this.read(child(first)), "a condition") ? child(second) : child(third));
      case "unaryOp":
        return meta?.operator === "negate"
          ? -asNumber(this.read(child(first)), "what - stands before")
          : !asBoolean(this.read(child(first)), "what ! stands before");
      case "binaryOp":
        return this.#binary(meta?.operator ?? "", child(first), child(second));
      case "function":
        return this.#call(node);
      case "for":
        return this.#for(node);
      case "":
        // Brackets; or, with nothing in it, the item of a splat.
        if (first) return this.read(first);
        if (this.#item !== undefined) return this.#item;
    }
    throw badValue(`this form of expression is not known: ${node.type}`);
  }

  #template(node: Syntax): string {
    const isQuoted = node.meta?.value?.startsWith('"') ?? false;
    const parts = node.children.map((part) => {
      if (part.type !== "literalValue" || part.meta?.type !== "string")
        return asText(this.read(part), "what a template holds");
      const text = part.meta.value ?? "";
      return unescapeBraces(isQuoted ? unescapeQuoted(text) : text);
    });
    return joined(parts);
  }

  #object({ children }: Syntax): Value {
    const pairs: (readonly [string, Value])[] = [];
    for (let i = 0; i + 1 < children.length; i += 2) {
      const key = child(children[i]);
      const inner = key.type === "" ? key.children[0] : key;
      const { start, end } = key.range;
      const name = inner ? asText(this.read(inner), "a key") : this.#source.toString("utf8", start.byte, end.byte);
      pairs.push([name, this.read(child(children[i + 1]))]);
    }
    return mapOf(pairs);
  }

  #traverse(from: Value | undefined, parts: NonNullable<NonNullable<Syntax["meta"]>["traversal"]>): Value {
    const [first, ...rest] = from === undefined ? parts : [undefined, ...parts];
    let value = from;
    if (first) {
      value = this.#scope.variable(first.segment);
      if (value === undefined) throw badValue(`there is no variable ${first.segment}`, { name: first.segment });
    }
    for (const part of rest) {
      const key = part?.segment ?? "";
      const isIndex = part?.type === "indexTraversal";
      value = step(
        value as Value,
        isIndex && key.startsWith('"') ? unescapeQuoted(key.slice(1, -1)) : /^\d+$/.test(key) ? Number(key) : key,
      );
    }
    return value as Value;
  }

  #splat(source: Value, each: Syntax): Value {
    const items = source === null ? [] : isList(source) ? source : [source];
    return items.map((item) => new Reader(this.#source, this.#scope, this.#budget, item).read(each));
  }

  #binary(operator: string, left: Syntax, right: Syntax): Value {
    if (operator === "logicalAnd") return this.#logical(left) && this.#logical(right);
    if (operator === "logicalOr") return this.#logical(left) || this.#logical(right);
    const [a, b] = [this.read(left), this.read(right)];
    if (operator === "equal") return same(a, b);
    if (operator === "notEqual") return !same(a, b);
    const compute = arithmetic[operator];
    if (!compute) throw badValue(`there is no operator ${operator}`);
    return compute(asNumber(a, "what stands before an operator"), asNumber(b, "what stands after an operator"));
  }

  #logical(node: Syntax): boolean {
    return asBoolean(this.read(node), "what && and || join");
  }

  #call({ meta, children }: Syntax): Value {
    const name = meta?.name ?? "";
    if (name === "try" || name === "can") return this.#attempt(name, children);
    const args = children.map((argument) => this.read(argument));
    const all = meta?.expandedFinalArgument
      ? [...args.slice(0, -1), ...asList(args.at(-1) ?? [], "what ... spreads")]
      : args;
    const result = this.#scope.call(name, all, this.#budget);
    if (result === undefined) throw badValue(`there is no function ${name}`, { name });
    if (typeof result === "string") checkLength(result.length);
    return result;
  }

  /** `try` gives its first argument that can be evaluated, `can` tells whether its one can. */
  #attempt(name: string, children: readonly Syntax[]): Value {
    let failure: unknown = badValue(`${name} needs an argument`);
    for (const argument of children) {
      try {
        const value = this.read(argument);
        return name === "can" ? true : value;
      } catch (error) {
        failure = error;
      }
    }
    if (name === "can") return false;
    throw failure;
  }

  #for({ meta, children }: Syntax): Value {
    const isMapping = meta?.openRangeValue === "{";
    const collection = this.read(child(children[0]));
    const [keyed, valued] = isMapping ? [children[1], children[2]] : [undefined, children[1]];
    const condition = meta?.conditionalExpression ? children.at(-1) : undefined;
    const items: Value[] = [];
    const pairs = new Map<string, Value[]>();
    for (const [key, value] of entriesOf(collection)) {
      const names = { [meta?.valVar ?? ""]: value, ...(meta?.keyVar ? { [meta.keyVar]: key } : {}) };
      const inner = new Reader(this.#source, within(this.#scope, names), this.#budget, this.#item);
      if (condition && !asBoolean(inner.read(condition), "the if of a for")) continue;
      const made = inner.read(child(valued));
      if (!keyed) items.push(made);
      else {
        const name = asText(inner.read(keyed), "the key of a for");
        const known = pairs.get(name);
        if (known && !meta?.groupedValue)
          throw badValue(`two items of a for have the key ${JSON.stringify(name)}`, { name });
        pairs.set(name, [...(known ?? []), made]);
      }
    }
    if (!isMapping) return items;
    return mapOf(
      [...pairs].map(([name, values]) => [name, meta?.groupedValue ? values : (values[0] as Value)] as const),
    );
  }
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => Value>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / divisor(b),
  modulo: (a, b) => a % divisor(b),
  greaterThan: (a, b) => a > b,
  greaterThanOrEqual: (a, b) => a >= b,
  lessThan: (a, b) => a < b,
  lessThanOrEqual: (a, b) => a <= b,
};

export function divisor(value: number): number {
  if (value === 0) throw badValue("nothing can be divided by zero");
  return value;
}

function child(node: Syntax | undefined): Syntax {
  if (node) return node;
  throw badValue("this expression is not complete");
}

function literal(type: string | undefined, text: string): Value {
  if (type === "number") return Number(text);
  if (type === "bool") return text === "true";
  return type === "string" ? text : null;
}

/** Keys and values of what a `for` goes over; objects in the order of their keys. */
function entriesOf(value: Value): readonly (readonly [key: Value, value: Value])[] {
  if (isList(value)) return value.map((item, index) => [index, item]);
  if (isMap(value))
    return Object.keys(value)
      .sort()
      .map((name) => [name, value[name] as Value]);
  throw badValue(`a for goes over lists and objects, and not over ${kindOf(value)}`);
}

/** `value[key]` and `value.key`. Throws BAKE_VALUE. */
export function step(value: Value, key: Value): Value {
  if (isList(value)) {
    const index = asNumber(key, "an index");
    const found = value[index];
    if (found === undefined) throw badValue(`the list has ${value.length} items, none at ${index}`);
    return found;
  }
  const name = asText(key, "a key");
  if (isMap(value) && Object.hasOwn(value, name)) return value[name] as Value;
  throw badValue(
    isMap(value) ? `the object has no ${JSON.stringify(name)}` : `${kindOf(value)} has nothing in it to ask for`,
    { name },
  );
}

function unescapeBraces(text: string): string {
  return text.replace(/\$\$\{/g, "${").replace(/%%\{/g, "%{");
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

function unescapeQuoted(text: string): string {
  return text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))/gs,
    (_, four?: string, eight?: string, one?: string) => {
      const code = four ?? eight;
      if (code === undefined) return escapes[one ?? ""] ?? one ?? "";
      const point = Number.parseInt(code, 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : "\ufffd";
    },
  );
}
