/** Random hives for the regf form: names and data of every shape, or only of those that other readers can print. */
import fc from "fast-check";
import type { Hive, HiveValue, LayerSemantics } from "../../../../layerfs/hive/key.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";

/** What other readers print without loss, or anything. */
type Taste = "readable" | "any";

const someNames = [
  "a",
  "A",
  "b",
  "Software",
  "{78C34FC8}",
  "é",
  "ÿ",
  "ß",
  "a b",
  "a,b",
  "%41",
  "a|b",
  "~",
  "x".repeat(255),
];
const oddNames = ["ключ", "\u{10428}", "\ud800", "\0", "a\0b", "/", "日本", "ı", "ǆ", "ᾳ", "\n"];

const unit = fc.integer({ min: 1, max: 0xffff }).map((code) => String.fromCharCode(code));
const anyName = fc.oneof(
  fc.constantFrom(...someNames, ...oddNames),
  fc.string({ maxLength: 12 }),
  fc.array(unit, { maxLength: 300 }).map((units) => units.join("")),
);
const keyName = anyName.map((name) => name.replaceAll("\\", "").slice(0, 255)).filter((name) => name !== "");

const text = fc.constantFrom("", "C:\\Windows", "%SystemRoot%\\x", "a,b", "100 %", "straße", "ключ").map((words) => ({
  words,
  data: Buffer.from(`${words}\0`, "utf16le"),
}));
const long = fc.constantFrom(5, 16_344, 16_345, 32_688, 32_689, 100_000).map((size) => Buffer.alloc(size, "segment "));

const readableValue: fc.Arbitrary<Omit<HiveValue, "name">> = fc.oneof(
  fc.record({ type: fc.constantFrom(1, 2), data: text.map((each) => each.data) }),
  fc.record({ type: fc.constant(4), data: fc.uint8Array({ minLength: 4, maxLength: 4 }) }),
  fc.record({ type: fc.constant(11), data: fc.uint8Array({ minLength: 8, maxLength: 8 }) }),
  fc.record({ type: fc.constantFrom(3, 8, 10, 0xffff_0012), data: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
  fc.record({ type: fc.constant(3), data: long }),
);
const anyValue = fc.oneof(
  readableValue,
  fc.record({ type: fc.integer({ min: 0, max: 0xffff_ffff }), data: fc.uint8Array({ maxLength: 9 }) }),
);

const classes = fc.option(fc.constantFrom("", "c", "Shell", "x".repeat(3000)), { nil: undefined, freq: 3 });
const descriptors = fc.option(
  fc.integer({ min: 0, max: 3 }).map((last) => Uint8Array.of(1, 0, 0, 128, ...new Array(16).fill(0), last)),
  { nil: undefined },
);

interface Settings {
  readonly taste: Taste;
  readonly layered: boolean;
}

function trees(depth: number, settings: Settings): fc.Arbitrary<KeyTree> {
  const { taste, layered } = settings;
  const name = taste === "readable" ? fc.constantFrom(...someNames) : keyName;
  const valueName = taste === "readable" ? fc.constantFrom("", ...someNames) : anyName;
  const contents = taste === "readable" ? readableValue : anyValue;
  return fc
    .record({
      name,
      lastWrite: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      flags: fc.constantFrom(0, 0x10, 0x80),
      userFlags: fc.integer({ min: 0, max: 255 }),
      layer: fc.constantFrom<LayerSemantics>("merge", "tombstone", "supersede-local", "supersede-tree"),
      inheritClass: fc.boolean(),
      className: classes,
      security: descriptors,
      values: fc.array(fc.tuple(valueName, contents, fc.integer({ min: 0, max: 3 })), { maxLength: 6 }),
      subkeys: depth === 0 ? fc.constant([]) : fc.array(trees(depth - 1, settings), { maxLength: 4 }),
    })
    .map((made) => {
      const key = new KeyTree(made.name);
      key.lastWrite = taste === "readable" ? made.lastWrite % 2n ** 57n : made.lastWrite;
      key.flags = taste === "readable" ? 0 : made.flags;
      key.userFlags = made.userFlags;
      key.layer = layered ? made.layer : "merge";
      key.inheritClass = layered && made.inheritClass;
      if (key.layer === "tombstone") return key;
      key.className =
        made.className === undefined || made.className === "" ? undefined : Buffer.from(made.className, "utf16le");
      key.security = made.security;
      for (const [name, contents, die] of made.values) {
        const tombstone = { type: 0, data: new Uint8Array(0), tombstone: true } as const;
        key.setValue({ name, ...(layered && die === 0 ? tombstone : contents) });
      }
      for (const subkey of made.subkeys) key.setSubkey(subkey);
      return key;
    });
}

export function plainHives(taste: Taste): fc.Arbitrary<Hive> {
  return trees(3, { taste, layered: false }).map((root) => hiveOf(root));
}

export function layeredHives(): fc.Arbitrary<Hive> {
  return trees(3, { taste: "any", layered: true }).map((root) => {
    root.layer = "merge";
    return hiveOf(root, { differencing: true });
  });
}
