/** Registry files of regedit come from anywhere: any bytes are refused by name or give edits that can be carried out. */
import test from "ava";
import fc from "fast-check";
import { applyEdits } from "../../layerfs/hive/regedit-edits.ts";
import { readRegeditText } from "../../layerfs/hive/regedit-text.ts";
import { writeRegeditText } from "../../layerfs/hive/regedit-write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";

const head = "Windows Registry Editor Version 5.00\r\n\r\n";
const sample = `${head}[HKEY_LOCAL_MACHINE\\SOFTWARE\\A]\r\n@="x"\r\n"n\\\\"=hex(7):61,00,00,00,\\\r\n  00,00\r\n"d"=dword:0000000a\r\n"v"=-\r\n\r\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\B]\r\n`;
const piece = fc.constantFrom(
  ...[
    "[",
    "]",
    "[-",
    "\\",
    '"',
    "=",
    "=-",
    "\r\n",
    "\n",
    "hex:",
    "hex(2):",
    "dword:",
    "@",
    ",",
    ";",
    "a",
    "B",
    "0f",
    "é",
    "\0",
  ],
  ...["[HKLM\\a]\n", "[-HKLM\\a]\n", "[HKLM\\a\\b]\n", '"v"=""\n', "REGEDIT4\n"],
);
const text = fc.oneof(
  fc
    .tuple(fc.constantFrom(head, "REGEDIT4\n"), fc.array(piece, { maxLength: 50 }))
    .map(([first, all]) => first + all.join("")),
  fc
    .array(fc.record({ at: fc.nat(sample.length), cut: fc.nat(6), add: piece }), { minLength: 1, maxLength: 5 })
    .map((changes) => changes.reduce((all, { at, cut, add }) => all.slice(0, at) + add + all.slice(at + cut), sample)),
);
const bytes = fc.oneof(
  text.map((each) => Buffer.from(each)),
  text.map((each) => Buffer.from(`\ufeff${each}`, "utf16le")),
  text.map((each) => Buffer.from(each, "latin1")),
  fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each)),
);

/** The whole text. */
const written = (...of: Parameters<typeof writeRegeditText>) => Buffer.concat([...writeRegeditText(...of)]);

test("any bytes are refused by name, or what they tell is carried out, written and read the same", (t) => {
  holds(
    t,
    fc.property(bytes, (raw) => {
      try {
        const made = applyEdits(hiveOf(new KeyTree("")), readRegeditText(raw));
        const first = written(made.root, "HKEY_USERS\\x");
        const [, ...again] = readRegeditText(first).map((edit) => ({ ...edit, path: edit.path.slice(2) }));
        const root = new KeyTree("");
        for (const value of made.root.values()) root.setValue(value);
        const copy = applyEdits(hiveOf(root), again);
        return Buffer.compare(written(copy.root, "HKEY_USERS\\x"), first) === 0;
      } catch (error) {
        if (!isWbuildError(error, "HIVE_REGEDIT_TEXT") && !isWbuildError(error, "HIVE_NAME")) throw error;
        return true;
      }
    }),
    { numRuns: 5000 },
  );
});

test("long strings of escapes, long lines and many sections are read in linear time", (t) => {
  const long = `${head}[HKLM\\a]\n"v"="${'\\"'.repeat(500_000)}"\n"w"=hex:${"01,".repeat(500_000)}00\n`;
  t.is(readRegeditText(Buffer.from(long))[0]?.values.length, 2);
  const many = `${head}${"[HKLM\\a\\b]\n[-HKLM\\a]\n".repeat(30_000)}`;
  t.deepEqual(applyEdits(hiveOf(new KeyTree("")), readRegeditText(Buffer.from(many))).root.subkeys().length, 1);
});
