/** Numbers, booleans and comparisons. */
import { divisor } from "../expression.ts";
import { asBoolean, asNumber, asText, badValue, same, type Value } from "../value.ts";
import { type BakeFunction, type FunctionTable, given } from "./function.ts";

function ofNumber(name: string, make: (value: number) => Value): BakeFunction {
  return (value) => make(asNumber(given(value, name), `the argument of ${name}`));
}

function ofTwo(name: string, make: (a: number, b: number) => Value): BakeFunction {
  return (a, b) =>
    make(
      asNumber(given(a, name), `the first argument of ${name}`),
      asNumber(given(b, name), `the second argument of ${name}`),
    );
}

function logical(name: string, make: (a: boolean, b: boolean) => boolean): BakeFunction {
  return (a, b) =>
    make(
      asBoolean(given(a, name), `the first argument of ${name}`),
      asBoolean(given(b, name), `the second argument of ${name}`),
    );
}

function ofMany(name: string, choose: (...values: number[]) => number): BakeFunction {
  return (...values) => {
    given(values[0], name);
    return choose(...values.map((value) => asNumber(value, `an argument of ${name}`)));
  };
}

/** Digits of a base from 2 to 62, with a sign; beyond 36 capitals are digits of their own. */
function parseInteger(value: Value | undefined, base: Value | undefined): number {
  const text = asText(given(value, "parseint"), "the first argument of parseint");
  const radix = asNumber(given(base, "parseint"), "the second argument of parseint");
  if (!Number.isInteger(radix) || radix < 2 || radix > 62) throw badValue("parseint needs a base from 2 to 62");
  const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".slice(0, radix);
  const [, sign, body = ""] = /^([-+]?)(.+)$/.exec(text) ?? [];
  let sum = 0;
  for (const character of radix <= 36 ? body.toLowerCase() : body) {
    const digit = digits.indexOf(character);
    if (digit < 0) throw badValue(`${JSON.stringify(text.slice(0, 50))} is no number of base ${radix}`);
    sum = sum * radix + digit;
  }
  if (body === "") throw badValue("parseint needs digits");
  return sign === "-" ? -sum : sum;
}

export const numberFunctions: FunctionTable = {
  absolute: ofNumber("absolute", Math.abs),
  add: ofTwo("add", (a, b) => a + b),
  and: logical("and", (a, b) => a && b),
  ceil: ofNumber("ceil", Math.ceil),
  divide: ofTwo("divide", (a, b) => a / divisor(b)),
  equal: (a, b) => same(given(a, "equal"), given(b, "equal")),
  floor: ofNumber("floor", Math.floor),
  greaterthan: ofTwo("greaterthan", (a, b) => a > b),
  greaterthanorequalto: ofTwo("greaterthanorequalto", (a, b) => a >= b),
  int: ofNumber("int", Math.trunc),
  lessthan: ofTwo("lessthan", (a, b) => a < b),
  lessthanorequalto: ofTwo("lessthanorequalto", (a, b) => a <= b),
  log: ofTwo("log", (a, b) => Math.log(a) / Math.log(b)),
  max: ofMany("max", Math.max),
  min: ofMany("min", Math.min),
  modulo: ofTwo("modulo", (a, b) => a % divisor(b)),
  multiply: ofTwo("multiply", (a, b) => a * b),
  negate: ofNumber("negate", (a) => -a),
  not: (value) => !asBoolean(given(value, "not"), "the argument of not"),
  notequal: (a, b) => !same(given(a, "notequal"), given(b, "notequal")),
  or: logical("or", (a, b) => a || b),
  parseint: parseInteger,
  pow: ofTwo("pow", (a, b) => a ** b),
  signum: ofNumber("signum", Math.sign),
  subtract: ofTwo("subtract", (a, b) => a - b),
};
