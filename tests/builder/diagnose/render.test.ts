/** Diagnostics as text: what is underlined, what is cut, and what never reaches the terminal. */
import test from "ava";
import fc from "fast-check";
import { type Diagnostic, diagnosticsOf } from "../../../builder/diagnose/diagnostic.ts";
import { renderDiagnostic } from "../../../builder/diagnose/render.ts";
import { WbuildError } from "../../../native/error.ts";

const source = { name: "Dockerfile", text: "FROM a\nRUN one \\\n  two \\\n  three\n\tCOPY\tx y\nlast" };
const at = (line: number, from: number, to: number, endLine = line): Diagnostic => ({
  severity: "warning",
  message: "look here",
  notes: ["first", "second"],
  hint: "do that",
  source,
  span: { start: { line, column: from }, end: { line: endLine, column: to } },
});

const cases: [title: string, diagnostic: Diagnostic, expected: string[]][] = [
  ["the first line", at(1, 6, 7), ["  Dockerfile:1:6", "  1 | FROM a", "    |      ^"]],
  [
    "a span over lines",
    at(2, 1, 8, 4),
    ["  Dockerfile:2:1", "  1 | FROM a", "  2 | RUN one \\", "    | ^^^^^^^^^ … and 2 more lines"],
  ],
  ["tabs", at(5, 2, 6), ["  Dockerfile:5:2", "  4 |   three", "  5 |     COPY    x y", "    |     ^^^^"]],
  ["an empty span", at(6, 5, 5), ["  Dockerfile:6:5", "  5 |     COPY    x y", "  6 | last", "    |     ^"]],
  ["a line that is not there", at(60, 1, 2), ["  Dockerfile:60:1"]],
];
const long = { name: "Dockerfile", text: `FROM a\nRUN <<EOF\n${"x\n".repeat(30)}EOF\nCMD b\nUSER c\n` };
cases.push(
  [
    "a whole instruction between the lines around it",
    { ...at(2, 1, 8, 4), around: 2 },
    [
      "  Dockerfile:2:1",
      "  1 | FROM a",
      "  2 > RUN one \\",
      "  3 >   two \\",
      "  4 >   three",
      "  5 |     COPY    x y",
      "  6 | last",
    ],
  ],
  [
    "a whole instruction at the end",
    { ...at(6, 1, 5), around: 1 },
    ["  Dockerfile:6:1", "  5 |     COPY    x y", "  6 > last"],
  ],
  [
    "only the first lines of a long instruction",
    { ...at(2, 1, 4, 33), around: 1, source: long },
    [
      "  Dockerfile:2:1",
      "   1 | FROM a",
      "   2 > RUN <<EOF",
      ...Array.from({ length: 11 }, (_, index) => `  ${String(index + 3).padStart(2)} > x`),
      "     | … and 20 more lines",
      "  34 | CMD b",
    ],
  ],
);
for (const [title, diagnostic, lines] of cases) {
  test(`drawn: ${title}`, (t) => {
    const expected = ["warning: look here", ...lines, "  note: first", "  note: second", "  help: do that", ""].join(
      "\n",
    );
    t.is(renderDiagnostic(diagnostic, { color: false }), expected);
  });
}

test("without a place there is only the message", (t) => {
  t.is(
    renderDiagnostic({ severity: "error", code: "DF_TARGET", message: "no such stage", notes: [] }, { color: false }),
    "error[DF_TARGET]: no such stage\n",
  );
});

test("colour changes nothing but colour", (t) => {
  const plain = renderDiagnostic(at(2, 5, 8), { color: false });
  const coloured = renderDiagnostic(at(2, 5, 8), { color: true });
  t.not(coloured, plain);
  t.is(coloured.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g"), ""), plain);
});

test("an error becomes diagnostics, the others of its file after it", (t) => {
  const other = new WbuildError("DF_B", "second", { facts: { span: at(6, 1, 5).span, source } });
  const error = new WbuildError("DF_A", "first", {
    facts: { span: at(1, 1, 5).span, source, others: [other] },
    hint: "h",
  });
  t.deepEqual(
    diagnosticsOf(error).map((each) => [each.code, each.span?.start.line, each.hint]),
    [
      ["DF_A", 1, "h"],
      ["DF_B", 6, undefined],
    ],
  );
});

test("any text, any span: bounded lines, no control characters, marks that stay under the line", (t) => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 400 }),
    fc.array(fc.constantFrom("\t", "\n", "\r", "日", "e", "\u0301", "a", "\u{1f600}")).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(
      text,
      fc.nat(5),
      fc.nat(500),
      fc.nat(5),
      fc.nat(500),
      fc.integer({ min: 1, max: 120 }),
      (body, line, column, lines, end, width) => {
        const span = {
          start: { line: line + 1, column: column + 1 },
          end: { line: line + 1 + lines, column: end + 1 },
        };
        const shown = renderDiagnostic(
          { severity: "error", message: body, notes: [], source: { name: body, text: body }, span },
          { color: false, width },
        );
        t.false(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(shown.replaceAll("\n", "")));
        for (const each of shown.split("\n").slice(2)) t.true([...each].length < 3 * Math.max(20, width) + 60);
      },
    ),
    { numRuns: 500 },
  );
});

test("a line of megabytes is quick to draw", (t) => {
  const text = `ENV ${"x".repeat(4_000_000)}`;
  const shown = renderDiagnostic({ ...at(1, 2_000_000, 3_000_000), source: { name: "D", text } }, { color: false });
  t.true(shown.length < 1000);
});
