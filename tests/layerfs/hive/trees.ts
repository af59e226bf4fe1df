/** Random registry trees, and what of a tree the laws of merge and diff speak of. */
import fc from "fast-check";
import type { Hive, HiveKey, HiveValue, LayerSemantics } from "../../../layerfs/hive/key.ts";
import { symlinkFlag } from "../../../layerfs/hive/key.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { upcase } from "../../../layerfs/hive/upcase.ts";

/** Few, so that trees meet, and in several spellings. */
const name = fc.constantFrom("a", "A", "b", "B", "c", "é", "É", "ab", "Ab", "\0", "[x]");
const bytes = fc.uint8Array({ maxLength: 3, max: 2 });
const someSecurity = fc.constantFrom(Uint8Array.of(1), Uint8Array.of(2));
const className = fc.option(fc.constantFrom(Uint8Array.of(65, 0), Uint8Array.of(66, 0)), { nil: undefined, freq: 2 });

const value: fc.Arbitrary<HiveValue> = fc.record({
  name: fc.oneof(name, fc.constant("")),
  type: fc.constantFrom(0, 1, 4),
  data: bytes,
});
const tombstone: fc.Arbitrary<HiveValue> = name.map((n) => ({
  name: n,
  type: 0,
  data: new Uint8Array(0),
  tombstone: true as const,
}));

interface Shape {
  readonly name: string;
  readonly layer: LayerSemantics;
  readonly inheritClass: boolean;
  readonly isLink: boolean;
  readonly lastWrite: bigint;
  readonly className: Uint8Array | undefined;
  readonly security: Uint8Array;
  readonly values: readonly HiveValue[];
  readonly subkeys: readonly Shape[];
}

function treeOf(shape: Shape): KeyTree {
  const key = new KeyTree(shape.name);
  key.layer = shape.layer;
  key.inheritClass = shape.inheritClass;
  key.flags = shape.isLink ? symlinkFlag : 0;
  key.lastWrite = shape.lastWrite;
  key.className = shape.className;
  key.security = shape.security;
  for (const each of shape.values) key.setValue(each);
  for (const each of shape.subkeys) key.setSubkey(treeOf(each));
  return key;
}

function shapes(depth: number, isLayered: boolean): fc.Arbitrary<Shape> {
  const layers = isLayered
    ? (["merge", "merge", "tombstone", "supersede-local", "supersede-tree"] as const)
    : ["merge" as const];
  return fc.record({
    name,
    layer: fc.constantFrom<LayerSemantics>(...layers),
    inheritClass: isLayered ? fc.boolean() : fc.constant(false),
    isLink: fc.integer({ min: 0, max: 7 }).map((dice) => dice === 0),
    lastWrite: fc.bigInt({ min: 0n, max: 5n }),
    className,
    security: someSecurity,
    values: fc.array(isLayered ? fc.oneof({ weight: 3, arbitrary: value }, tombstone) : value, { maxLength: 4 }),
    subkeys: depth === 0 ? fc.constant([]) : fc.array(shapes(depth - 1, isLayered), { maxLength: 3 }),
  });
}

/** A plain hive of up to three levels. */
export const plainHive: fc.Arbitrary<Hive> = shapes(3, false).map((shape) =>
  hiveOf(treeOf({ ...shape, isLink: false })),
);

/** A differencing hive with every semantics, also where Windows would not write it. A root is never a tombstone. */
export const layeredHive: fc.Arbitrary<Hive> = shapes(3, true).map((shape) =>
  hiveOf(treeOf({ ...shape, isLink: false, layer: shape.layer === "tombstone" ? "merge" : shape.layer }), {
    differencing: true,
  }),
);

/** A key and all below it as plain data: keys in their order, values by name. Of flags only the link's. */
export interface Told {
  readonly name: string;
  readonly isLink: boolean;
  readonly className: string;
  readonly security: string;
  readonly values: readonly (readonly [name: string, type: number, data: string])[];
  readonly subkeys: readonly Told[];
}

export function told(key: HiveKey, isRoot = true): Told {
  return {
    name: isRoot ? "" : key.name,
    isLink: (key.flags & symlinkFlag) !== 0,
    className: hex(key.className),
    security: hex(key.security),
    values: [...key.values()]
      .sort((a, b) => (upcase(a.name) < upcase(b.name) ? -1 : 1))
      .map((each) => [each.name, each.type, hex(each.data)] as const),
    subkeys: key.subkeys().map((each) => told(each, false)),
  };
}

export function hex(data: Uint8Array | undefined): string {
  return Buffer.from(data ?? []).toString("hex");
}
