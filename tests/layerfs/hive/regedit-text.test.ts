/** Registry files of regedit: what they tell, what comes of it, and hives written as such files. */
import test from "ava";
import fc from "fast-check";
import type { Hive, HiveKey, HiveValue } from "../../../layerfs/hive/key.ts";
import { applyEdits, placeEdits, placeOfFile, registryPath } from "../../../layerfs/hive/regedit-edits.ts";
import { readRegeditText } from "../../../layerfs/hive/regedit-text.ts";
import { writeRegeditText } from "../../../layerfs/hive/regedit-write.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import { hex, plainHive, told } from "./trees.ts";

const head = "Windows Registry Editor Version 5.00\r\n\r\n";
const utf16 = (string: string) => Buffer.from(string, "utf16le").toString("hex");
const edits = (text: string) => readRegeditText(Buffer.from(text));
const place = "HKEY_LOCAL_MACHINE\\SOFTWARE";

/** The whole text. */
const written = (...of: Parameters<typeof writeRegeditText>) => Buffer.concat([...writeRegeditText(...of)]);

test("what is written is read again: names, values, types and bytes", (t) => {
  const unit = fc.constantFrom(...'\0\x01\x7f\xff\u0100\ud800[]"\\@=#;\t -hexdword:0aB\r\n');
  const name = fc.string({ unit, maxLength: 6 });
  const value: fc.Arbitrary<HiveValue> = fc.record({
    name,
    type: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(0xffff0007)),
    data: fc.oneof(
      name.map((text) => Buffer.from(`${text}\0`, "utf16le")),
      fc.uint8Array({ maxLength: 70 }),
    ),
  });
  const keyName = name.map((text) => text.replace(/[\\\r\n]/g, "")).filter((text) => text !== "");
  const keys = fc.array(fc.tuple(fc.array(keyName, { minLength: 1, maxLength: 3 }), fc.array(value)), { maxLength: 5 });
  fc.assert(
    fc.property(keys, (all) => {
      const made = applyEdits(
        hiveOf(new KeyTree("")),
        all.map(([path, values]) => ({ path, isDeleted: false, values })),
      );
      const again = readRegeditText(written(made.root, place));
      const elsewhere: unknown[] = [];
      const placed = placeEdits(again, made, "HKLM\\software", (path) => elsewhere.push(path));
      t.deepEqual(told(applyEdits(hiveOf(new KeyTree("")), placed).root), told(made.root));
      t.deepEqual(elsewhere, []);
    }),
    { numRuns: 300 },
  );
});

test("a file is UTF-16 with a mark, with CR LF, and wraps bytes", (t) => {
  const tree = new KeyTree("");
  tree.setValue({ name: "b", type: 3, data: Buffer.alloc(40, 0xab) });
  tree.setValue({ name: "", type: 1, data: Buffer.from('C:\\"x"\0', "utf16le") });
  tree.setValue({ name: "a", type: 4, data: Uint8Array.of(1, 0, 0, 0xff) });
  tree.setSubkey(new KeyTree("Sub]key"));
  const text = written(tree, place).toString("utf16le");
  const many = "ab,".repeat(23);
  t.is(
    text,
    `\ufeff${head}[${place}]\r\n@="C:\\\\\\"x\\""\r\n"a"=dword:ff000001\r\n"b"=hex:${many}\\\r\n  ${"ab,".repeat(16)}ab\r\n\r\n[${place}\\Sub]key]\r\n\r\n`,
  );
});

const lines: readonly (readonly [line: string, name: string, type: number, data: string])[] = [
  ['@="x"', "", 1, utf16("x\0")],
  ['"a b"="\\"\\\\"', "a b", 1, utf16('"\\\0')],
  ['"a"="two\nlines"', "a", 1, utf16("two\nlines\0")],
  ['"a"=dword:0000000a', "a", 4, "0a000000"],
  ['"a" = DWORD:A ; ten', "a", 4, "0a000000"],
  ['"a"=hex:', "a", 3, ""],
  ['"a"=hex:1,02,\\\r\n  03 ; three', "a", 3, "010203"],
  ['"a"=hex(0):', "a", 0, ""],
  ['"a"=hex(2):41,00,00,00', "a", 2, utf16("A\0")],
  ['"a"=hex(7):41,00,00,00,00,00', "a", 7, utf16("A\0\0")],
  ['"a"=hex(b):01,00,00,00,00,00,00,00', "a", 11, "0100000000000000"],
  ['"a"=hex(ffff0007):01', "a", 0xffff0007, "01"],
];

