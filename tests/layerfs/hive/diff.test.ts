/** The differencing hive between two hives. */
import test from "ava";
import fc from "fast-check";
import { diffHives, isEmptyDelta } from "../../../layerfs/hive/diff.ts";
import { type HiveKey, symlinkFlag } from "../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { layeredHive, plainHive, told } from "./trees.ts";

test("law: the delta over the first hive gives the second", (t) => {
  fc.assert(
    fc.property(plainHive, plainHive, (before, after) => {
      const delta = diffHives(before, after);
      t.deepEqual(told(mergeHives([before, delta]).root), told(after.root));
    }),
    { numRuns: 500 },
  );
});

test("law: equal hives have an empty delta, whatever their times and marks", (t) => {
  fc.assert(
    fc.property(plainHive, (hive) => {
      const later = copy(hive.root, (key) => {
        key.lastWrite += 7n;
        key.userFlags = 1;
        key.flags |= 8;
      });
      for (const after of [hive, hiveOf(later)]) {
        const delta = diffHives(hive, after);
        t.true(isEmptyDelta(delta));
        t.true(isEmptyDelta(delta, hive));
        t.deepEqual(delta.root.subkeys(), []);
      }
    }),
  );
});

test("nothing of a delta can be left out", (t) => {
  fc.assert(
    fc.property(plainHive, plainHive, (before, after) => {
      const delta = diffHives(before, after);
      const whole = JSON.stringify(told(after.root));
      for (const less of withOneLess(delta.root)) {
        const merged = mergeHives([before, hiveOf(less, { differencing: true })]);
        t.not(JSON.stringify(told(merged.root)), whole);
      }
    }),
    { numRuns: 150 },
  );
});

test("a delta made over a stack is right over the stack", (t) => {
  fc.assert(
    fc.property(plainHive, fc.array(layeredHive, { maxLength: 3 }), plainHive, (base, deltas, after) => {
      const before = mergeHives([base, ...deltas]);
      const merged = mergeHives([base, ...deltas, diffHives(before, after)]);
      t.deepEqual(told(merged.root), told(after.root));
    }),
    { numRuns: 200 },
  );
});

test("without descriptors afterwards, as in Wine's text, keys keep theirs", (t) => {
  fc.assert(
    fc.property(plainHive, plainHive, (before, after) => {
      const bare = hiveOf(copy(after.root, (key) => (key.security = undefined)));
      const merged = mergeHives([before, diffHives(before, bare)]);
      const check = (now: HiveKey, old: HiveKey | undefined): void => {
        // Random bytes are no descriptor that hands anything down.
        t.is(now.security, old?.security);
        for (const key of now.subkeys()) check(key, old?.subkey(key.name));
      };
      check(merged.root, before.root);
      t.deepEqual(withoutSecurity(told(merged.root)), withoutSecurity(told(bare.root)));
    }),
    { numRuns: 200 },
  );
});

// Each row: what is below, what is there afterwards, and the delta. A key is NAME@LAYER, a value NAME=DATA, - a tombstone.
const table: readonly (readonly [title: string, before: Spec, after: Spec, delta: readonly string[]])[] = [
  ["a value added", { a: {} }, { a: { "v=": 1 } }, ["a@merge+class v=1"]],
  ["a value changed", { a: { "v=": 1 } }, { a: { "v=": 2 } }, ["a@merge+class v=2"]],
  ["a value spelled anew", { a: { "v=": 1 } }, { a: { "V=": 1 } }, ["a@merge+class V=1"]],
  ["a value deleted", { a: { "v=": 1, "w=": 1 } }, { a: { "w=": 1 } }, ["a@merge+class v-"]],
  ["a key spelled anew", { a: { b: {} } }, { A: { b: {} } }, ["A@merge+class"]],
  ["a key added, with what is below it", {}, { a: { "v=": 1, b: {} } }, ["a@merge v=1", "a\\b@merge"]],
  ["a key deleted, with what was below it", { a: { "v=": 1, b: {} } }, {}, ["a@tombstone"]],
  [
    "something deep inside",
    { a: { b: { c: {} } } },
    { a: { b: {} } },
    ["a@merge+class", "a\\b@merge+class", "a\\b\\c@tombstone"],
  ],
  [
    "a key that becomes a link",
    { a: { "v=": 1, b: {} } },
    { a: { "@": 1, "SymbolicLinkValue=": 9 } },
    ["a@supersede-tree SymbolicLinkValue=9"],
  ],
  [
    "a link that becomes a key",
    { a: { "@": 1, "SymbolicLinkValue=": 9 } },
    { a: { b: {} } },
    ["a@supersede-tree", "a\\b@supersede-tree"],
  ],
  ["a class added", { a: {} }, { a: { "#": 1 } }, ["a@merge #1"]],
  ["a class taken away", { a: { "#": 1 } }, { a: {} }, ["a@merge"]],
  ["a value of a root", { "v=": 1 }, { "v=": 2 }, ["@merge v=2"]],
];

