import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { outcome, scene } from "./scene.ts";

test("a failing RUN shows its last output, its exit code and its line; what came before stays cached", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\n\nRUN echo before > /before\nRUN echo last words; exit 7\nRUN echo never\n",
  });
  const failed = await s.build(context, "-t", "app");
  t.is(failed.code, 1, failed.stderr);
  t.is(outcome(failed, "RUN echo last words"), "ERROR", failed.stderr);
  t.regex(failed.stderr, /\blast words\b/);
  t.regex(failed.stderr, /exit code:? 7/);
  t.regex(failed.stderr, /Dockerfile:4\b/);
  t.regex(failed.stderr, /RUN echo last words; exit 7/);
  t.is(outcome(failed, "RUN echo never"), undefined);

  const again = await s.build(context);
  t.is(outcome(again, "RUN echo before"), "CACHED", again.stderr);
  t.is(again.code, 1);
  t.is((await s.wbuild("inspect", "app")).code, 2, "a failed build names nothing");
});

test("a failing step ends the one beside it", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: [
      "FROM wbuild.local/linux AS slow",
      "RUN sleep 600; echo > /a",
      "FROM wbuild.local/linux AS bad",
      "RUN sleep 1; exit 3",
      "FROM scratch",
      "COPY --from=slow /a /",
      "COPY --from=bad /b /",
    ].join("\n"),
  });
  const failed = await s.build(context, "-j", "2");
  t.is(failed.code, 1, failed.stderr);
  t.regex(failed.stderr, /exit code:? 3/);
});

const bad: [name: string, files: Record<string, string>, flags: string[], code: number, says: RegExp[]][] = [
  [
    "a misspelt instruction: the place and the nearest one",
    { Dockerfile: "FROM wbuild.local/linux\nRUNN echo\n" },
    [],
    2,
    [/Dockerfile:2:1/, /RUNN echo/, /\bRUN\b/],
  ],
  [
    "a misspelt flag of an instruction",
    { Dockerfile: "FROM wbuild.local/linux\nCOPY --chwon=1 Dockerfile /\n" },
    [],
    2,
    [/Dockerfile:2:6/, /--chown/],
  ],
  ["an empty Dockerfile", { Dockerfile: "# nothing\n" }, [], 2, [/Dockerfile/]],
  ["no Dockerfile", { readme: "" }, [], 2, [/Dockerfile/]],
  [
    "a COPY source that is not there: the pattern and the nearest name",
    { Dockerfile: "FROM wbuild.local/linux\nCOPY sorce.c /\n", "source.c": "" },
    [],
    2,
    [/Dockerfile:2/, /sorce\.c/, /source\.c/],
  ],
  [
    "a COPY source that the ignore file hides",
    { Dockerfile: "FROM wbuild.local/linux\nCOPY secret.txt /\n", "secret.txt": "", ".dockerignore": "*.txt\n" },
    [],
    2,
    [/Dockerfile:2/, /secret\.txt/, /\.dockerignore/],
  ],
  [
    "an unknown stage to copy from, before anything runs",
    { Dockerfile: "FROM wbuild.local/linux AS make\nRUN echo > /a\nFROM scratch\nCOPY --from=mkae /a /\n" },
    ["--target", "mak"],
    2,
    [/\bmak\b/, /\bmake\b/],
  ],
  [
    "a base image that the embedded registry does not have",
    { Dockerfile: "FROM wbuild.local/nothing\n" },
    [],
    2,
    [/Dockerfile:1/, /wbuild\.local\/nothing/],
  ],
  [
    "a file outside of the context",
    { Dockerfile: "FROM wbuild.local/linux\nCOPY ../../etc/passwd /\n" },
    [],
    2,
    [/Dockerfile:2/, /etc\/passwd/],
  ],
];
for (const [name, files, flags, code, says] of bad) {
  test(`bad input: ${name}`, async (t) => {
    const s = await scene(t);
    const failed = await s.build(await s.files("context", files), ...flags);
    t.is(failed.code, code, failed.stderr);
    for (const pattern of says) t.regex(failed.stderr, pattern);
    t.notRegex(failed.stderr, /internal error|at .*\.ts:\d+/);
  });
}

test("a registry that cannot be reached: exit code 3, and its name", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("context", { Dockerfile: "FROM 127.0.0.1:1/app:1\n" });
  const failed = await s.build(context);
  t.is(failed.code, 3, failed.stderr);
  t.regex(failed.stderr, /127\.0\.0\.1:1/);
  t.regex(failed.stderr, /Dockerfile:1/);
});

test("a RUN whose program is not there", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: 'FROM wbuild.local/linux\nRUN ["/no/such", "program"]\n' });
  const failed = await s.build(context);
  t.is(failed.code, 1, failed.stderr);
  t.regex(failed.stderr, /\/no\/such/);
  t.regex(failed.stderr, /Dockerfile:2/);
});

test("what a RUN prints cannot take over the terminal", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nRUN printf '\\033]0;evil\\007\\033[2Jred\\n'; exit 1\n",
  });
  const failed = await s.build(context);
  t.is(failed.code, 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about.
  t.notRegex(failed.stderr, /[\x00-\x08\x0b-\x1f\x7f]/);
  t.regex(failed.stderr, /red/);
});

test("files that a build writes: image ID and metadata; nothing of them after a failure", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nARG CODE=0\nRUN exit $CODE\n" });
  const [id, metadata] = [join(s.folder, "id"), join(s.folder, "metadata")];
  const files = ["--iidfile", id, "--metadata-file", metadata];
  t.is((await s.build(context, ...files, "--build-arg", "CODE=1")).code, 1);
  await t.throwsAsync(readFile(id));
  await t.throwsAsync(readFile(metadata));
  const good = await s.build(context, ...files, "-t", "app:1");
  t.is(good.code, 0, good.stderr);
  t.regex(await readFile(id, "utf8"), /^sha256:[0-9a-f]{64}$/);
  t.is(JSON.parse(await readFile(metadata, "utf8"))["containerimage.config.digest"], await readFile(id, "utf8"));
});

test("files that could not be written in the end are told of before anything is done", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("context", { Dockerfile: "FROM scratch\nCOPY Dockerfile /\n" });
  for (const flag of ["--iidfile", "--metadata-file"]) {
    const { code, stderr } = await s.build(context, flag, join(s.folder, "missing/file"));
    t.is(code, 2, stderr);
    t.regex(stderr, /error\[CLI_OUTPUT\]: --[a-z-]+ .*missing\/file: there is no folder/);
    t.notRegex(stderr, /^#1/m);
  }
});
