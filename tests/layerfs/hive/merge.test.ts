/** The merged view of stacked hives. */
import test from "ava";
import fc from "fast-check";
import type { Hive, HiveKey, LayerSemantics } from "../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { holds } from "../../doubles/holds.ts";
import { type NaiveKey, naiveMerge } from "./naive-merge.ts";
import { layeredHive, plainHive, told } from "./trees.ts";

const stacks = fc
  .tuple(plainHive, fc.array(layeredHive, { maxLength: 4 }))
  .map(([base, deltas]): readonly Hive[] => [base, ...deltas]);

test("a naive merger that writes down every path sees the same", (t) => {
  fc.assert(
    fc.property(stacks, (stack) => {
      const merged = mergeHives(stack);
      t.deepEqual(withTimes(merged.root), naiveMerge(stack));
    }),
    { numRuns: 400 },
  );
});

test("subkey() and value() find without case what subkeys() and values() list, and nothing else", (t) => {
  const check = (key: HiveKey): boolean =>
    key.values().every((value) => key.value(swapped(value.name))?.name === value.name) &&
    key.subkeys().every((below) => key.subkey(swapped(below.name))?.name === below.name && check(below)) &&
    ["a", "B", "c", "É", "ab"].every(
      (name) =>
        (key.subkey(name) !== undefined) === key.subkeys().some((each) => swapped(each.name) === swapped(name)) &&
        (key.value(name) !== undefined) === key.values().some((each) => swapped(each.name) === swapped(name)),
    );
  holds(
    t,
    fc.property(stacks, (stack) => check(mergeHives(stack).root)),
    { numRuns: 200 },
  );
});

test("what comes out is a plain hive: no semantics, no tombstones", (t) => {
  const check = (key: HiveKey): boolean =>
    key.layer === "merge" &&
    !key.inheritClass &&
    key.values().every(({ tombstone }) => tombstone === undefined) &&
    key.subkeys().every(check);
  holds(
    t,
    fc.property(stacks, (stack) => !mergeHives(stack).differencing && check(mergeHives(stack).root)),
  );
});

test("a base alone, and what only the base has, is not wrapped", (t) => {
  const base = hiveOf(tree("", [tree("a"), tree("b")]));
  t.is(mergeHives([base]), base);
  const merged = mergeHives([base, hiveOf(tree("", [tree("A", [tree("new")])]), { differencing: true })]);
  t.deepEqual(
    merged.root.subkeys().map(({ name }) => name),
    ["A", "b"],
  );
  t.is(merged.root.subkeys()[1], base.root.subkeys()[1]);
});

test("a tombstone in the middle hides what is below it, and what is above starts afresh", (t) => {
  const base = hiveOf(tree("", [tree("a", [tree("old")])]));
  const gone = hiveOf(tree("", [tree("a", [], "tombstone")]), { differencing: true });
  const again = hiveOf(tree("", [tree("a", [tree("new")])]), { differencing: true });
  t.deepEqual(mergeHives([base, gone]).root.subkeys(), []);
  t.deepEqual(
    mergeHives([base, gone, again])
      .root.subkey("A")
      ?.subkeys()
      .map(({ name }) => name),
    ["new"],
  );
});

test("a stack of nothing, and one whose root is deleted, are empty hives", (t) => {
  const root = tree("", [tree("a")]);
  const gone = hiveOf(tree("", [], "tombstone"), { differencing: true });
  for (const stack of [[], [hiveOf(root), gone]]) t.deepEqual(mergeHives(stack).root.subkeys(), []);
});

function tree(name: string, subkeys: readonly KeyTree[] = [], layer: LayerSemantics = "merge"): KeyTree {
  const key = new KeyTree(name);
  key.layer = layer;
  for (const each of subkeys) key.setSubkey(each);
  return key;
}

function swapped(name: string): string {
  return name.toUpperCase();
}

function withTimes(key: HiveKey, isRoot = true): NaiveKey {
  const { name, isLink, className, security, values } = told(key, isRoot);
  const subkeys = key.subkeys().map((each) => withTimes(each, false));
  return { name, isLink, className, security, lastWrite: key.lastWrite, values, subkeys };
}
