import test from "ava";
import { chainOf, explain } from "../../../builder/explain/explain.ts";
import type { ExitCode } from "../../../builder/explain/row.ts";
import { WbuildError } from "../../../native/error.ts";
import { golden } from "../../doubles/golden.ts";

const options = { debug: false, colours: false, version: "VERSION" };
const source = { name: "Dockerfile", text: "FROM scratch\nRUNN make\nCMD x\n" };
const span = { start: { line: 2, column: 1 }, end: { line: 2, column: 5 } };

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code, syscall: "open", errno: -1 });
}

const cases: readonly (readonly [name: string, error: unknown, exit: ExitCode])[] = [
  ["usage", new WbuildError("CLI_USAGE", "wbuild tag needs IMAGE NAME", { hint: "for example `wbuild tag a b`" }), 2],
  ["hint of the table", new WbuildError("REG_TLS", "the certificate of r.example.com is not trusted"), 3],
  [
    "a place in a Dockerfile",
    new WbuildError("DF_UNKNOWN_INSTRUCTION", "there is no instruction RUNN", {
      facts: { span, source },
      hint: "did you mean RUN?",
    }),
    2,
  ],
  [
    "a failed step with its output",
    new WbuildError("STEP_EXIT", 'process "make" did not complete: exit code 2', {
      facts: { span, source, ranMs: 1234, output: ["cc -c a.c", "\x1b[31ma.c:1: error\x1b[0m", ""] },
    }),
    1,
  ],
  [
    "causes, one a line, none twice",
    new WbuildError("REG_FETCH", "cannot fetch a layer of alpine", {
      cause: new WbuildError("REG_UNREACHABLE", "cannot reach r.example.com", {
        cause: new Error("connect ECONNREFUSED 127.0.0.1:1", { cause: new Error("cannot reach r.example.com") }),
      }),
    }),
    3,
  ],
  ["several at once", new AggregateError([new WbuildError("STEP_USER", "there is no user bob")], "two failed"), 1],
  ["the operating system", withCode("ENOSPC", "ENOSPC: no space left on device, open '/x'"), 4],
  ["text of a hostile image", new WbuildError("IMG_LAYERS", "bad name a\x1b[2J\nb\u202e"), 1],
];
for (const [name, error, exit] of cases)
  test(`explains ${name}`, (t) => {
    const told = explain(error, options);
    t.is(told.exit, exit);
    golden(t, `explain/${name.replaceAll(/[^a-z]+/g, "-")}.txt`, told.text);
  });

test("what nobody expected is a bug, with the line to report", (t) => {
  const { exit, text } = explain(new TypeError("x is not a function"), options);
  t.is(exit, 4);
  t.regex(text, /^internal error: x is not a function\n {2}this is a bug in wbuild/);
  t.regex(text, /wbuild VERSION, node \d+\.\d+\.\d+, TypeError: x is not a function at /);
  t.notRegex(text, /\n\s+at .*\n\s+at /, "no stack without --debug");
});

for (const thrown of [undefined, null, "text", 7, {}])
  test(`explains even a thrown ${JSON.stringify(thrown)}`, (t) => {
    t.is(explain(thrown, options).exit, 4);
  });

test("--debug adds the stacks of the whole chain", (t) => {
  const error = new WbuildError("IMG_LAYERS", "outer", { cause: new Error("inner") });
  const { text } = explain(error, { ...options, debug: true });
  t.regex(text, /WbuildError: outer\n\s+at /);
  t.regex(text, /caused by Error: inner\n\s+at /);
});

test("a chain of causes that is a circle ends", (t) => {
  const a = new Error("a");
  a.cause = new Error("b", { cause: a });
  t.is(chainOf(a).length, 2);
});

test("an error with a code that the table does not have still has an exit code", (t) => {
  t.is(explain(new WbuildError("REG_FROM_THE_FUTURE", "x"), options).exit, 4);
});

test("what fails while things are put away does not hide the failure before it", (t) => {
  const first = new WbuildError("STEP_EXIT", "a step failed");
  // As `await using` makes it; Node 20 has no such class.
  const both = Object.assign(new Error("An error was suppressed during disposal"), {
    name: "SuppressedError",
    suppressed: first,
    error: new Error("database or disk is full"),
  });
  t.is(explain(both, options).exit, 1);
  t.deepEqual(chainOf(both), [first]);
});

for (const [what, error, exit] of [
  ["an archive", new WbuildError("REG_ARCHIVE_TARGET", "x", { facts: { errno: "ENOSPC" } }), 4],
  ["a hive", new WbuildError("HIVE_FILE", "x", { cause: withCode("EDQUOT", "quota") }), 4],
  ["native code's file", new WbuildError("CACHE_EXPORT", "x", { facts: { errno: 28 } }), 4],
  ["a place that is another's", new WbuildError("REG_ARCHIVE_TARGET", "x", { facts: { errno: "EACCES" } }), 2],
] as const)
  test(`the exit code tells a full disk from a wrong place, whatever was written: ${what}`, (t) => {
    t.is(explain(error, options).exit, exit);
  });
