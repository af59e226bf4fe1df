/** Wine's registry files: without loss in both directions. */
import test from "ava";
import fc from "fast-check";
import { diffHives } from "../../../layerfs/hive/diff.ts";
import { type Hive, type HiveKey, type HiveValue, symlinkFlag } from "../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { isWineText, readWineText, streamWineText, writeWineText } from "../../../layerfs/hive/wine-text.ts";
import { hex, plainHive, told } from "./trees.ts";

const relativeTo = "REGISTRY\\Machine";
const unit = fc.oneof(
  fc.constantFrom(...'\0\x01\x1f\x7f\xff\u0100\ud800\udfff\uffff[]"\\@=#;\n\r\t 017abcdefx'),
  fc.integer({ min: 0, max: 0xffff }).map((number) => String.fromCharCode(number)),
);
const anyName = fc.string({ unit, maxLength: 6 });
const keyName = fc.string({ unit: unit.filter((each) => each !== "\\"), minLength: 1, maxLength: 6 });
const strings = anyName.map((text) => Buffer.from(`${text}\0`, "utf16le"));
const anyValue: fc.Arbitrary<HiveValue> = fc.record({
  name: anyName,
  type: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 0xffffffff })),
  data: fc.oneof(strings, fc.uint8Array({ maxLength: 80 })),
});

interface Shape {
  readonly values: readonly HiveValue[];
  readonly className: string | undefined;
  readonly isLink: boolean;
  readonly time: bigint;
  readonly below: readonly (readonly [string, Shape])[];
}

const shape = (depth: number): fc.Arbitrary<Shape> =>
  fc.record({
    values: fc.array(anyValue, { maxLength: 4 }),
    className: fc.option(
      anyName.map((name) => name.replace(/\0+$/, "")),
      { nil: undefined, freq: 2 },
    ),
    isLink: fc.boolean(),
    time: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    below: depth === 0 ? fc.constant([]) : fc.array(fc.tuple(keyName, shape(depth - 1)), { maxLength: 3 }),
  });

function treeOf(name: string, { values, className, isLink, time, below }: Shape): KeyTree {
  const key = new KeyTree(name);
  key.lastWrite = time;
  key.flags = isLink ? symlinkFlag : 0;
  key.className = className === undefined ? undefined : Buffer.from(className, "utf16le");
  for (const value of values) key.setValue(value);
  for (const [each, content] of below) key.setSubkey(treeOf(each, content));
  return key;
}

const registry: fc.Arbitrary<Hive> = shape(3).map((content) => hiveOf(treeOf("", content)));

test("any registry comes back as it was, but for times of keys that have only subkeys", (t) => {
  fc.assert(
    fc.property(registry, (hive) => {
      const text = writeWineText(hive, { relativeTo, arch: "win64" });
      const read = readWineText(text);
      t.deepEqual(told(read.root), told(hive.root));
      const times = (key: HiveKey, other: HiveKey | undefined): void => {
        const isKept = key.values().length > 0 || key.className !== undefined || key.subkeys().length === 0;
        if (isKept) t.is(other?.lastWrite, key.lastWrite);
        for (const below of key.subkeys()) times(below, other?.subkey(below.name));
      };
      for (const below of hive.root.subkeys()) times(below, read.root.subkey(below.name));
      t.deepEqual(writeWineText(read, { relativeTo, arch: "win64" }), text, "and is written the same again");
      t.true(text.every((byte) => (byte >= 0x20 && byte <= 0x7f) || byte === 10));
    }),
    { numRuns: 300 },
  );
});

test("the difference of two texts is that of what they say", (t) => {
  const bare = plainHive.map(({ root }) => hiveOf(withoutSecurity(root)));
  fc.assert(
    fc.property(bare, bare, (one, other) => {
      const [before, after] = [one, other].map((hive) => readWineText(writeWineText(hive, { relativeTo })));
      const delta = diffHives(before!, after!);
      t.deepEqual(told(delta.root), told(diffHives(one, other).root));
      t.deepEqual(told(mergeHives([before!, delta]).root), told(other.root));
    }),
    { numRuns: 200 },
  );
});

const text = (...lines: readonly string[]) =>
  Buffer.from(
    ["WINE REGISTRY Version 2", ";; All keys relative to REGISTRY\\\\Machine", "", ...lines, ""].join("\n"),
    "latin1",
  );
const utf16 = (string: string) => Buffer.from(string, "utf16le").toString("hex");

