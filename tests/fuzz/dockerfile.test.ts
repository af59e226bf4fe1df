/** The Dockerfile front end on hostile text: it ends, soon, with a result or a WbuildError that knows its place. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { diagnosticsOf } from "../../builder/diagnose/diagnostic.ts";
import { renderDiagnostic } from "../../builder/diagnose/render.ts";
import type { Span } from "../../builder/diagnose/source.ts";
import { readDirectives } from "../../builder/dockerfile/directives.ts";
import { expandInstruction } from "../../builder/dockerfile/expand.ts";
import type { Dockerfile } from "../../builder/dockerfile/instruction.ts";
import { isComment, physicalLines } from "../../builder/dockerfile/logical-line.ts";
import { logicalLines } from "../../builder/dockerfile/logical-lines.ts";
import { parseDockerfile, parseTrigger } from "../../builder/dockerfile/parse.ts";
import { readDevice } from "../../builder/dockerfile/read-device.ts";
import { readMount } from "../../builder/dockerfile/read-mount.ts";
import { expandText, expandWord, expandWords } from "../../builder/dockerfile/words.ts";
import { applyInstruction } from "../../builder/image/config/config.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";
import { orRefused } from "./or-refused.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 600);

const span = { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };

const fragment = fc.constantFrom(
  ..."FROM RUN COPY ADD ENV ARG LABEL CMD ENTRYPOINT EXPOSE VOLUME USER WORKDIR SHELL ONBUILD HEALTHCHECK STOPSIGNAL MAINTAINER".split(
    " ",
  ),
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a Dockerfile word.
  ...'alpine scratch AS build --from=0 --chown=a:b --platform=x --mount=x --interval=5s -- = A=b [ ] { } ["a","b"] [\'a\'] $A ${A:-b} \' " # \\ ` << <<EOF EOF NONE'.split(
    " ",
  ),
  "# escape=`\n",
  "# syntax=x\n",
  "\n",
  "\r\n",
  "\\\n",
  "`\n",
  "\\ \n",
  " ",
  "\t",
  "\u000b",
  "\u00a0",
  "\ufeff",
  "\r",
  "\u0000",
  "日",
  "\ud800",
  "\n\n",
  "\\\n# c\n",
  "<<EOF\n",
  "\nEOF\n",
  "RUN <<-'EOF' 3<<B\n",
  "\n\tEOF\n",
  "COPY <<EOF <<B /x\n",
  "<<  ",
  '<<"B C"',
);
const dockerfileText = fc.oneof(
  fc.array(fragment, { maxLength: 40 }).map((parts) => parts.join("")),
  fc.array(fragment, { maxLength: 40 }).map((parts) => `FROM a\n${parts.join(" ")}`),
  fc.string({ unit: "binary", maxLength: 200 }),
);

function* spansOf(value: unknown): Generator<Span> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, each] of Object.entries(value)) {
    if (/span$/i.test(key)) yield each as Span;
    else yield* spansOf(each);
  }
}

function isInside(span: Span, lines: readonly string[]): boolean {
  const length = (line: number): number => (lines[line - 1] ?? "").length;
  const { start, end } = span;
  return (
    start.line >= 1 &&
    start.column >= 1 &&
    start.column <= length(start.line) + 1 &&
    end.line <= Math.max(1, lines.length) &&
    end.column <= length(end.line) + 1 &&
    (end.line > start.line || (end.line === start.line && end.column >= start.column))
  );
}

test("parseDockerfile: a result or a WbuildError, and every place lies in the file", (t) => {
  fc.assert(
    fc.property(dockerfileText, (text) => {
      const lines = physicalLines(text);
      let parsed: Dockerfile | undefined;
      try {
        parsed = parseDockerfile({ name: "Dockerfile", text });
      } catch (error) {
        if (!isWbuildError(error)) throw error;
        t.regex(error.code, /^DF_/);
        t.true(isInside(error.facts.span as Span, lines), JSON.stringify([text, error.facts]));
        t.true(
          diagnosticsOf(error)
            .map((each) => renderDiagnostic(each, { color: false }))
            .join("").length > 0,
        );
      }
      for (const span of spansOf([parsed?.globalArgs, parsed?.stages, parsed?.warnings]))
        t.true(isInside(span, lines), JSON.stringify([text, span]));
    }),
    { numRuns: runs },
  );
});

/** BuildKit's rule for joining lines, written again without dockerfile-ast. */
function joinedLines(lines: readonly string[], escapeChar: string): string[] {
  const found: string[] = [];
  const leading = /^[\t\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
  const end = new RegExp(`(^|[^\\${escapeChar}])\\${escapeChar}[ \\t]*$`);
  for (let at = 0; at < lines.length; at++) {
    let text = isComment(lines[at] ?? "") ? "" : (lines[at] ?? "").replace(leading, "");
    while (end.test(text) && at + 1 < lines.length) {
      const next = lines[++at] ?? "";
      if (isComment(next) || next.replace(leading, "") === "") continue;
      text = text.replace(end, "$1") + next;
    }
    text = text
      .replace(end, "$1")
      .replace(/[\t\v\f\r \u0085\u00a0]+$/, "")
      .replace(leading, "");
    if (text !== "") found.push(text);
  }
  return found;
}

test("instructions are cut where BuildKit cuts them", (t) => {
  fc.assert(
    fc.property(dockerfileText, (text) => {
      const lines = physicalLines(text);
      const directives = orRefused(() => readDirectives({ name: "x", text }, lines));
      if (directives === undefined) return;
      const read = orRefused(() => logicalLines({ name: "x", text }, lines, directives.escape));
      if (read === undefined) return;
      const others = lines.map((line, index) => (read.isText(index) ? "" : line));
      t.deepEqual(
        read.instructions.map((line) => line.text.trim()),
        joinedLines(others, directives.escape).map((line) => line.trim()),
        JSON.stringify(text),
      );
    }),
    { numRuns: runs },
  );
});

test("parseTrigger: a result or a WbuildError", (t) => {
  holds(
    t,
    fc.property(dockerfileText, (text) => void orRefused(() => parseTrigger(text, { name: "image", text }))),
    { numRuns: runs },
  );
});

test("good Dockerfiles with a piece cut out or put in never surprise", (t) => {
  const folder = join(import.meta.dirname, "../golden/dockerfile");
  const good = readdirSync(folder).map((name) => readFileSync(join(folder, name, "Dockerfile"), "utf8"));
  holds(
    t,
    fc.property(fc.constantFrom(...good), fc.nat(400), fc.nat(20), fragment, (text, at, count, piece) => {
      const broken = text.slice(0, at) + piece + text.slice(at + count);
      orRefused(() => parseDockerfile({ name: "x", text: broken }));
    }),
    { numRuns: runs },
  );
});

test("the text of here-documents comes out as it stands in the file, whatever it is", (t) => {
  const name = fc.constantFrom("EOF", "a.conf", "it's", "two words", "-", "#", "$X");
  const line = fc
    .array(fragment, { maxLength: 8 })
    .map((parts) => parts.join("").replaceAll("\n", "").replace(/\r+$/, ""));
  const document = fc.record({
    name,
    lines: fc.array(line, { maxLength: 5 }),
    strips: fc.boolean(),
    end: fc.constantFrom("\n", "\r\n"),
  });
  const written = (each: { name: string; strips: boolean }) =>
    `<<${each.strips ? "-" : ""}${/^-|['" $#]/.test(each.name) ? JSON.stringify(each.name) : each.name}`;
  fc.assert(
    fc.property(
      fc.constantFrom("RUN cat", "COPY x", "ONBUILD ADD"),
      fc.uniqueArray(document, { minLength: 1, maxLength: 3, selector: (each) => each.name }),
      fc.boolean(),
      (instruction, documents, isLast) => {
        const own = documents.map((each) => ({
          ...each,
          lines: each.lines.filter((text) => text.replace(/^\t+/, "") !== each.name),
        }));
        const text = own
          .map((each) => each.lines.map((one) => one + each.end).join("") + each.name + each.end)
          .join("");
        const file = `FROM a\n${instruction} ${own.map(written).join(" ")} /y\n${text}${isLast ? "" : "USER b\n"}`;
        const [stage] = parseDockerfile({ name: "x", text: file }).stages;
        const [first, second] = stage?.instructions ?? [];
        t.is(second?.kind, isLast ? undefined : "USER");
        const texts = own.map((each) => each.lines.map((one) => one + each.end).join(""));
        if (first?.kind === "ONBUILD") {
          t.is(
            first.trigger.slice(first.trigger.indexOf("\n")),
            own.map((each, at) => `\n${texts[at]}${each.name}`).join(""),
          );
          const trigger = parseTrigger(first.trigger, { name: "x", text: first.trigger });
          t.deepEqual(trigger.kind === "ADD" && trigger.documents?.map((each) => each.text), texts);
        } else if (first?.kind === "RUN" || first?.kind === "COPY")
          t.deepEqual(
            [first.documents?.map((each) => [each.name, each.stripsTabs, each.text])],
            [own.map((each, at) => [each.name, each.strips, texts[at]])],
          );
      },
    ),
    { numRuns: runs },
  );
});

test("readMount and readDevice: a mount, a device or a WbuildError", (t) => {
  const piece = fc.constantFrom(
    ..."type= bind cache tmpfs secret ssh target= /a source= from= id= sharing= locked mode= 0755 uid= 7 size= 64m required ro rw env= , = \" $A ${A ' \\ name= vendor.com/class".split(
      " ",
    ),
    "",
    " ",
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary" }),
  );
  holds(
    t,
    fc.property(text, fc.constantFrom("\\" as const, "`" as const), fc.string(), (each, escapeChar, value) => {
      const word = { text: each, span };
      const mount = orRefused(() => readMount(word, () => value, escapeChar, { name: "x", text: "" }));
      orRefused(() => readDevice(word, { name: "x", text: "" }));
      if (mount) t.true(["bind", "cache", "tmpfs", "secret", "ssh"].includes(mount.type));
    }),
    { numRuns: runs * 3 },
  );
});

const wordText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        ..."$ { } : - + ? # % / * \\ ' \" ` A B _ 1 [ ] é".split(" "),
        " ",
        "\n",
        "\t",
        "${A",
        "${A:-",
        "${A#",
        "${A/",
        "\ud83d",
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join("")),
);
test("expandWord: a string or a WbuildError", (t) => {
  fc.assert(
    fc.property(wordText, fc.constantFrom("\\", "`"), fc.string({ maxLength: 30 }), (text, escapeChar, value) => {
      const lookup = (name: string) => (name === "A" ? value : undefined);
      const whole = orRefused(() => expandWord({ text, span }, lookup, escapeChar));
      orRefused(() => expandText({ text, span }, lookup));
      const words = orRefused(() => expandWords({ text, span }, lookup, escapeChar));
      t.is(whole === undefined, words === undefined);
    }),
    { numRuns: runs * 3 },
  );
});

