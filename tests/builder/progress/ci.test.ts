/** What viewers of CI logs get: folds that are never open twice, notes at lines, and no command that is not ours. */
import test from "ava";
import { type CiLog, ciLogOf, githubLog, gitlabLog } from "../../../builder/progress/ci.ts";
import type { BuildEvent } from "../../../builder/progress/events.ts";
import { plainFace } from "../../../builder/progress/plain.ts";
import { golden } from "../../doubles/golden.ts";
import { streams } from "./streams.ts";

const dialects: Readonly<Record<string, CiLog>> = { github: githubLog("/src", "/src/app"), gitlab: gitlabLog() };

function written(events: readonly BuildEvent[], ci: CiLog): string {
  let text = "";
  const face = plainFace((part) => {
    text += part;
  }, ci);
  for (const event of events) face.report(event);
  face.close();
  return text;
}

for (const [dialect, ci] of Object.entries(dialects))
  for (const [name, events] of Object.entries(streams)) {
    test(`${dialect}: ${name}`, (t) => {
      const text = written(events, ci);
      golden(t, `progress/${name}.${dialect}.txt`, text);
      let open = 0;
      for (const [, begin] of text.matchAll(/(::group::|section_start:)|::endgroup::|section_end:/g)) {
        open += begin ? 1 : -1;
        t.true(open === 0 || open === 1, "folds do not nest");
      }
      t.is(open, 0);
    });

    test(`${dialect} has every line of the plain face: ${name}`, (t) => {
      const text = written(events, ci).replaceAll("::group::", "").replaceAll("\x1b[0K", "\r");
      const lines = new Set(text.split(/[\r\n]/));
      let plain = "";
      const face = plainFace((part) => {
        plain += part;
      });
      for (const event of events) face.report(event);
      face.close();
      t.deepEqual(
        plain.split("\n").filter((line) => !lines.has(line)),
        [],
      );
    });
  }

test("names of GitLab's sections differ, also of a step that is told in two parts", (t) => {
  const names = [...written(streams.failing!, gitlabLog()).matchAll(/section_start:\d+:(\w+)/g)].map(
    ([, name]) => name,
  );
  t.true(names.length > 1);
  t.is(new Set(names).size, names.length);
});

const hostile = [
  "::add-mask::x",
  "  ::set-output name=digest::sha256:0",
  "##[add-path]/evil",
  "a ##[group]b",
  "::endgroup::",
];
for (const text of hostile)
  test(`what a step prints is no command for GitHub: ${text}`, (t) => {
    const ci = githubLog("/src", "/src");
    const isCommand = (line: string) => /^\s*::|##\[/.test(line);
    t.false(isCommand(ci.line(text)));
    const step = { id: "a", title: text };
    const lines = written(
      [
        { kind: "start", step, at: 0 },
        { kind: "output", id: "a", stream: "stdout", text: `${text}\n`, at: 1 },
        { kind: "warning", text, at: 2 },
        { kind: "warning", text: `\n${text}`, span: { file: `x\n${text}`, line: 1 }, rule: text, at: 2 },
        { kind: "failed", id: "a", message: `no\n${text}`, at: 3 },
      ],
      ci,
    ).split("\n");
    const commands = lines.filter(isCommand);
    t.true(commands.length >= 2);
    t.deepEqual(
      commands.filter((line) => !/^::(group::#1 |endgroup::$|warning file=)/.test(line) || line.includes("##[")),
      [],
    );
  });

const places: readonly (readonly [file: string, noted: string])[] = [
  ["Dockerfile", "::warning file=app/Dockerfile,line=3,title=A%3AB%2CC::50%25 off\n"],
  ["/src/Dockerfile", "::warning file=Dockerfile,line=3,title=A%3AB%2CC::50%25 off\n"],
  ["../x,y:z", "::warning file=x%2Cy%3Az,line=3,title=A%3AB%2CC::50%25 off\n"],
  ["/elsewhere/Dockerfile", ""],
  ["../..", ""],
];
for (const [file, noted] of places)
  test(`GitHub is told of a line in ${file} ${noted === "" ? "not at all" : "by its path in the repository"}`, (t) =>
    t.is(dialects.github!.note({ kind: "warning", file, line: 3, title: "A:B,C", text: "50% off" }), noted));

const environments: readonly (readonly [env: Record<string, string>, has: boolean])[] = [
  [{}, false],
  [{ CI: "true" }, false],
  [{ GITHUB_ACTIONS: "true" }, true],
  [{ GITHUB_ACTIONS: "false" }, false],
  [{ GITLAB_CI: "true" }, true],
  [{ GITLAB_CI: "true", WBUILD_CI_FOLDING: "0" }, false],
  [{ GITHUB_ACTIONS: "true", WBUILD_CI_FOLDING: "false" }, false],
  [{ GITHUB_ACTIONS: "true", WBUILD_CI_FOLDING: "1" }, true],
];
for (const [env, has] of environments)
  test(`folds ${has ? "" : "not "}with ${JSON.stringify(env)}`, (t) => t.is(ciLogOf(env, "/") !== undefined, has));
