/** Places in the answers to --call: a range for each line, as BuildKit has them. */
import test from "ava";
import { lastLines } from "../../../builder/checks/lines.ts";
import { lintResult } from "../../../builder/checks/lint-result.ts";
import { locationOf } from "../../../builder/checks/location.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { look } from "./look.ts";

const span = (first: number, last: number) => ({ start: { line: first, column: 1 }, end: { line: last, column: 2 } });
const lines = (...numbers: number[]) => ({ ranges: numbers.map((line) => ({ start: { line }, end: { line } })) });

test("an instruction of several lines has a range for each", (t) => {
  t.deepEqual(locationOf(span(3, 3)), lines(3));
  t.deepEqual(locationOf(span(3, 5)), lines(3, 4, 5));
});

test("one of thousands of lines has a single range", (t) => {
  t.deepEqual(locationOf(span(1, 90_000)), { ranges: [{ start: { line: 1 }, end: { line: 90_000 } }] });
});

test("here-documents belong to the instruction, and the file has its name without a folder", async (t) => {
  const text = "FROM app\nCOPY <<A <<'B' /\n$X\nA\n$Y\nB\n";
  const source = { name: "some/where/Dockerfile.x", text };
  const result = lintResult(source, await look(text), { lastLines: lastLines(parseDockerfile(source)) });
  t.deepEqual(
    result.warnings.map(({ ruleName, location }) => [ruleName, location]),
    [["UndefinedVar", lines(2, 3, 4, 5, 6)]],
  );
  t.is(result.sources[0]?.filename, "Dockerfile.x");
});
