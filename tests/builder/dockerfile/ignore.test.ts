/** .dockerignore: tables of patterns and paths, after the documented behaviour of moby/patternmatcher. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { findIgnoreFile, type IgnoreDecision, parseIgnore } from "../../../builder/dockerfile/ignore.ts";
import { isWbuildError } from "../../../native/error.ts";

const hidden = (patterns: string, path: string): boolean =>
  parseIgnore(patterns, ".dockerignore").which(path) !== undefined;

/** One pattern, one path. */
const matches: [pattern: string, path: string, isHidden: boolean][] = [
  ["file", "file", true],
  ["file", "a/file", false],
  ["dir", "dir/below/deep", true],
  ["dir/", "dir", true],
  ["dir/", "dir/file", true],
  ["/dir", "dir/file", true],
  ["./dir", "dir/file", true],
  ["a/../dir", "dir", true],
  ["../x", "x", false],
  [".", "x", false],
  ["/", "x", false],
  ["*", "x", true],
  ["*", "x/y", true],
  ["*.go", "a.go", true],
  ["*.go", "d/a.go", false],
  ["*/temp*", "some/temporary.txt", true],
  ["*/temp*", "temp", false],
  ["*/*/temp*", "a/b/temp", true],
  ["temp?", "tempa", true],
  ["temp?", "temp", false],
  ["temp?", "temp/", false],
  ["a?b", "a/b", false],
  ["**", "any/thing", true],
  ["**/", "any/thing", true],
  ["**/file", "file", true],
  ["**/file", "a/b/file", true],
  ["**/file", "a/bfile", false],
  ["**file", "a/bfile", true],
  ["dir/**", "dir/a/b", true],
  ["dir/**", "dir", false],
  ["dir/**", "dirx", false],
  ["a/**/b", "a/b", true],
  ["a/**/b", "a/x/y/b", true],
  ["a/**/b", "a/xb", false],
  ["a/**/b/**", "a/b/c", true],
  ["a**/b", "axyz/b", true],
  ["**/*.txt", "a/b.txt", true],
  ["**/*.txt", "b.txt", true],
  ["**/*.txt", "b.txt/c", true],
  ["**/dir/*.txt", "x/dir/a.txt", true],
  ["**/dir/*.txt", "xdir/a.txt", false],
  ["**/a/**/b/**/c", "a/b/c", true],
  ["**/a/**/b/**/c", "x/a/y/b/z/c", true],
  ["*a*a*a*b", "aaab", true],
  ["*a*a*a*b", "aab", false],
  ["*/**/x*y*", "q/xay", true],
  ["[a-c]x", "bx", true],
  ["[a-c]x", "dx", false],
  ["[^a-c]x", "dx", true],
  ["[^a-c]x", "ax", false],
  ["a[b-d]e/*", "ace/f", true],
  ["[\\]]x", "]x", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "axb", false],
  ["a.b", "axb", false],
  ["a+b(c)|{d}$^", "a+b(c)|{d}$^", true],
  [" spaced \t", "spaced", true],
  ["with space", "with space", true],
  ["#comment", "#comment", false],
  [" #not comment", "#not comment", true],
  ["\\#literal", "#literal", true],
  ["日本*", "日本語", true],
  ["?x", "\u{1d4b3}x", true],
  ["a//b", "a/b", true],
];
for (const [pattern, path, isHidden] of matches) {
  test(`ignore ${JSON.stringify(pattern)} ${isHidden ? "hides" : "keeps"} ${path}`, (t) =>
    t.is(hidden(pattern, path), isHidden));
}

