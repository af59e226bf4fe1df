/** Here-documents: which lines open which, what a RUN becomes with them, and what variables in their text come to. */
import test from "ava";
import { commandOf, openings, titleOf } from "../../../builder/dockerfile/here-document.ts";
import type { Run } from "../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { expandText } from "../../../builder/dockerfile/words.ts";
import { isWbuildError } from "../../../native/error.ts";

/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are lines of Dockerfiles. */
/** A delimiter as found: `-` for tabs, `'` for no variables, the descriptor in front. */
const lines: [line: string, found: string[]][] = [
  ["RUN <<EOF", ["EOF"]],
  ["RUN <<-EOF", ["-EOF"]],
  ["RUN 3<<EOF 10<<-B", ["3 EOF", "10 -B"]],
  ["RUN <<'EOF' <<\"B\"", ["'EOF", "'B"]],
  ["RUN <<eo'f'", ["'eof"]],
  ["RUN <<eo\\'f", ["eo'f"]],
  ["RUN <<'e'o\\'f", ["'eo'f"]],
  ["RUN <<'one two' x", ["'one two"]],
  ['RUN <<"a\\"b\\x"', ["'a\"b\\x"]],
  ["RUN <<$EOF <<${X:-y}", ["$EOF", "${X:-y}"]],
  ["RUN <<  EOF > foo", ["EOF"]],
  ["RUN << -EOF", ["-EOF"]],
  ["RUN <<- EOF", []],
  ["RUN <<", []],
  ["RUN a <<EOF|b", ["EOF|b"]],
  ["RUN (cat <<EOF)", ["EOF)"]],
  ["RUN x<<EOF", []],
  ["RUN <EOF", []],
  ["RUN <<<EOF", []],
  ["RUN <<< EOF", []],
  ["RUN '<<EOF' \"<<EOF\" \\<<EOF", []],
  ["RUN echo $((1<<2))", []],
  ["RUN echo $((1 << 2))", ["2))"]],
  ["RUN echo 'a <<EOF", []],
  ['RUN echo "a <<EOF', []],
  ["RUN echo ${a <<EOF", []],
  ["RUN echo ${a[1]} <<EOF", []],
  ["RUN echo ${a:-'}'} ${b//x/y} ${c%\\}} <<EOF", ["EOF"]],
  ['RUN echo "${a:-"}"}" <<EOF', ["EOF"]],
  ["COPY <<a b <<'c' /d/", ["a", "'c"]],
];
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: back to TypeScript. */
for (const [line, found] of lines) {
  test(`opened by ${line}`, (t) => {
    const told = openings(line).map(({ name, expands, stripsTabs, descriptor }) =>
      [descriptor === undefined ? "" : `${descriptor} `, stripsTabs ? "-" : "", expands ? "" : "'", name].join(""),
    );
    t.deepEqual(told, found);
  });
}

function runOf(lines: string): Run {
  const [run] = parseDockerfile({ name: "Dockerfile", text: `FROM a\n${lines}\n` }).stages[0]?.instructions ?? [];
  if (run?.kind !== "RUN") throw new TypeError("a RUN is read");
  return run;
}

const commands: [title: string, lines: string, line: string, file?: string][] = [
  ["a text alone", "RUN <<A\n\tx\ny\nA", "\tx\ny\n"],
  ["a text without its tabs", "RUN <<-A\n\t\tx\n\ty\t\n\tA", "x\ny\t\n"],
  ["nothing", "RUN <<A\nA", ""],
  ["behind flags", "RUN --network=none <<A\nx\nA", "x\n"],
  ["with a descriptor", "RUN 5<<A\nx\nA", "x\n"],
  ["a command", "RUN cat <<A\nx\nA", "cat <<A\nx\nA"],
  ["a command keeps the tabs for the shell", "RUN cat <<-A\n\tx\n\tA", "cat <<-A\n\tx\nA"],
  ["something behind it", "RUN <<A > y\nx\nA", "<<A > y\nx\nA"],
  ["two", "RUN <<A <<B\nx\nA\ny\nB", "<<A <<B\nx\nA\ny\nB"],
  ["a file that says what runs it", "RUN <<-A\n#!/bin/x\n\ty\n\tA", "/dev/pipes/A", "#!/bin/x\ny\n"],
  ["a #! behind a tab is for the shell", "RUN <<-A\n\t#!/bin/x\n\tA", "#!/bin/x\n"],
  ["a #! for a command is for the command", "RUN <<A cat\n#!/bin/x\nA", "<<A cat\n#!/bin/x\nA"],
];
for (const [title, lines, line, file] of commands) {
  test(`a RUN that is ${title}`, (t) => {
    const made = commandOf(runOf(lines), "linux");
    t.is(made.command.form === "shell" ? made.command.line : undefined, line);
    t.is(made.file?.text, file);
  });
}

test("on Windows a #! means nothing", (t) => {
  const made = commandOf(runOf("RUN <<A\n#!x\ny\nA"), "windows");
  t.like(made, { command: { line: "#!x\ny\n" }, file: undefined });
});

test("people see the first line of a script", (t) => {
  t.is(titleOf(runOf("RUN <<A\n\n  x  \ny\nA")), "RUN <<A (x...)");
  t.is(titleOf(runOf("RUN <<A\nx\nA")), "RUN <<A (x)");
  t.is(titleOf(runOf("RUN cat <<A\nx\nA")), "RUN cat <<A");
  t.is(titleOf(runOf("RUN x")), "RUN x");
});

/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are texts of here-documents. */
const span = { start: { line: 3, column: 1 }, end: { line: 6, column: 1 } };
const lookup = (name: string) => (name === "A" ? "one 'two' $B" : undefined);
const texts: [text: string, expected: string][] = [
  ["a $A\n", "a one 'two' $B\n"],
  ["'$A' \"${A}\"\n", "'one 'two' $B' \"one 'two' $B\"\n"],
  ["\\$A \\\\ \\a \\\n", "$A \\ a \n"],
  ["it's ${UNSET:-'x y'} ${UNSET}\n", "it's 'x y' \n"],
  ["<<  a\t\tb\n", "<<  a\t\tb\n"],
  ["`$A`", "`one 'two' $B`"],
];
for (const [text, expected] of texts) {
  test(`text ${JSON.stringify(text)}`, (t) => t.is(expandText({ text, span }, lookup), expected));
}

test("a variable that cannot be read is shown in its line", (t) => {
  const error = t.throws(() => expandText({ text: "a\n$A\nb ${A\nc\n", span }, lookup));
  t.true(isWbuildError(error, "DF_EXPANSION"));
  t.like(error, { facts: { span: { start: { line: 5, column: 1 }, end: { line: 5, column: 6 } } } });
});
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: back to TypeScript. */
