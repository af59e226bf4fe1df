/** Builds that cannot be carried out, and the line that is blamed. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { isWbuildError, type WbuildError } from "../../native/error.ts";
import { buildWorld } from "../doubles/builds.ts";
import { tarOf } from "../doubles/images.ts";

for (const ignore of ["", "nothing-like-this\n"]) {
  test(`a file that would be a whiteout is refused by name${ignore && ", with ignore rules too"}`, async (t) => {
    const world = buildWorld(t);
    const { build, write } = world;
    write("d/sub/.wh.passwd", "");
    if (ignore) write(".dockerignore", ignore);
    const error = await t.throwsAsync(build(["FROM scratch", "COPY d /x"]));
    t.true(isWbuildError(error, "LAYER_WHITEOUT_NAME"), String(error));
    t.like(error, { facts: { span: { start: { line: 2 } } } });
    t.is(world.events.filter((event) => event.kind === "failed").length, 1);
    t.regex((error as Error).message, /sub\/\.wh\.passwd/);
  });
}

const failing: [name: string, lines: string[], code: string, line: number | undefined][] = [
  ["a missing source", ["FROM scratch", "COPY nope /"], "CTX_NO_SOURCE", 2],
  ["an unknown instruction", ["FROM scratch", "CPOY a /"], "DF_UNKNOWN_INSTRUCTION", 2],
  ["a local base that was not made", ["FROM wbuild.local/linux"], "REG_LOCAL_ONLY", 1],
  ["a COPY of a URL", ["FROM scratch", "COPY https://example.test/x.tar /"], "DF_REMOTE_SOURCE", 2],
  [
    "an ADD of a repository with an option as ref",
    ["FROM scratch", "ADD git@example.test:a/b.git#--x /"],
    "CTX_GIT_URL",
    2,
  ],
  ["a link to nowhere as a source", ["FROM scratch", "COPY lost /"], "CTX_NO_SOURCE", 2],
  ["a link to nowhere among a pattern's matches", ["FROM scratch", "COPY a lo* /x/"], "CTX_NO_SOURCE", 2],
  ["an archive with a name that would be a whiteout", ["FROM scratch", "ADD wh.tar /"], "LAYER_WHITEOUT_NAME", 2],
  ["an unknown owner", ["FROM scratch", "COPY --chown=nobody a /"], "STEP_USER", 2],
];

for (const [name, lines, code, line] of failing) {
  test(`${name} is blamed on its line`, async (t) => {
    const { build, write, folder } = buildWorld(t);
    write("a", "1");
    symlinkSync("no/where", join(folder, "lost"));
    write("wh.tar", await tarOf([["dir/.wh.passwd", ""]]));
    const error = await t.throwsAsync(build(lines));
    t.true(isWbuildError(error, code as "CTX_NO_SOURCE"), String(error));
    const { span } = (error as unknown as { facts: { span?: { start: { line: number } } } }).facts;
    t.is(span?.start.line, line);
  });
}

test("a source above the context is told with what to do", async (t) => {
  const { build, write } = buildWorld(t);
  write("b", "1");
  const error = (await t.throwsAsync(build(["FROM scratch", "COPY ../a /"]))) as WbuildError;
  t.is(error.code, "CTX_NO_SOURCE");
  t.regex(error.hint ?? "", /^nothing above the context can be copied/);
});
