/** Word expansion: one table of word, variables and what comes out. */
import test from "ava";
import { expandWord, expandWords } from "../../../builder/dockerfile/words.ts";
import { isWbuildError } from "../../../native/error.ts";

const span = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
const values: Record<string, string> = {
  A: "one",
  B: "two words",
  EMPTY: "",
  P: "/usr/local/bin/tool.tar.gz",
  N: "aXbXc",
  Ü: "umlaut",
  _u: "under",
  Q: 'it\'s "quoted"',
};
const lookup = (name: string) => values[name];
const expand = (text: string, escapeChar = "\\") => expandWord({ text, span }, lookup, escapeChar);

/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are Dockerfile words. */
const cases: [word: string, expected: string][] = [
  ["plain", "plain"],
  ["", ""],
  ["$A", "one"],
  ["${A}", "one"],
  ["x${A}y$A/z", "xoney" + "one/z"],
  ["$A-$B", "one-two words"],
  ["$UNSET", ""],
  ["a${UNSET}b", "ab"],
  ["\\$A", "$A"],
  ["\\${A}", "${A}"],
  ["\\\\$A", "\\one"],
  ["a\\ b", "a b"],
  ["\\a", "a"],
  ["end\\", "end"],
  ["'$A'", "$A"],
  ["'a\\'", "a\\"],
  ['"$A"', "one"],
  ['"a\\"b"', 'a"b'],
  ['"\\$A"', "$A"],
  ['"\\a\\\\"', "\\a\\"],
  ["\"'$A'\"", "'one'"],
  ["a'b'\"c\"d", "abcd"],
  ['""', ""],
  ["$Q", 'it\'s "quoted"'],
  ["${A:-x}", "one"],
  ["${UNSET:-x}", "x"],
  ["${EMPTY:-x}", "x"],
  ["${EMPTY-x}", ""],
  ["${UNSET-x}", "x"],
  ["${A:+x}", "x"],
  ["${UNSET:+x}", ""],
  ["${EMPTY:+x}", ""],
  ["${EMPTY+x}", "x"],
  ["${UNSET+x}", ""],
  ["${A:?no}", "one"],
  ["${A?no}", "one"],
  ["${EMPTY?no}", ""],
  ["${UNSET:-}", ""],
  ["${UNSET:-$A}", "one"],
  ["${UNSET:-${EMPTY:-${A}}}", "one"],
  ['${UNSET:-"a }b"}', "a }b"],
  ["${UNSET:-a\\}b}", "a}b"],
  ["${UNSET:-'$A'}", "$A"],
  ["${P#*/}", "usr/local/bin/tool.tar.gz"],
  ["${P##*/}", "tool.tar.gz"],
  ["${P%.*}", "/usr/local/bin/tool.tar"],
  ["${P%%.*}", "/usr/local/bin/tool"],
  ["${P%/*}", "/usr/local/bin"],
  ["${P#x}", "/usr/local/bin/tool.tar.gz"],
  ["${A#o?}", "e"],
  ["${N/X/-}", "a-bXc"],
  ["${N//X/-}", "a-b-c"],
  ["${N/X*/}", "a"],
  ["${N//?/.}", "....."],
  ["${P//\\//:}", ":usr:local:bin:tool.tar.gz"],
  ["${UNSET/a/b}", ""],
  ["${UNSET#a}", ""],
  ["$", "$"],
  ["a$", "a$"],
  ["$ A", "$ A"],
  ["$/x", "$/x"],
  ["$1", ""],
  ["$10x", "x"],
  ["$@", ""],
  ["$$", ""],
  ["$Ü", "umlaut"],
  ["$_u", "under"],
  ["c:\\new", "c:new"],
  ["日本$A", "日本one"],
  ["\u{1d4b3}$A", "\u{1d4b3}one"],
];
for (const [word, expected] of cases) test(`word ${JSON.stringify(word)}`, (t) => t.is(expand(word), expected));

const backtick: [word: string, expected: string][] = [
  ["c:\\new", "c:\\new"],
  ["`$A", "$A"],
  ['"a`"b\\"', 'a"b\\'],
  ["\\$A", "\\one"],
];
for (const [word, expected] of backtick) {
  test(`word with backtick escape ${JSON.stringify(word)}`, (t) => t.is(expand(word, "`"), expected));
}

const bad: [word: string, message: RegExp][] = [
  ["'open", /' is not closed/],
  ['"open', /" is not closed/],
  ["${A", /not closed by \}/],
  ["${", /not closed by \}/],
  ["${}", /not followed by a name/],
  ["${:x}", /not followed by a name/],
  ["${{A}}", /not followed by a name/],
  ["${A:x}", /no known form/],
  ["${A:#o}", /no known form/],
  ["${A:%o}", /no known form/],
  ["${A!x}", /no known form/],
  ["${A:", /no known form/],
  ["${UNSET:-x", /not closed by \}/],
  ["${UNSET:?}", /UNSET: is not set/],
  ["${EMPTY:?}", /EMPTY: is empty/],
  ["${UNSET?give one}", /UNSET: give one/],
  ["${A/x}", /second \//],
  ["${A#\\q}", /cannot be used/],
  ["${UNSET:-".repeat(200), /too many braces/],
];
for (const [word, message] of bad) {
  test(`word refused ${JSON.stringify(word.slice(0, 40))}`, (t) => {
    const error = t.throws(() => expand(word));
    t.true(isWbuildError(error, "DF_EXPANSION"));
    t.regex(error?.message ?? "", message);
    t.deepEqual(isWbuildError(error) ? error.facts.span : undefined, span);
  });
}

const lists: [word: string, expected: string[]][] = [
  ["80 443", ["80", "443"]],
  ["$B", ["two", "words"]],
  ['"$B"', ["two words"]],
  ["a\\ b c", ["a b", "c"]],
  ["  x  ", ["x"]],
  ["$EMPTY", []],
  ["a$B", ["atwo", "words"]],
];
for (const [word, expected] of lists) {
  test(`words ${JSON.stringify(word)}`, (t) => t.deepEqual(expandWords({ text: word, span }, lookup, "\\"), expected));
}

test("an expansion that doubles over and over is stopped", (t) => {
  const big = "x".repeat(600_000);
  const error = t.throws(() => expandWord({ text: "$A$A", span }, () => big, "\\"));
  t.regex(error?.message ?? "", /1 MiB/);
});

test("a hostile pattern does not hang", (t) => {
  const value = "a".repeat(5000);
  const pattern = "*a".repeat(1000);
  t.is(
    expandWord({ text: `\${A#${pattern}b}`, span }, () => value, "\\"),
    value,
  );
});
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above. */
