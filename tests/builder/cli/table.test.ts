import test from "ava";
import fc from "fast-check";
import { json, table } from "../../../builder/cli/table.ts";

test("JSON is indented, ends its line, and has nothing in it that a terminal obeys", (t) => {
  t.is(json({ a: [1] }), '{\n  "a": [\n    1\n  ]\n}\n');
  const hostile = "\u001b]0;x\u0007 \u009b31m \u007f \u202etxt.exe \u2028";
  t.is(json(hostile), '"\\u001b]0;x\\u0007 \\u009b31m \\u007f \\u202etxt.exe \\u2028"\n');
});

test("whatever is printed as JSON is read back as it was", (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
      const text = json(value);
      t.notRegex(text, /[^\P{Cc}\n]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
      t.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("a table's cells are one line each", (t) => {
  t.is(table(["A", "B"], [["x\ny", "\u001b[2Jz"]]), "A         B\nx y       z\n");
});
