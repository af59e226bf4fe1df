import { existsSync, readFileSync } from "node:fs";
import test from "ava";
import { compareNames, sameName, upcase, upcaseUnit } from "../../../layerfs/hive/upcase.ts";
import { testUnless } from "../../doubles/test-unless.ts";

const cases: readonly [name: string, upper: string][] = [
  ["", ""],
  ["Software", "SOFTWARE"],
  ["{78c34fc8}_`~", "{78C34FC8}_`~"],
  ["Café", "CAFÉ"],
  // Never longer: ß, ŉ, ﬁ and ΐ have capitals of several letters elsewhere.
  ["straße ŉ ﬁ ΐ", "STRAßE ŉ ﬁ ΐ"],
  // Capitals that belong to another letter.
  ["µ ı ſ ς ϐ ǅ", "µ ı ſ ς ϐ ǅ"],
  ["ÿ ǆ σ ᾳ", "Ÿ Ǆ Σ ᾼ"],
  // No surrogate pairs: 𐐨 stays.
  ["\u{10428}", "\u{10428}"],
  ["\ud800a", "\ud800A"],
];

for (const [name, upper] of cases) {
  test(`upcase: ${JSON.stringify(name)} compares as ${JSON.stringify(upper)}`, (t) => {
    t.is(upcase(name), upper);
    t.is(compareNames(name, upper), 0);
    t.true(sameName(name, upper));
  });
}

test("names are in order by upper-cased units, the shorter first", (t) => {
  const names = ["b", "_", "A1", "a", "B0", "", "é", "z", "É0", "[", "a\0"];
  t.deepEqual(names.sort(compareNames), ["", "a", "a\0", "A1", "b", "B0", "z", "[", "_", "é", "É0"]);
  t.false(sameName("a", "a\0"));
  t.false(sameName("ab", "aB\0"));
});

const nls = "/usr/share/wine/nls/l_intl.nls";
const withWine = testUnless(existsSync(nls) ? undefined : "no l_intl.nls of Wine's on this host");

withWine("the table is Wine's, unit by unit", (t) => {
  const file = readFileSync(nls);
  const words = new Uint16Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
  // Two words of header, then differences behind two levels of index.
  const at = (index: number) => words[2 + index] ?? 0;
  const differing: string[] = [];
  for (let unit = 0; unit < 0x1_0000; unit++) {
    const upper = (unit + at(at(at(unit >> 8) + ((unit >> 4) & 15)) + (unit & 15))) & 0xffff;
    if (upper !== upcaseUnit(unit))
      differing.push(`${unit.toString(16)}: ${upcaseUnit(unit).toString(16)}, Wine ${upper.toString(16)}`);
  }
  t.deepEqual(differing, []);
});
