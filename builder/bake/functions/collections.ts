/** Lists, objects and sets (lists without repetitions). */
import { longest, step } from "../expression.ts";
import { asList, asMap, asNumber, asText, badValue, isList, isMap, mapOf, same, type Value } from "../value.ts";
import { type FunctionTable, given } from "./function.ts";

type List = readonly Value[];

function list(value: Value | undefined, name: string): List {
  return asList(given(value, name), `an argument of ${name}`);
}

function number(value: Value | undefined, name: string): number {
  return asNumber(given(value, name), `an argument of ${name}`);
}

function distinct(items: List): Value[] {
  const kept: Value[] = [];
  for (const item of items) if (!kept.some((one) => same(one, item))) kept.push(item);
  return kept;
}

function has(items: List, wanted: Value): boolean {
  return items.some((item) => same(item, wanted));
}

function flatten(items: List, depth = 0): Value[] {
  if (depth > 64) throw badValue("flatten: the list is nested too deeply");
  return items.flatMap((item) => (isList(item) ? flatten(item, depth + 1) : [item]));
}

function range(...args: List): number[] {
  const [a, b, c] = args.map((arg) => asNumber(arg, "an argument of range"));
  const [start, end] = b === undefined ? [0, a ?? 0] : [a as number, b];
  const by = c ?? (start <= end ? 1 : -1);
  if (by === 0 || Math.abs((end - start) / by) > longest) throw badValue(`range: no more than ${longest} numbers`);
  const numbers: number[] = [];
  for (let value = start; by > 0 ? value < end : value > end; value += by) numbers.push(value);
  return numbers;
}

function product(lists: readonly List[]): Value[] {
  const size = lists.reduce((sum, items) => sum * items.length, 1);
  if (size > longest) throw badValue(`setproduct: no more than ${longest} combinations`);
  let made: Value[][] = [[]];
  for (const items of lists) made = made.flatMap((before) => items.map((item) => [...before, item]));
  return made;
}

function sorted(value: Value | undefined, name: string): string[] {
  return list(value, name)
    .map((item) => asText(item, `an item of ${name}'s list`))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

export const collectionFunctions: FunctionTable = {
  chunklist: (items, size) => {
    const count = number(size, "chunklist");
    const all = list(items, "chunklist");
    if (count === 0) return [all];
    if (!(count > 0)) throw badValue("chunklist needs a size of 0 or more");
    return Array.from({ length: Math.ceil(all.length / count) }, (_, i) => all.slice(i * count, (i + 1) * count));
  },
  coalesce: (...values) => {
    const found = values.find((value) => value !== null);
    if (found === undefined) throw badValue("coalesce: every argument is null");
    return found;
  },
  coalescelist: (...lists) => {
    const found = lists.find((one) => isList(one) && one.length > 0);
    if (found === undefined) throw badValue("coalescelist: every list is empty");
    return found;
  },
  compact: (items) => list(items, "compact").filter((item) => item !== "" && item !== null),
  concat: (...lists) => lists.flatMap((one) => list(one, "concat")),
  contains: (items, wanted) => has(list(items, "contains"), given(wanted, "contains")),
  distinct: (items) => distinct(list(items, "distinct")),
  element: (items, index) => {
    const all = list(items, "element");
    if (all.length === 0) throw badValue("element: the list is empty");
    const at = number(index, "element") % all.length;
    return all[at < 0 ? at + all.length : at] as Value;
  },
  flatten: (items) => flatten(list(items, "flatten")),
  hasindex: (collection, key) => {
    const from = given(collection, "hasindex");
    if (isList(from)) return typeof key === "number" && from[key] !== undefined;
    return isMap(from) && typeof key === "string" && Object.hasOwn(from, key);
  },
  index: (collection, key) => step(given(collection, "index"), given(key, "index")),
  indexof: (items, wanted) => {
    const at = list(items, "indexof").findIndex((item) => same(item, given(wanted, "indexof")));
    if (at < 0) throw badValue("indexof: the list does not hold this value");
    return at;
  },
  keys: (map) => Object.keys(asMap(given(map, "keys"), "the argument of keys")).sort(),
  length: (value) => {
    const of = given(value, "length");
    if (isList(of)) return of.length;
    if (isMap(of)) return Object.keys(of).length;
    throw badValue("length counts lists and objects; strlen counts the characters of a string");
  },
  lookup: (map, key, otherwise) => {
    const from = asMap(given(map, "lookup"), "the first argument of lookup");
    const name = asText(given(key, "lookup"), "the key of lookup");
    return Object.hasOwn(from, name) ? (from[name] as Value) : given(otherwise, "lookup");
  },
  merge: (...maps) =>
    mapOf(maps.filter((map) => map !== null).flatMap((map) => Object.entries(asMap(map, "an argument of merge")))),
  range,
  reverselist: (items) => list(items, "reverselist").toReversed(),
  sethaselement: (items, wanted) => has(list(items, "sethaselement"), given(wanted, "sethaselement")),
  setintersection: (first, ...others) =>
    distinct(list(first, "setintersection")).filter((item) =>
      others.every((other) => has(list(other, "setintersection"), item)),
    ),
  setproduct: (...lists) => product(lists.map((one) => list(one, "setproduct"))),
  setsubtract: (a, b) => distinct(list(a, "setsubtract")).filter((item) => !has(list(b, "setsubtract"), item)),
  setsymmetricdifference: (a, b) => {
    const [left, right] = [distinct(list(a, "setsymmetricdifference")), distinct(list(b, "setsymmetricdifference"))];
    return [...left.filter((item) => !has(right, item)), ...right.filter((item) => !has(left, item))];
  },
  setunion: (...lists) => distinct(lists.flatMap((one) => list(one, "setunion"))),
  slice: (items, from, to) => {
    const all = list(items, "slice");
    const [start, end] = [number(from, "slice"), number(to, "slice")];
    if (start < 0 || end < start || end > all.length)
      throw badValue(`slice: ${start} to ${end} is not within a list of ${all.length}`);
    return all.slice(start, end);
  },
  sort: (items) => sorted(items, "sort"),
  values: (map) => {
    const from = asMap(given(map, "values"), "the argument of values");
    return Object.keys(from)
      .sort()
      .map((name) => from[name] as Value);
  },
  zipmap: (names, values) => {
    const [keys, all] = [list(names, "zipmap"), list(values, "zipmap")];
    if (keys.length !== all.length) throw badValue("zipmap needs as many keys as values");
    return mapOf(keys.map((key, i) => [asText(key, "a key of zipmap"), all[i] as Value]));
  },
};
