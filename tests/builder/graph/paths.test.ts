import test from "ava";
import { parseMode, targetPath } from "../../../builder/graph/paths.ts";

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

for (const text of ["", "9", "12345", "u+x", "0x1", " 755"]) {
  test(`mode ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parseMode({ text, span }, source), { message: /is no file mode/ });
  });
}