// Each row: a value's line, its name, type and bytes. What is not written so by us is marked "read".
const values: readonly (readonly [line: string, name: string, type: number, data: string, only?: "read"])[] = [
  ['@="x"', "", 1, utf16("x\0")],
  ['"a"=""', "a", 1, utf16("\0")],
  ['"a"=str:"x"', "a", 1, utf16("x\0"), "read"],
  ['"a"=str(2):"%x%"', "a", 2, utf16("%x%\0")],
  ['"a"=str(7):"a\\0b\\0"', "a", 7, utf16("a\0b\0\0")],
  ['"a"=hex(1):61,00', "a", 1, "6100"],
  ['"a"=hex(7):', "a", 7, ""],
  ['"a"=dword:0000c6f4', "a", 4, "f4c60000"],
  ['"a"=hex(4):01', "a", 4, "01"],
  ['"a"=hex:01,02', "a", 3, "0102"],
  ['"a"=hex:', "a", 3, ""],
  ['"a"=hex(ffff0007):01', "a", 0xffff0007, "01"],
  ['"a"=hex(b):01,00', "a", 11, "0100"],
  ['"a"= hex:1 , 2,\\\n  3,', "a", 3, "010203", "read"],
  ['"a"=dword:1', "a", 4, "01000000", "read"],
  ['"\\\\\\"[]@"="\\\\\\"[]"', '\\"[]@', 1, utf16('\\"[]\0')],
  ['"\\a\\b\\t\\n\\v\\f\\r\\e"=dword:00000000', "\x07\b\t\n\v\f\r\x1b", 4, "00000000"],
  ['"\\0x\\1\\37\\0017\\x7f"=""', "\0x\x01\x1f\x017\x7f", 1, utf16("\0"), "read"],
  ['"\\xe9\\x20ac\\xd800"="\\x00e9a\\xe9g"', "\xe9\u20ac\ud800", 1, utf16("\xe9a\xe9g\0")],
  ['"\xe9"="\xff"', "\xe9", 1, utf16("\xff\0"), "read"],
  ['"\\x"="\\q"', "x", 1, utf16("q\0"), "read"],
];

for (const [line, name, type, data, only] of values)
  test(`${only === "read" ? "reads" : "reads and writes"} ${JSON.stringify(line)}`, (t) => {
    const file = text("[Software] 0", "#time=0", line);
    const { root } = readWineText(file);
    const found = root.subkey("software")?.values() ?? [];
    t.deepEqual(
      found.map((value) => [value.name, value.type, hex(value.data)]),
      [[name, type, data]],
    );
    const tree = new KeyTree("");
    tree.setSubkey(new KeyTree("Software")).setValue({ name, type, data: Buffer.from(data, "hex") });
    const written = writeWineText(hiveOf(tree), { relativeTo });
    if (only === undefined) t.is(Buffer.from(written).toString("latin1"), file.toString("latin1"));
    t.deepEqual(told(readWineText(written).root), told(root));
  });

test("long data goes on behind column 76 on a next line", (t) => {
  const tree = new KeyTree("");
  tree.setSubkey(new KeyTree("a")).setValue({ name: "Blob", type: 3, data: Buffer.alloc(60, 0xab) });
  const written = Buffer.from(writeWineText(hiveOf(tree), { relativeTo })).toString("latin1");
  t.deepEqual(
    written
      .split("\n")
      .slice(5, -1)
      .map((line) => line.length),
    [78, 78, 40],
  );
  t.regex(written, /,\\\n {2}ab,/);
});

test("keys, classes, links, times and paths in all spellings", (t) => {
  const {
    root,
    arch,
    relativeTo: where,
  } = readWineText(
    text(
      "#arch=win32",
      "",
      "[Software\\\\A\\[b\\]\\x20ac] 1500000000",
      '#class="Cl\\"ass"',
      "#link",
      "#unknown",
      ";comment",
      '"SymbolicLinkValue"=hex(6):41,00',
      "",
      "[SOFTWARE\\\\a\\[B\\]\\x20ac\\x5cquiet] 1",
      "#time=1dd79a4f210aa00",
      "[Software\\\\A\\[b\\]\\x20ac]",
      '"more"=""\r',
      "[\\\\\\\\Software\\\\]",
      '@="of Software"',
      "[]",
      '@="of the root"',
    ),
  );
  t.is(arch, "win32");
  t.is(where, relativeTo);
  t.is(root.value("")?.data.length, 24);
  const software = root.subkey("software");
  t.is(software?.name, "Software");
  t.truthy(software?.value(""));
  const key = software?.subkey("A[b]\u20ac");
  t.like(key, { name: "A[b]\u20ac", flags: symlinkFlag, lastWrite: 0n });
  t.is(Buffer.from(key?.className ?? []).toString("utf16le"), 'Cl"ass');
  t.is(key?.values().length, 2);
  t.is(key?.subkey("quiet")?.lastWrite, 0x1dd79a4f210aa00n);
  t.is(readWineText(text("[a] 1500000000")).root.subkey("a")?.lastWrite, 131_444_736_000_000_000n);
});

