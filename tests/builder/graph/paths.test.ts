import test from "ava";
import type { Copy } from "../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../builder/dockerfile/parse.ts";
import { copyPaths, parseMode, swallowedPath, targetPath } from "../../../builder/graph/paths.ts";
import { isWbuildError } from "../../../native/error.ts";

const targets: [workdir: string | undefined, text: string, path: string][] = [
  [undefined, "a", "/a"],
  [undefined, ".", "/"],
  ["/app", ".", "/app/"],
  ["/app", "./", "/app/"],
  ["/app", "x", "/app/x"],
  ["/app", "x/", "/app/x/"],
  ["/app", "/x", "/x"],
  ["/app", "..", "/"],
  ["/a/b", "../c", "/a/c"],
  ["/app", "../../../x", "/x"],
  ["/app", "//x//y/", "/x/y/"],
];

for (const [workdir, text, path] of targets) {
  test(`target ${text} in ${workdir ?? "no folder"} is ${path}`, (t) => {
    t.is(targetPath(workdir, text), path);
  });
}

const span = { start: { line: 1, column: 1 }, end: { line: 1, column: 2 } };
const source = { name: "Dockerfile", text: "" };

for (const [text, mode] of [
  ["755", 0o755],
  ["0644", 0o644],
  ["7", 7],
  ["4755", 0o4755],
] as const) {
  test(`mode ${text} is octal`, (t) => {
    t.is(parseMode({ text, span }, source), mode);
  });
}

test("a mode of clauses is kept as it is written", (t) => {
  t.is(parseMode({ text: "u=rwX,go=rX", span }, source), "u=rwX,go=rX");
});

for (const text of ["", "9", "12345", "u+y", "0x1", " 755"]) {
  test(`mode ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parseMode({ text, span }, source), { message: /is no file mode/ });
  });
}

/** A COPY whose words stand as they are. */
function copyOf(words: string): { step: Copy; source: { name: string; text: string } } {
  const text = `# escape=${"`"}\nFROM x\nCOPY ${words}\n`;
  const { stages, source } = parseDockerfile({ name: "Dockerfile", text });
  return { step: stages[0]?.instructions[0] as Copy, source };
}

const onWindows: [workdir: string | undefined, words: string, sources: string[], target: string][] = [
  [undefined, "a b", ["a"], "/b"],
  ["C:\\app", "a .", ["a"], "/app/"],
  ["C:\\app", "a .\\", ["a"], "/app/"],
  ["C:\\app", "a x\\y", ["a"], "/app/x/y"],
  ["C:\\app", "a ..\\x\\", ["a"], "/x/"],
  ["C:\\app", "a C:\\", ["a"], "/"],
  ["C:\\app", "a c:/x/", ["a"], "/x/"],
  ["C:\\app", "a C:x", ["a"], "/app/x"],
  ["C:\\app", "a /x", ["a"], "/x"],
  ["C:\\app", "a \\x", ["a"], "/x"],
  ["C:\\app", '["a", "C:\\\\Program Files\\\\x\\\\"]', ["a"], "/Program Files/x/"],
  ["C:\\", "bin\\app.exe *.dll .\\conf\\ . C:\\x\\", ["bin/app.exe", "*.dll", "conf", "."], "/x/"],
  ["C:\\", "C:\\in\\file ..\\x .", ["in/file", "x"], "/"],
  ["C:\\", "C:\\ \\\\?\\C:\\x", ["."], "/x"],
  ["C:\\app", "a C:", ["a"], "/app/"],
];
for (const [workdir, words, sources, target] of onWindows) {
  test(`Windows: COPY ${words} in ${workdir ?? "no folder"}`, (t) => {
    const { step, source } = copyOf(words);
    t.deepEqual(copyPaths(step, workdir, { os: "windows", fromOs: undefined }, source), { sources, target });
  });
}

test("a Linux stage copies from a Windows stage with either separator, and to its own paths", (t) => {
  const { step, source } = copyOf("C:\\app\\x /y /z/");
  const paths = copyPaths(step, "/srv", { os: "linux", fromOs: "windows" }, source);
  t.deepEqual(paths, { sources: ["app/x", "y"], target: "/z/" });
});

test("on Linux a backslash is a character of a name", (t) => {
  const { step, source } = copyOf("a\\b c\\d");
  const paths = copyPaths(step, "/srv", { os: "linux", fromOs: undefined }, source);
  t.deepEqual(paths, { sources: ["a\\b"], target: "/srv/c\\d" });
});

for (const [words, column] of [
  ["a D:\\x", 8],
  ["a \\\\server\\share\\x", 8],
  ["D:\\a x", 6],
] as const) {
  test(`Windows: COPY ${words} is refused with its place`, (t) => {
    const { step, source } = copyOf(words);
    const error = t.throws(() => copyPaths(step, undefined, { os: "windows", fromOs: undefined }, source));
    t.true(isWbuildError(error, "DF_WINDOWS_PATH"), error?.message);
    if (isWbuildError(error)) t.like(error.facts, { span: { start: { line: 3, column } } });
  });
}

for (const [line, swallowed] of [
  ["WORKDIR C:\\app", "C:\\app"],
  ["WORKDIR C:\\\\app", undefined],
  ["WORKDIR C:/app", undefined],
  ["COPY a C:\\b", "C:\\b"],
  ["ENV A=C:\\b", "C:\\b"],
  ["ENV A=\\$b", undefined],
  ["VOLUME C:\\b", "C:\\b"],
  ["RUN dir C:\\b", undefined],
  ["COPY a C:\\\nRUN x", "C:RUN"],
  ["ENV A=C:x", undefined],
] as const) {
  test(`the escape character swallows ${swallowed ?? "nothing"} in ${line.replace("\n", " / ")}`, (t) => {
    const { stages } = parseDockerfile({ name: "Dockerfile", text: `FROM x\n${line}\n` });
    const warning = swallowedPath(stages[0]?.instructions[0] as Copy);
    t.is(warning === undefined, swallowed === undefined, warning);
    if (swallowed !== undefined) t.true(warning?.includes(`${swallowed} `), warning);
  });
}