for (const [line, name, type, data] of lines)
  test(`reads ${JSON.stringify(line)}`, (t) => {
    const [edit] = edits(`${head};comment\r\n[HKEY_CURRENT_USER\\A]\r\n${line}\r\n`);
    t.deepEqual(edit?.path, ["HKEY_CURRENT_USER", "A"]);
    t.deepEqual(
      edit?.values.map((value) => [value.name, value.type, hex(value.data)]),
      [[name, type, data]],
    );
  });

test("UTF-16, UTF-8 and the old form in Windows-1252 say the same", (t) => {
  const body = '\n[HKEY_CURRENT_USER\\é]\n"€"="ü"\n';
  const text = `Windows Registry Editor Version 5.00\n${body}`;
  const expected = [["é"], ["€"], [utf16("ü\0")]];
  const ansi = Buffer.from(`REGEDIT4\n${body.replace("€", "\x80")}`, "latin1");
  for (const bytes of [
    Buffer.from(`\ufeff${text}`, "utf16le"),
    Buffer.from(text, "utf16le"),
    Buffer.from(`\ufeff${text}`),
    Buffer.from(text),
    ansi,
  ]) {
    const [edit] = readRegeditText(bytes);
    t.deepEqual(
      [edit?.path.slice(1), edit?.values.map(({ name }) => name), edit?.values.map(({ data }) => hex(data))],
      expected,
    );
  }
  t.throws(() => readRegeditText(Buffer.concat([Buffer.from(head), Buffer.of(0xff)])), {
    code: "HIVE_REGEDIT_TEXT",
  } as object);
});

test("in the old form strings in hexadecimal are Windows-1252", (t) => {
  const [edit] = edits('REGEDIT4\n[HKEY_CURRENT_USER]\n"a"=hex(2):25,80,25,00\n"b"=hex(7):41,00,00\n"c"=hex:25,00\n');
  t.deepEqual(
    edit?.values.map(({ data }) => hex(data)),
    [utf16("%€%\0"), utf16("A\0\0"), "2500"],
  );
});

test("deletions, also of what is not there, and keys begun anew", (t) => {
  const base = hiveOf(new KeyTree(""));
  const before = applyEdits(base, [
    { path: ["a", "b"], isDeleted: false, values: [] },
    { path: ["a"], isDeleted: false, values: [{ name: "v", type: 1, data: Uint8Array.of(0, 0) }] },
    { path: ["c", "d"], isDeleted: false, values: [] },
  ]);
  const after = (text: string) =>
    paths(
      applyEdits(
        before,
        placeEdits(edits(head + text), before, "HKLM\\X", () => {}),
      ).root,
    );
  const key = "HKEY_LOCAL_MACHINE\\X";
  t.deepEqual(after(""), ["a", "a:v", "a\\b", "c", "c\\d"]);
  t.deepEqual(after(`[-${key}\\A]\n`), ["c", "c\\d"]);
  t.deepEqual(after(`[${key}\\a]\n"V"=-\n"none"=-\n`), ["a", "a\\b", "c", "c\\d"]);
  t.deepEqual(after(`[-${key}\\a]\n[${key}\\a\\n]\n"w"=""\n`), ["a", "a\\n", "a\\n:w", "c", "c\\d"]);
  t.deepEqual(after(`[${key}\\a\\n]\n[-${key}\\a\\n]\n[-${key}\\x\\y\\z]\n`), ["a", "a:v", "a\\b", "c", "c\\d"]);
  t.deepEqual(after(`[-${key}\\a]\n[${key}\\a\\b\\q]\n[-${key}\\a\\b]\n`), ["a", "c", "c\\d"]);
  t.deepEqual(after(`[-${key}]\n[${key}\\z]\n`), ["z"]);
  t.deepEqual(after(`[-HKEY_CURRENT_USER\\a]\n[-${key}\\a]\n[-${key}\\a\\b]\n[-${key}\\c]\n`), []);
});