test("of a value that comes twice the last counts", (t) => {
  const { root } = readWineText(text("[a]", '"V"=dword:1', '"b"=""', '"v"=dword:2', "[A]", '"V"=dword:3'));
  t.deepEqual(
    root
      .subkey("a")
      ?.values()
      .map(({ name, data }) => [name, data[0]]),
    [
      ["V", 3],
      ["b", 0],
    ],
  );
});

test("subkeys ascend as Windows orders them, whatever the order in the file", (t) => {
  const { root } = readWineText(text("[b]", "[_a]", "[C]", "[a]", "[B\\\\x]", "[c]"));
  t.deepEqual(
    root.subkeys().map(({ name }) => name),
    ["a", "b", "C", "_a"],
  );
  t.is(root.subkey("B")?.subkeys().length, 1);
});

const bad: readonly (readonly [title: string, line: number, ...lines: string[]])[] = [
  ["a name without an end", 5, "[a]", '"v=dword:1'],
  ["a key's name without an end", 4, "[a"],
  ["a value without =", 5, "[a]", '"v"'],
  ["data of no known form", 5, "[a]", '"v"=word:1'],
  ["a string that ends nowhere", 5, "[a]", '"v"="x\\'],
  ["something behind a value", 5, "[a]", '"v"="x" y'],
  ["bytes that are none", 5, "[a]", '"v"=hex:01,0g'],
  ["a byte of three digits", 5, "[a]", '"v"=hex:012'],
  ["a type of nine digits", 5, "[a]", '"v"=hex(123456789):01'],
  ["a number of nine digits", 5, "[a]", '"v"=dword:123456789'],
  ["a line of another kind", 6, "[a]", "", "hello"],
  ["513 levels", 4, `[${Array(513).fill("a").join("\\\\")}]`],
];

for (const [title, line, ...lines] of bad)
  test(`refuses ${title}, and says where`, (t) => {
    const read = () => told(readWineText(text(...lines)).root);
    t.like(t.throws(read, { code: "HIVE_WINE_TEXT" } as object), { facts: { line } });
  });

test("refuses what does not begin as such a file", (t) => {
  for (const bytes of [Buffer.alloc(0), Buffer.from("REGEDIT4\n"), Buffer.from("WINE REGISTRY Version 3")]) {
    t.false(isWineText(bytes));
    t.throws(() => readWineText(bytes), { code: "HIVE_WINE_TEXT" } as object);
  }
});

test("does not write keys whose names would be paths, nor differencing hives", (t) => {
  for (const name of ["", "a\\b", "\\"]) {
    const root = new KeyTree("");
    root.setSubkey(new KeyTree(name));
    t.throws(() => writeWineText(hiveOf(root), { relativeTo }), { code: "HIVE_NAME" } as object);
  }
  const delta = hiveOf(new KeyTree(""), { differencing: true });
  t.throws(() => writeWineText(delta, { relativeTo }), { code: "HIVE_LAYERED" } as object);
});

function withoutSecurity(key: HiveKey): KeyTree {
  const made = new KeyTree(key.name);
  made.flags = key.flags;
  made.className = key.className;
  for (const value of key.values()) made.setValue(value);
  for (const each of key.subkeys()) made.setSubkey(withoutSecurity(each));
  return made;
}

test("a text in pieces is the text: none of them is larger than the largest value needs", (t) => {
  const root = new KeyTree("");
  for (let i = 0; i < 20_000; i++)
    root.setSubkey(new KeyTree(`key ${i}`)).setValue({ name: "v", type: 4, data: Buffer.alloc(4, i) });
  root.setValue({ name: "large", type: 3, data: Buffer.alloc(700_000, 7) });
  const whole = writeWineText(hiveOf(root), { relativeTo });
  const pieces: Buffer[] = [];
  streamWineText(hiveOf(root), { relativeTo }, (piece) => pieces.push(Buffer.from(piece)));
  t.true(pieces.length > 2);
  t.true(Buffer.concat(pieces).equals(whole));
});
