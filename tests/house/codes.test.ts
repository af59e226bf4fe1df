import test from "ava";
import { codes } from "../../builder/explain/codes.ts";
import { valueTypes } from "../../layerfs/hive/key.ts";
import { goldenFile } from "../doubles/golden.ts";
import { codesPage } from "./codes-page.ts";
import { read, sourceFiles } from "./sources.ts";

const literal = /["'`]((?:DF|CTX|STEP|STORE|LAYER|TREE|REG|BOX|IMG|CLI|HIVE|WIN|BAKE|CACHE)_[A-Z0-9_]+)["'`]/g;

/** code → files that throw it, or look for it. */
const used = new Map<string, string[]>();
for (const file of sourceFiles(".ts", ".c", ".h", ".cc", ".hh")) {
  if (file.startsWith("builder/explain/")) continue;
  // Windows' names for types of registry values look like codes of the registry's room.
  for (const [, code = ""] of read(file).matchAll(literal))
    if (!(valueTypes as readonly string[]).includes(code)) used.set(code, [...(used.get(code) ?? []), file]);
}

test("every code in the sources has a row in the table", (t) => {
  const missing = [...used]
    .filter(([code]) => !Object.hasOwn(codes, code))
    .map(([code, files]) => `${code}: ${files[0]}`);
  t.deepEqual(missing, []);
});

test("every row of the table is a code in the sources", (t) => {
  t.deepEqual(
    Object.keys(codes).filter((code) => !used.has(code)),
    [],
  );
});

test("every row has an exit code and a title in the house's style", (t) => {
  for (const [code, { exit, title, hint }] of Object.entries(codes)) {
    t.true(exit >= 1 && exit <= 4, code);
    t.notRegex(title, /^(A|An|The|There|What|This) |\.$/, `${code}: no capital, no full stop`);
    if (hint !== undefined) t.notRegex(hint, /\.$/, `${code}: no full stop`);
  }
});

test("docs/errors/README.md is generated from the table", (t) => goldenFile(t, "docs/errors/README.md", codesPage()));
