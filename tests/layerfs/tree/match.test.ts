/** Wildcards as Go's filepath.Match has them; most rows are what Go's own documentation says. */
import test from "ava";
import { matchName, matchPaths } from "../../../layerfs/tree/match.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import { isWbuildError } from "../../../native/error.ts";
import { layerOf, parseChanges } from "./files.ts";

const rows: [pattern: string, name: string, matches: boolean | "bad"][] = [
  ["abc", "abc", true],
  ["abc", "abcd", false],
  ["*", "abc", true],
  ["*", ".hidden", true],
  ["*", "", true],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*b*c*d", "axbxcxd", true],
  ["a*b*c*d", "axbxcx", false],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["[!a]", "!", true],
  ["[!a]", "b", false],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a??b", "a😀b", false],
  ["a?b", "a😀b", true],
  ["[a-ζ]*", "α", true],
  ["[\\]a]", "]", true],
  ["[\\-]", "-", true],
  ["[x\\-]", "-", true],
  ["[\\-x]", "x", true],
  ["**", "ab", true],
  ["]", "]", true],
  ["a-z", "a-z", true],
  ["[", "a", "bad"],
  ["[^", "a", "bad"],
  ["[^bc", "a", "bad"],
  ["[]a]", "]", "bad"],
  ["[-]", "-", "bad"],
  ["[x-]", "x", "bad"],
  ["[-x]", "x", "bad"],
  ["[a-b-c]", "a", "bad"],
  ["\\", "a", "bad"],
  ["a\\", "a", "bad"],
  ["[\\", "a", "bad"],
];
for (const [pattern, name, expected] of rows) {
  test(`match: ${pattern} on ${JSON.stringify(name)}: ${expected}`, (t) => {
    if (expected !== "bad") return t.is(matchName(pattern, name), expected);
    const error = t.throws(() => matchName(pattern, name));
    return t.true(isWbuildError(error, "TREE_PATTERN"), String(error));
  });
}

test("match: a hostile pattern costs no more than it is long", (t) => {
  t.false(matchName("a*".repeat(200), "a".repeat(4000).concat("b").slice(0, 150).concat("c")));
});

const files = [
  "set a.txt file 1",
  "set b.txt file 2",
  "set c[1].txt file 3",
  "set link symlink src",
  "set src directory",
  "set src/one directory",
  "set src/one/x.c file 4",
  "set src/one/y.h file 5",
  "set src/two directory",
  "set src/two/x.c file 6",
  "set src/way symlink one",
];
const searches: [pattern: string, found: string[]][] = [
  ["*.txt", ["a.txt", "b.txt", "c[1].txt"]],
  ["[ab].txt", ["a.txt", "b.txt"]],
  ["c\\[1\\].txt", ["c[1].txt"]],
  ["src/*/x.c", ["src/one/x.c", "src/two/x.c"]],
  ["*/*", ["src/one", "src/two", "src/way"]],
  ["*/*/*", ["src/one/x.c", "src/one/y.h", "src/two/x.c"]],
  ["link/*", ["link/one", "link/two", "link/way"]],
  ["link/one/*.h", ["link/one/y.h"]],
  ["./src//t*", ["src/two"]],
  ["src/**", ["src/one", "src/two", "src/way"]],
  ["none/*", []],
  ["a.txt/*", []],
  ["*.md", []],
  ["s?c", ["src"]],
];
for (const [pattern, found] of searches) {
  test(`matchPaths: ${pattern}`, async (t) => {
    t.deepEqual(await matchPaths(await stackTree([layerOf(parseChanges(files))]), pattern), found);
  });
}

test("matchPaths: with folded names a pattern matches every spelling, and gives them as they are", async (t) => {
  const tree = await stackTree([layerOf(parseChanges(files))]);
  const upper = (name: string) => name.toUpperCase();
  t.deepEqual(await matchPaths(tree, "[AB].TXT", upper), ["a.txt", "b.txt"]);
  t.deepEqual(await matchPaths(tree, "s?C", upper), ["src"]);
  t.deepEqual(await matchPaths(tree, "*.TXT"), []);
});
