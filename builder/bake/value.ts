/** Values of a bake file while it is evaluated, and how one kind becomes another (HCL's "Type Conversions"). */
import { WbuildError } from "../../native/error.ts";

/** Lists, tuples and sets are lists; maps and objects are objects. */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap;
export interface ValueMap {
  readonly [name: string]: Value;
}

export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** BAKE_VALUE: something in the file cannot be what it is used as. */
export function badValue(message: string, facts: Readonly<Record<string, unknown>> = {}, hint?: string): WbuildError {
  return new WbuildError("BAKE_VALUE", message, { facts, ...(hint === undefined ? {} : { hint }) });
}

/** How an error names a value's kind. */
export function kindOf(value: Value): string {
  if (value === null) return "null";
  if (isList(value)) return "a list";
  if (isMap(value)) return "an object";
  return `a ${typeof value === "boolean" ? "bool" : typeof value}`;
}

/** Numbers and booleans have a text; others throw BAKE_VALUE. */
export function asText(value: Value, what: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return numberText(value);
  throw badValue(`${what} must be a string, and is ${kindOf(value)}`);
}

/** Never with an exponent, as HCL has it. */
function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return value.toFixed(0);
  return String(value);
}

/** Strings that hold a number are one. Throws BAKE_VALUE. */
export function asNumber(value: Value, what: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && /^\s*-?(\d+(\.\d+)?|\.\d+)([eE][-+]?\d+)?\s*$/.test(value)) return Number(value);
  throw badValue(`${what} must be a number, and is ${kindOf(value)}`);
}

/** `"true"` and `"false"` are booleans, too. Throws BAKE_VALUE. */
export function asBoolean(value: Value, what: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === "true") return true;
  if (value === "false") return false;
  throw badValue(`${what} must be a bool, and is ${kindOf(value)}`);
}

export function asList(value: Value, what: string): readonly Value[] {
  if (isList(value)) return value;
  throw badValue(`${what} must be a list, and is ${kindOf(value)}`);
}

export function asMap(value: Value, what: string): ValueMap {
  if (isMap(value)) return value;
  throw badValue(`${what} must be an object, and is ${kindOf(value)}`);
}

/** Equal kinds and contents; nothing is converted. */
export function same(a: Value, b: Value): boolean {
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, index) => same(item, b[index] as Value));
  if (isMap(a) && isMap(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && same(a[name] as Value, b[name] as Value))
    );
  }
  return a === b;
}

/** An object that takes any name, `__proto__` too. */
export function mapOf(pairs: Iterable<readonly [name: string, value: Value]>): ValueMap {
  const map = Object.create(null) as Record<string, Value>;
  for (const [name, value] of pairs) map[name] = value;
  return map;
}
