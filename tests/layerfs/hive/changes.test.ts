/** What changed between two hives, told one by one and counted. */
import test from "ava";
import fc from "fast-check";
import { changesOf, countChanges, type HiveChange } from "../../../layerfs/hive/changes.ts";
import { diffHives } from "../../../layerfs/hive/diff.ts";
import type { HiveKey } from "../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { layeredHive, plainHive, told } from "./trees.ts";

test("a delta and the hive that it makes tell the same", (t) => {
  fc.assert(
    fc.property(plainHive, layeredHive, (before, delta) => {
      t.deepEqual([...changesOf(before, delta)], [...changesOf(before, mergeHives([before, delta]))]);
    }),
    { numRuns: 300 },
  );
});

test("nothing is told of equal hives, and something of others", (t) => {
  fc.assert(
    fc.property(plainHive, plainHive, (before, after) => {
      t.deepEqual([...changesOf(before, before)], []);
      const isSame = JSON.stringify(told(before.root)) === JSON.stringify(told(after.root));
      t.is([...changesOf(before, after)].length === 0, isSame);
    }),
    { numRuns: 200 },
  );
});

test("what is told, carried out on the first hive, gives the second", (t) => {
  fc.assert(
    fc.property(plainHive, plainHive, (before, after) => {
      const root = copy(before.root);
      for (const change of changesOf(before, after)) carryOut(root, change, after.root);
      t.deepEqual(told(root), told(after.root));
    }),
    { numRuns: 300 },
  );
});

test("counts, with a base and by a delta alone", (t) => {
  const before = new KeyTree("");
  const key = before.setSubkey(new KeyTree("key"));
  for (const name of ["same", "other", "gone"]) key.setValue({ name, type: 3, data: Uint8Array.of(1) });
  before.setSubkey(new KeyTree("gone")).setSubkey(new KeyTree("below"));
  before.setSubkey(new KeyTree("classed"));
  const after = copy(before);
  after.deleteSubkey("gone");
  (after.subkey("classed") as KeyTree).className = Uint8Array.of(65, 0);
  const changed = after.subkey("key") as KeyTree;
  changed.setValue({ name: "other", type: 3, data: Uint8Array.of(2) });
  changed.setValue({ name: "new", type: 3, data: Uint8Array.of(2) });
  changed.deleteValue("gone");
  after.setSubkey(new KeyTree("new")).setSubkey(new KeyTree("below"));
  const delta = diffHives(hiveOf(before), hiveOf(after));
  const counts = {
    keys: { added: 2, changed: 1, deleted: 1 },
    values: { added: 1, changed: 1, deleted: 1 },
  };
  t.deepEqual(countChanges(delta, hiveOf(before)), counts);
  t.deepEqual(countChanges(hiveOf(after), hiveOf(before)), counts);
  // By itself a delta does not tell a class from a new key, nor a changed value from a new one.
  t.deepEqual(countChanges(delta), {
    keys: { added: 3, changed: 0, deleted: 1 },
    values: { added: 2, changed: 0, deleted: 1 },
  });
});

function copy(key: HiveKey): KeyTree {
  const made = new KeyTree(key.name);
  const { lastWrite, flags, userFlags, className, security } = key;
  Object.assign(made, { lastWrite, flags, userFlags, className, security });
  for (const value of key.values()) made.setValue(value);
  for (const each of key.subkeys()) made.setSubkey(copy(each));
  return made;
}

/** Keys of a change have the name of afterwards; facets are taken from there. */
function carryOut(root: KeyTree, { kind, path, value }: HiveChange, after: HiveKey): void {
  let parent: KeyTree | undefined;
  let key = root;
  let end: HiveKey | undefined = after;
  for (const name of path) {
    parent = key;
    end = end?.subkey(name);
    const below = key.subkey(name) as KeyTree | undefined;
    key = below ?? key.setSubkey(new KeyTree(name));
  }
  if (value !== undefined && kind === "deleted") key.deleteValue(value.name);
  else if (value !== undefined) key.setValue(value);
  else if (kind === "deleted") parent?.deleteSubkey(path.at(-1) ?? "");
  else if (end) {
    const { flags, className, security } = end;
    Object.assign(key, { flags, className, security });
    if (parent) {
      parent.deleteSubkey(key.name);
      parent.setSubkey(Object.assign(key, { name: end.name }));
    }
  }
}