test("CurrentControlSet is the set that the hive selects", (t) => {
  const system = applyEdits(hiveOf(new KeyTree("")), [
    { path: ["Select"], isDeleted: false, values: [{ name: "Current", type: 4, data: Uint8Array.of(2, 0, 0, 0) }] },
  ]);
  const [edit] = placeEdits(
    edits(`${head}[HKLM\\system\\currentcontrolset\\Control]`),
    system,
    "HKLM\\SYSTEM",
    () => {},
  );
  t.deepEqual(edit?.path, ["ControlSet002", "Control"]);
});

test("places of files and short names of root keys", (t) => {
  t.is(placeOfFile("Software_Delta"), place);
  t.is(placeOfFile("NTUSER.DAT"), "HKEY_CURRENT_USER");
  t.is(placeOfFile("constructor"), undefined);
  t.deepEqual(registryPath("\\hklm\\A\\\\b"), ["HKEY_LOCAL_MACHINE", "A", "b"]);
});

const bad: readonly (readonly [title: string, line: number, text: string])[] = [
  ["another first line", 1, "hello"],
  ["a key without a bracket", 3, `${head}[HKEY_USERS`],
  ["a key without a name", 3, `${head}[]`],
  ["a value before any key", 3, `${head}"a"=""`],
  ["a value of a deleted key", 4, `${head}[-HKEY_USERS\\a]\n"a"=""`],
  ["a value without =", 4, `${head}[HKEY_USERS]\n"a"`],
  ["data of no known form", 4, `${head}[HKEY_USERS]\n"a"=qword:1`],
  ["a string without an end", 4, `${head}[HKEY_USERS]\n"a"="b`],
  ["a single backslash", 4, `${head}[HKEY_USERS]\n"a"="C:\\new"`],
  ["bytes that are none", 4, `${head}[HKEY_USERS]\n"a"=hex:01,0g`],
  ["something behind a value", 4, `${head}[HKEY_USERS]\n"a"="b" c`],
  ["nine digits", 4, `${head}[HKEY_USERS]\n"a"=dword:123456789`],
  ["513 levels", 3, `${head}[${"a\\".repeat(513)}]`],
];

for (const [title, line, text] of bad)
  test(`refuses ${title}, and says where`, (t) => {
    t.like(
      t.throws(() => edits(text), { code: "HIVE_REGEDIT_TEXT" } as object),
      { facts: { line } },
    );
  });

test("deletions of a differencing hive are told as such", (t) => {
  const root = new KeyTree("");
  root.setSubkey(new KeyTree("gone")).layer = "tombstone";
  const anew = root.setSubkey(new KeyTree("anew"));
  anew.layer = "supersede-tree";
  anew.setSubkey(new KeyTree("below")).layer = "supersede-tree";
  root.setValue({ name: "v", type: 0, data: new Uint8Array(0), tombstone: true });
  const text = written(root, "K").toString("utf16le");
  t.deepEqual(
    text
      .split("\r\n")
      .filter((line) => line !== "")
      .slice(1),
    ["[K]", '"v"=-', "[-K\\anew]", "[K\\anew]", "[K\\anew\\below]", "[-K\\gone]"],
  );
  root.setSubkey(new KeyTree("local")).layer = "supersede-local";
  t.throws(() => written(root, "K"), { code: "HIVE_LAYERED" } as object);
});

test("keys whose names would be other lines are refused", (t) => {
  for (const name of ["", "a\\b", "x]\r\n[-HKEY_LOCAL_MACHINE"]) {
    const root = new KeyTree("");
    root.setSubkey(new KeyTree(name));
    t.throws(() => written(root, "K"), { code: "HIVE_NAME" } as object);
  }
});

test("applying what a hive says of itself changes nothing", (t) => {
  fc.assert(
    fc.property(plainHive, (hive: Hive) => {
      const placed = placeEdits(readRegeditText(written(hive.root, place)), hive, place, () => {});
      t.deepEqual(told(applyEdits(hive, placed).root), told(hive.root));
    }),
    { numRuns: 100 },
  );
});

function paths(key: HiveKey, path = ""): readonly string[] {
  const values = key.values().map(({ name }) => `${path}:${name}`);
  return [
    ...values,
    ...key.subkeys().flatMap((below) => {
      const own = path === "" ? below.name : `${path}\\${below.name}`;
      return [own, ...paths(below, own)];
    }),
  ];
}
