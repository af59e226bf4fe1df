/** The build checks on whatever the front end takes: they end, with findings that lie in the file, and never throw. */
import test from "ava";
import fc from "fast-check";
import { lintResult, printFindings } from "../../builder/checks/lint-result.ts";
import { outlineOf, printOutline } from "../../builder/checks/outline.ts";
import { parseSettings } from "../../builder/checks/settings.ts";
import { printTargets, targetsOf } from "../../builder/checks/targets.ts";
import { parseIgnore } from "../../builder/dockerfile/ignore.ts";
import { parseDockerfile } from "../../builder/dockerfile/parse.ts";
import { isWbuildError } from "../../native/error.ts";
import { look, platform } from "../builder/checks/look.ts";
import { orRefused } from "./or-refused.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 600);

const word = fc.constantFrom(
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Dockerfile words.
  ...'a app x=$A $A ${A:-$B} ${A:?no} ${A#b} ${ $B/c \'q "q $ ["x","y"] 80/TCP 1.2.3.4:5:6 : /tmp ../.. C:\\\\x --from=a --platform=linux/arm64 --platform=$TARGETPLATFORM --platform=$N --mount=type=secret,id=s,required --mount=type=ssh TOKEN=1 AS As Name <<EOF 日 \\'.split(
    " ",
  ),
);
const line = fc
  .tuple(
    fc.constantFrom(
      ..."FROM from RUN COPY ADD ENV ARG LABEL CMD ENTRYPOINT EXPOSE VOLUME USER WORKDIR SHELL ONBUILD HEALTHCHECK STOPSIGNAL MAINTAINER Run # EOF".split(
        " ",
      ),
      "ONBUILD ENV",
      "ONBUILD ARG",
    ),
    fc.array(word, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("\n", "\r\n", " \\\n\n", "\n\n", "\n# name says\n"),
  )
  .map(([keyword, words, end]) => `${keyword} ${words.join(" ")}${end}`);
const text = fc
  .tuple(fc.array(line, { maxLength: 3 }), fc.array(line, { maxLength: 12 }))
  .map(([before, after]) => `${before.join("")}FROM app AS Base\n${after.join("")}`);

const ignore = parseIgnore("a*\n!app\n**/tmp\n", ".dockerignore");

const parsed = (source: { name: string; text: string }) => orRefused(() => parseDockerfile(source));

test("a check directive is taken or refused by its code", (t) => {
  const part = fc.oneof(
    fc.constantFrom("skip=all", "error=true", "experimental=A,B", ";", "=", "error=", ","),
    fc.string(),
  );
  const at = { span: { start: { line: 1, column: 1 }, end: { line: 1, column: 1 } }, source: { name: "D", text: "" } };
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        try {
          parseSettings(parts.join(";"), at);
        } catch (error) {
          if (!isWbuildError(error, "DF_CHECK_OPTION")) throw error;
        }
      }),
      { numRuns: runs },
    ),
  );
});

test("checks take every Dockerfile that parses", async (t) => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(text, fc.dictionary(fc.constantFrom("A", "B", "N"), fc.string()), async (written, buildArgs) => {
      const source = { name: "Dockerfile", text: written };
      const dockerfile = parsed(source);
      if (dockerfile === undefined) return;
      taken++;
      const lines = written.split("\n").length;
      const findings = await look(written, {
        ignore,
        scope: { buildArgs, buildPlatform: platform, targetPlatform: platform },
      });
      for (const { span, point } of findings)
        for (const { start, end } of [span, point ?? span])
          if (start.line < 1 || end.line > lines || start.line > end.line)
            throw new Error("a finding outside the file");
      JSON.stringify(lintResult(source, findings));
      printFindings(source, findings, { color: false });
      printTargets(targetsOf(dockerfile));
      try {
        const scope = { buildArgs, buildPlatform: platform, targetPlatform: platform };
        printOutline(outlineOf(dockerfile, dockerfile.stages[0] as never, dockerfile.stages, scope));
      } catch (error) {
        if (!isWbuildError(error, "DF_EXPANSION")) throw error;
      }
    }),
    { numRuns: runs },
  );
  t.true(taken > runs / 20, `only ${taken} of ${runs} were Dockerfiles`);
});
