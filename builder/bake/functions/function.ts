/** What a function of bake files is: values in, a value out. Names and meanings are those of `docker buildx bake`. */
import { asText, badValue, type Value } from "../value.ts";

export type BakeFunction = (...args: readonly Value[]) => Value;
export type FunctionTable = Readonly<Record<string, BakeFunction>>;

/** An argument that must be there. Throws BAKE_VALUE. */
export function given(value: Value | undefined, name: string): Value {
  if (value === undefined) throw badValue(`${name} needs more arguments`);
  return value;
}

/** A function of one string. */
export function ofText(name: string, make: (text: string) => Value): BakeFunction {
  return (value) => make(asText(given(value, name), `the argument of ${name}`));
}
