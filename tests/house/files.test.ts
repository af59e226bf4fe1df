import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "ava";
import { read, sourceFiles, top } from "./sources.ts";

const product = sourceFiles(".ts", ".mjs", ".c", ".h", ".cc", ".hh");

test("no source file and no test has 400 lines or more", (t) => {
  const tests = readdirSync(join(top, "tests"), { recursive: true }).map((name) => `tests/${String(name)}`);
  const long = [...product, ...tests.filter((name) => name.endsWith(".ts"))]
    .map((file) => [file, read(file).split("\n").length] as const)
    .filter(([, lines]) => lines >= 400);
  t.deepEqual(long, []);
});

test("every source file begins with a comment that says what it is for", (t) => {
  t.deepEqual(
    product.filter((file) => !/^(#!.*\n)?(\/\/ biome-ignore.*\n)*\s*(\/\*|\/\/)/.test(read(file))),
    [],
  );
});

test("no folder or file is called after nothing", (t) => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|shared|stuff|index)(\/|\.ts$)/;
  t.deepEqual(
    product.filter((file) => vague.test(file)),
    [],
  );
});

test("a file that a comment or a page names is there", (t) => {
  const all = ["builder", "layerfs", "registry", "native", "tests", "docs", "samples", ".github"].flatMap((folder) =>
    readdirSync(join(top, folder), { recursive: true }).map((name) => basename(String(name))),
  );
  const known = new Set([...all, ...readdirSync(top)]);
  const pages = ["ARCHITECTURE.md", "CONTRIBUTING.md", "native/sandbox/README.md", "native/wine/README.md"];
  const comment = /\/\*[\s\S]*?\*\/|\/\/ .*/g;
  const lost = [...product, ...pages].flatMap((file) => {
    const told = file.endsWith(".md") ? [read(file)] : (read(file).match(comment) ?? []);
    return told
      .flatMap((text) => text.match(/(?<![\w.*-])[\w-]+(?:\.[\w-]+)*\.(?:ts|mjs|cjs|cc|hh|c|S)(?![\w-])/g) ?? [])
      .filter((name) => !known.has(name))
      .map((name) => `${file}: ${name}`);
  });
  t.deepEqual(lost, []);
});

test("nothing is left to do in the sources", (t) => {
  const marks = new RegExp(`\\b(${["TO", "DO"].join("")}|${["FIX", "ME"].join("")}|${["X", "XX"].join("")})\\b`);
  t.deepEqual(
    product.filter((file) => marks.test(read(file))),
    [],
  );
});

test("only main.ts ends the process", (t) => {
  const enders = sourceFiles(".ts").filter((file) => /process\.(exit\(|exitCode\s*=|abort\()/.test(read(file)));
  t.deepEqual(enders, ["builder/cli/main.ts"]);
});

test("every test file tests something", (t) => {
  const tests = readdirSync(join(top, "tests"), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".test.ts"));
  t.deepEqual(
    tests.filter(
      (name) => !/\btest(Unless|WithPeers)?\b|^windows\(/m.test(readFileSync(join(top, "tests", name), "utf8")),
    ),
    [],
  );
});

test("no test is skipped without saying why", (t) => {
  const tests = readdirSync(join(top, "tests"), { recursive: true }).map(String);
  t.deepEqual(
    tests.filter((name) => name.endsWith(".test.ts") && /\btest(\.\w+)*\.skip\b/.test(read(`tests/${name}`))),
    [],
    "tests/doubles/test-unless.ts skips, and puts the reason into the title",
  );
});
