/** Bake and Compose files of whoever: any text comes to targets or to an error of ours, within bounds. */
import test from "ava";
import fc from "fast-check";
import { readBake } from "../../builder/bake/files.ts";
import { resolve } from "../../builder/bake/resolve.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";

async function takes(name: string, text: string): Promise<boolean> {
  try {
    const { definition } = await readBake([{ name, text }], { env: {}, given: {}, builtIn: {} });
    for (const target of definition.targets.keys()) resolve(definition, [target], []);
    return true;
  } catch (error) {
    if (isWbuildError(error)) return true;
    throw error;
  }
}

const words = [
  ...["target", "group", "variable", "function", "default", "matrix", "name", "inherits", "tags", "args", "context"],
  ...[
    "=",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ":",
    ".",
    "?",
    "!",
    "+",
    "*",
    "&&",
    "=>",
    "...",
    "\n",
    " ",
    '"',
    "$",
    "${",
    "%{",
    "}",
    "<<E\n",
    "E\n",
  ],
  ...[
    "for",
    "in",
    "if",
    "endif",
    "endfor",
    "null",
    "true",
    "1",
    "1e9",
    "x",
    "range",
    "upper",
    "format",
    "target.x.tags",
    "\\",
    "\\u0000",
    "ü",
  ],
];
const hcl = fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((all) => all.join(" "));
const block = fc
  .tuple(fc.constantFrom("target", "group", "variable", "function"), fc.constantFrom("default", "a", "b"), hcl)
  .map(([kind, name, body]) => `${kind} "${name}" {\n  ${body.replaceAll("\n", "\n  ")}\n}\n`);

test("any HCL", async (t) => {
  await holds(
    t,
    fc.asyncProperty(
      fc.oneof(
        hcl,
        fc.array(block, { maxLength: 4 }).map((all) => all.join("\n")),
      ),
      (text) => takes("docker-bake.hcl", text),
    ),
    { numRuns: 400 },
  );
});

test("any JSON", async (t) => {
  const value = fc.jsonValue({ maxDepth: 4 });
  const file = fc.oneof(
    value,
    fc.dictionary(
      fc.constantFrom("target", "group", "variable", "function", "x"),
      fc.dictionary(fc.string({ maxLength: 5 }), value, { maxKeys: 3 }),
    ),
  );
  await holds(
    t,
    fc.asyncProperty(file, (content) => takes("docker-bake.json", JSON.stringify(content))),
    { numRuns: 400 },
  );
});

test("any Compose file", async (t) => {
  const service = fc.dictionary(
    fc.constantFrom("build", "image", "environment"),
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constant("$" + "{A:-b}"), fc.string()),
  );
  const file = fc.dictionary(
    fc.constantFrom("services", "secrets"),
    fc.dictionary(fc.string({ maxLength: 4 }), fc.oneof(service, fc.jsonValue({ maxDepth: 2 })), { maxKeys: 3 }),
  );
  const text = fc.oneof(
    fc.string(),
    file.map((content) => JSON.stringify(content)),
    fc
      .array(fc.constantFrom("services:\n", "  a:\n", "    build: .\n", "- ", "&a ", "*a ", "<<: ", "? ", "|\n", "\t"))
      .map((all) => all.join("")),
  );
  await holds(
    t,
    fc.asyncProperty(text, (content) => takes("compose.yaml", content)),
    { numRuns: 400 },
  );
});

test("aliases that grow a small text to gigabytes are refused", async (t) => {
  const levels = Array.from(
    { length: 12 },
    (_, i) =>
      `x${i}: &x${i} [${Array(10)
        .fill(i === 0 ? "lol" : `*x${i - 1}`)
        .join(", ")}]`,
  );
  const error = await readBake([{ name: "compose.yaml", text: `${levels.join("\n")}\n` }], {
    env: {},
    given: {},
    builtIn: {},
  }).catch((thrown: unknown) => thrown);
  t.like(error, { code: "BAKE_SYNTAX" });
});