for (const [title, before, after, expected] of table)
  test(`writes: ${title}`, (t) => {
    const delta = diffHives(hiveOf(treeOf("", before)), hiveOf(treeOf("", after)));
    t.deepEqual(nodes(delta.root), expected);
    t.is(isEmptyDelta(delta), expected.length === 0);
  });

test("a node on the way keeps time and flags; a changed one has the new time; a deleted one none", (t) => {
  const make = (time: bigint, data: number, flags: number) => {
    const tree = treeOf("", { a: { b: { "v=": data } }, ...(data === 1 ? { gone: {} } : {}) });
    return hiveOf(copy(tree, (key) => Object.assign(key, { lastWrite: time, flags, userFlags: flags })));
  };
  const { root } = diffHives(make(5n, 1, 8), make(9n, 2, 0));
  const a = root.subkey("a");
  t.like(root, { lastWrite: 5n });
  t.like(a, { lastWrite: 5n, flags: 8, userFlags: 8 });
  t.like(a?.subkey("b"), { lastWrite: 9n, flags: 8, userFlags: 8 });
  t.like(root.subkey("gone"), { lastWrite: 0n });
});

test("a change of the root's descriptor or class is one", (t) => {
  const before = treeOf("", {});
  before.security = Uint8Array.of(1);
  for (const change of [{ security: Uint8Array.of(2) }, { className: Uint8Array.of(65, 0) }]) {
    const after = hiveOf(Object.assign(copy(before), change));
    const delta = diffHives(hiveOf(before), after);
    t.false(isEmptyDelta(delta, hiveOf(before)));
    t.deepEqual(told(mergeHives([hiveOf(before), delta]).root), told(after.root));
  }
});

test("differencing hives are not taken for registries", (t) => {
  const plain = hiveOf(new KeyTree(""));
  const delta = hiveOf(new KeyTree(""), { differencing: true });
  t.throws(() => diffHives(plain, delta), { code: "HIVE_LAYERED" });
  t.throws(() => diffHives(delta, plain), { code: "HIVE_LAYERED" });
});

/** `"NAME="` a value of one byte, `"#"` a class, `"@"` a link; else a subkey. */
interface Spec {
  readonly [name: string]: number | Spec;
}

function treeOf(name: string, spec: Spec): KeyTree {
  const key = new KeyTree(name);
  for (const [each, content] of Object.entries(spec)) {
    if (typeof content !== "number") key.setSubkey(treeOf(each, content));
    else if (each === "#") key.className = Uint8Array.of(content, 0);
    else if (each === "@") key.flags = symlinkFlag;
    else key.setValue({ name: each.slice(0, -1), type: 3, data: Uint8Array.of(content) });
  }
  return key;
}

function nodes(key: HiveKey, path = "", isRoot = true): string[] {
  const values = key.values().map(({ name, tombstone, data }) => (tombstone ? ` ${name}-` : ` ${name}=${data[0]}`));
  const mark = `${key.inheritClass ? "+class" : ""}${key.className ? ` #${key.className[0]}` : ""}`;
  const own = isRoot && values.length === 0 ? [] : [`${path}@${key.layer}${mark}${values.join("")}`];
  const prefix = isRoot ? "" : `${path}\\`;
  return [...own, ...key.subkeys().flatMap((each) => nodes(each, prefix + each.name, false))];
}

function copy(key: HiveKey, change: (copied: KeyTree) => void = () => {}): KeyTree {
  const made = new KeyTree(key.name);
  const { lastWrite, flags, userFlags, className, security, layer, inheritClass } = key;
  Object.assign(made, { lastWrite, flags, userFlags, className, security, layer, inheritClass });
  for (const value of key.values()) made.setValue(value);
  for (const each of key.subkeys()) made.setSubkey(copy(each, change));
  change(made);
  return made;
}

/** The tree with one value left out, or one key and all below it, in every way. */
function* withOneLess(root: HiveKey): Generator<KeyTree> {
  for (const value of root.values()) {
    const less = copy(root);
    less.deleteValue(value.name);
    yield less;
  }
  for (const key of root.subkeys()) {
    const less = copy(root);
    less.deleteSubkey(key.name);
    yield less;
    for (const below of withOneLess(key)) {
      const made = copy(root);
      made.setSubkey(below);
      yield made;
    }
  }
}

interface Bare {
  readonly security: string;
  readonly subkeys: readonly Bare[];
}

function withoutSecurity(key: Bare): Bare {
  return { ...key, security: "", subkeys: key.subkeys.map(withoutSecurity) };
}
