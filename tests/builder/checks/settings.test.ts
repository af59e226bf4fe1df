import test from "ava";
import { parseSettings } from "../../../builder/checks/settings.ts";
import { isWbuildError } from "../../../native/error.ts";
import { brief, look } from "./look.ts";

const start = { line: 1, column: 1 };
const at = { span: { start, end: start }, source: { name: "Dockerfile", text: "" } };

const forms: [text: string, skip: string[] | "all", experimental: string[] | "all", isError: boolean][] = [
  ["", [], [], false],
  ["skip=A,B", ["A", "B"], [], false],
  [" skip = A , B ; error = true ", ["A", "B"], [], true],
  ["error=true;skip=all", "all", [], true],
  ["error=0", [], [], false],
  ["experimental=all", [], "all", false],
  ["experimental=CopyIgnoredFile;skip=X;error=T", ["X"], ["CopyIgnoredFile"], true],
];
for (const [text, skip, experimental, isError] of forms) {
  test(`check=${text}`, (t) => {
    const settings = parseSettings(text, at);
    t.deepEqual(settings.skip === "all" ? "all" : [...settings.skip], skip);
    t.deepEqual(settings.experimental === "all" ? "all" : [...settings.experimental], experimental);
    t.is(settings.isError, isError);
  });
}

for (const text of ["skip", "error=yes", "warn=true", "skip=A;", "error="]) {
  test(`check=${text} is refused`, (t) => {
    const error = t.throws(() => parseSettings(text, at));
    t.true(isWbuildError(error, "DF_CHECK_OPTION"));
  });
}

test("skip leaves a check out, but not an experimental one that is asked for", async (t) => {
  const text = "# x\nFROM app AS Base\nCMD x\n";
  t.deepEqual(brief(await look(text, { check: "" })), ["StageNameCasing 2", "JSONArgsRecommended 3"]);
  t.deepEqual(brief(await look(text, { check: "skip=StageNameCasing" })), ["JSONArgsRecommended 3"]);
  t.deepEqual(brief(await look(text, { check: "skip=all" })), []);
  t.deepEqual(brief(await look(text, { check: "skip=all;experimental=InvalidDefinitionDescription" })), [
    "InvalidDefinitionDescription 2",
  ]);
});