/** Several lines: order and exceptions. */
const orders: [lines: string[], path: string, decision: IgnoreDecision, isDirectory?: boolean][] = [
  [["*.md", "!README.md"], "README.md", "keep"],
  [["*.md", "!README.md"], "other.md", "drop"],
  [["!README.md", "*.md"], "README.md", "drop"],
  [["*.md", "!README*.md", "README-secret.md"], "README-secret.md", "drop"],
  [["*.md", "README-secret.md", "!README*.md"], "README-secret.md", "keep"],
  [["*", "!src"], "src", "keep", true],
  [["*", "!src"], "src/a/b", "keep"],
  [["*", "!src/keep"], "src", "drop", true],
  [["*", "!src/keep"], "src/keep", "keep"],
  [["*", "!src/keep"], "src/other", "drop"],
  [["*", "!src/keep"], "lib", "prune", true],
  [["*", "!src/keep"], "lib/keep", "drop"],
  [["*", "!**/keep"], "lib", "drop", true],
  [["*", "!**/keep"], "lib/deep/keep", "keep"],
  [["node_modules"], "node_modules", "prune", true],
  [["node_modules"], "node_modules/a/b", "drop"],
  [["a/b", "!a/b/c*/d"], "a/b", "drop", true],
  [["a/b", "!a/b/c*/d"], "a/b/x", "drop", true],
  [["a", "!a/b", "a/b/c"], "a/b/d", "keep"],
  [["a", "!a/b", "a/b/c"], "a/b/c/e", "drop"],
  [["a", "! a/b"], "a/b", "keep"],
  [["a", "!/a/b"], "a/b", "keep"],
  [[], "anything", "keep"],
  [["*"], "", "keep", true],
];
for (const [lines, path, decision, isDirectory] of orders) {
  test(`ignore [${lines.join(", ")}] on ${path || "the context"}: ${decision}`, (t) => {
    t.is(parseIgnore(lines.join("\n"), "x").decide(path, isDirectory ?? false), decision);
  });
}

test("the pattern and line that hid a file are told", (t) => {
  const file = parseIgnore("# comment\n\n*.md\n!keep.md\r\nbuild/\n", "x");
  t.deepEqual(file.which("a.md"), { pattern: "*.md", line: 3 });
  t.deepEqual(file.which("build/deep/file"), { pattern: "build", line: 5 });
  t.is(file.which("keep.md"), undefined);
});

const bad: [text: string, line: number][] = [
  ["a\n!", 2],
  ["[a", 1],
  ["[]", 1],
  ["[a-]", 1],
  ["[-a]", 1],
  ["a\\", 1],
  ["ok\n! ", 2],
];
for (const [text, line] of bad) {
  test(`ignore pattern refused: ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(() => parseIgnore(text, "ctx/.dockerignore"));
    t.true(isWbuildError(error, "DF_IGNORE_PATTERN"));
    if (isWbuildError(error)) t.like(error.facts, { line, file: "ctx/.dockerignore" });
  });
}

test("a byte order mark is no part of the first pattern", (t) => t.true(hidden("\ufeffa", "a")));

test("many stars do not hang", (t) => {
  const file = parseIgnore(`${"*a".repeat(200)}b\n${"**/a/".repeat(100)}b\n[^x]*${"a*".repeat(100)}c`, "x");
  t.is(file.decide("a".repeat(4000), false), "keep");
  t.is(file.decide("a/".repeat(1000).slice(0, -1), false), "keep");
});

test("the ignore file of the Dockerfile wins over the context's", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-ignore-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const dockerfile = join(folder, "docker", "Dockerfile.test");
  t.is(await findIgnoreFile(folder, dockerfile), undefined);
  await writeFile(join(folder, ".dockerignore"), "general");
  t.like(await findIgnoreFile(folder, dockerfile), { text: "general", name: join(folder, ".dockerignore") });
  await mkdir(join(folder, "docker"));
  await writeFile(`${dockerfile}.dockerignore`, "special");
  t.like(await findIgnoreFile(folder, dockerfile), { text: "special", name: `${dockerfile}.dockerignore` });
  t.like(await findIgnoreFile(folder), { text: "general" });
});

test("an ignore file that cannot be read is an error, not an empty one", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-ignore-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, ".dockerignore"));
  const error = await t.throwsAsync(findIgnoreFile(folder));
  t.true(isWbuildError(error, "DF_IGNORE_UNREADABLE"));
});