test("a word in single quotes is itself", (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }).filter((text) => !text.includes("'")),
      (text) =>
        t.is(
          expandWord({ text: `'${text}'`, span }, () => "x", "\\"),
          text,
        ),
    ),
  );
});

test("what parses can be applied, or is refused with a WbuildError", (t) => {
  holds(
    t,
    fc.property(dockerfileText, (text) => {
      const source = { name: "x", text };
      const dockerfile = orRefused(() => parseDockerfile(source));
      for (const instruction of dockerfile?.stages.flatMap((stage) => stage.instructions) ?? []) {
        orRefused(() => {
          const expanded = expandInstruction(instruction, () => "v", { escape: "\\", source });
          applyInstruction({}, expanded, { os: "linux", cmdSet: false, source });
        });
      }
    }),
    { numRuns: runs },
  );
});

const bombs: [title: string, text: string][] = [
  ["a line of a million blanks", `FROM a\nRUN x${" ".repeat(1_000_000)}\\\n y`],
  ["a hundred thousand continuations", `FROM a\nRUN x ${"\\\n".repeat(100_000)} y`],
  ["a hundred thousand comments inside an instruction", `FROM a\nRUN x \\\n${"# c\n".repeat(100_000)} y`],
  ["a hundred thousand instructions", `FROM a\n${"RUN x\n".repeat(100_000)}`],
  ["a million escapes", `FROM a\nENV A=${"\\".repeat(1_000_000)}`],
  ["a million quotes", `FROM a\nENV A=${"'".repeat(1_000_000)}`],
  ["a hundred thousand pairs", `FROM a\nENV ${"A=b ".repeat(100_000)}`],
  ["a hundred thousand flags", `FROM a\nCOPY ${"--x ".repeat(100_000)} a b`],
  ["a deep JSON array", `FROM a\nCMD ${"[".repeat(500_000)}`],
  ["a keyword of a megabyte", `${"A".repeat(1_000_000)} x`],
  ["half a million words", `FROM a\nRUN ${"a ".repeat(500_000)}`],
  ["a hundred thousand here-documents that end", `FROM a\nRUN ${"<<a ".repeat(100_000)}\n${"a\n".repeat(100_000)}`],
  ["a hundred thousand files of a COPY", `FROM a\nCOPY ${"<<a ".repeat(100_000)}/x\n${"a\n".repeat(100_000)}`],
  ["a here-document of a hundred thousand lines", `FROM a\nCOPY <<a b\n${"x\n".repeat(100_000)}a\n`],
  ["a hundred thousand braces before a here-document", `FROM a\nRUN ${"${a:-".repeat(100_000)} <<a\na\n`],
  ["a hundred thousand braces and quotes", `FROM a\nRUN ${'"${a:-'.repeat(100_000)} <<a\na\n`],
  [
    "a hundred thousand continuations with here-documents",
    `FROM a\nRUN ${"<<a \\\n".repeat(100_000)}\n${"a\n".repeat(100_000)}`,
  ],
  ["a hundred thousand quotes in a mount", `FROM a\nRUN --mount='${'"'.repeat(100_001)}' x`],
  ["a hundred thousand options of a mount", `FROM a\nRUN --mount=${"from=a,".repeat(100_000)} x`],
  ["a hundred thousand mounts", `FROM a\nRUN ${"--mount=from=a,target=/b ".repeat(100_000)} x`],
  ["a hundred thousand here-documents", `FROM a\nRUN ${"<<a ".repeat(100_000)}`],
  ["a hundred thousand times ONBUILD", `FROM a\nONBUILD ${"ONBUILD ".repeat(100_000)}`],
  ["more than 4 MiB", `FROM a\n${"#".repeat(5_000_000)}`],
];
for (const [title, text] of bombs) {
  test(`front end: ${title} ends soon`, (t) => {
    t.timeout(20_000);
    t.notThrows(() => orRefused(() => parseDockerfile({ name: "x", text })));
  });
}
