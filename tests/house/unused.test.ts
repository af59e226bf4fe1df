import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { importsOf, read, sourceFiles, top } from "./sources.ts";

const product = sourceFiles(".ts");
const tests = readdirSync(join(top, "tests"), { recursive: true })
  .map((name) => `tests/${String(name)}`)
  .filter((name) => name.endsWith(".ts"));
const texts = new Map([...product, ...sourceFiles(".mjs"), ...tests].map((file) => [file, read(file)]));

/** file → the words of all files that import it. */
const words = new Map<string, Set<string>>();
for (const [file, text] of texts)
  for (const imported of importsOf(file, text)) {
    const known = words.get(imported) ?? new Set();
    for (const [word] of text.matchAll(/\w+/g)) known.add(word);
    words.set(imported, known);
  }

// Types and classes may be exported for what they say alone: who calls a function need not name what it takes and gives.
test("what a file exports, another one uses", (t) => {
  const unused = [...product, ...tests].flatMap((file) =>
    [...(texts.get(file) ?? "").matchAll(/^export (?:async )?(?:function\*?|const|let) (\w+)/gm)]
      .map(([, name = ""]) => name)
      .filter((name) => !words.get(file)?.has(name))
      .map((name) => `${file}: ${name}`),
  );
  t.deepEqual(unused, []);
});

test("every package that the program needs is imported, and docs/dependencies.md says why", (t) => {
  const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };
  const page = read("docs/dependencies.md");
  for (const name of Object.keys(dependencies)) {
    t.true(
      product.some((file) => texts.get(file)?.includes(`"${name}`)),
      `nothing imports ${name}`,
    );
    t.true(page.includes(name), `docs/dependencies.md has no row for ${name}`);
  }
});
