/** Windows' paths and names: what COPY and WORKDIR mean, and what no file can be called. */
import test from "ava";
import { checkWindowsPath, foldPath, nameFault } from "../../../layerfs/windows/names.ts";
import { parseWindowsPath, parseWorkdir, showWindowsPath } from "../../../layerfs/windows/path.ts";

const same = ["C:\\app\\x", "C:/app/x", "c:/app\\x", "/app/x", "\\app\\x", "\\\\?\\C:\\app\\x", "C:\\app\\.\\y\\..\\x"];
for (const text of same) {
  test(`a path: ${text} is C:\\app\\x`, (t) => {
    t.deepEqual(parseWindowsPath(text, "work"), { path: "app/x", folder: false });
  });
}

const rows: [text: string, workdir: string, path: string, folder: boolean][] = [
  ["x", "", "x", false],
  ["x", "app", "app/x", false],
  ["C:x", "app", "app/x", false],
  ["C:", "app", "app", true],
  [".", "app", "app", true],
  ["./", "app", "app", true],
  ["..", "app/y", "app", true],
  ["..\\..\\..\\x", "app", "x", false],
  ["C:\\..\\..\\x", "app", "x", false],
  ["C:\\", "app", "", true],
  ["/", "app", "", true],
  ["\\app\\", "", "app", true],
  ["app/", "", "app", true],
  ["C:\\Program Files\\x y", "", "Program Files/x y", false],
  ["\\\\foo", "app", "foo", false],
  ["a//b\\\\c", "", "a/b/c", false],
  ["x", "a/b", "a/b/x", false],
];
for (const [text, workdir, path, folder] of rows) {
  test(`a path: ${text} in ${showWindowsPath(workdir)}`, (t) => {
    t.deepEqual(parseWindowsPath(text, workdir), { path, folder });
  });
}

const refused = ["D:\\x", "d:x", "1:\\x", ":x", "\\\\server\\share\\x", "//server/share", "\\\\.\\pipe\\x", "a\0b"];
refused.push("\\\\?\\UNC\\server\\share", "\\\\?\\D:\\x", "\\\\?\\Volume{0}\\x");
for (const text of refused) {
  test(`a path: ${JSON.stringify(text)} is refused and named`, (t) => {
    const error = t.throws(() => parseWindowsPath(text, ""), { code: "WIN_PATH" });
    t.true(error?.message.startsWith('"'));
  });
}

test("WORKDIR: as dockerd has it", (t) => {
  const workdirs: [text: string, before: string, shown: string][] = [
    ["a", "", "C:\\a"],
    ["\\\\foo", "x", "C:\\foo"],
    ["C:/foo", "x", "C:\\foo"],
    ["bar", "foo", "C:\\foo\\bar"],
    ["c:\\", "foo", "C:\\"],
    ["..", "foo/bar", "C:\\foo"],
  ];
  for (const [text, before, shown] of workdirs) t.is(showWindowsPath(parseWorkdir(text, before)), shown);
  for (const text of ["C:", "c:.", "", "E:\\x"]) t.throws(() => parseWorkdir(text, "foo"), { code: "WIN_PATH" });
});

const good = [
  "a",
  "Program Files (x86)",
  "é",
  "😀",
  ".hidden",
  "a.b.c",
  "CONSOLE",
  "com0",
  "com10",
  "nulls.txt",
  "x~1",
  "$Recycle.Bin",
];
for (const name of good) test(`a name: ${name} can be`, (t) => t.is(nameFault(name), undefined));

const bad: [name: string, why: RegExp][] = [
  ["a:b", /":"/],
  ['a"b', /in it/],
  ["a<b", /in it/],
  ["a|b", /in it/],
  ["a?", /in it/],
  ["a*", /in it/],
  ["a\\b", /in it/],
  ["a\tb", /control/],
  ["a.", /ends with/],
  ["a ", /ends with/],
  ["..", /dots/],
  ["", /empty/],
  ["con", /device/],
  ["Con.txt", /device/],
  ["NUL", /device/],
  ["aux .c", /device/],
  ["COM1", /device/],
  ["lpt9.log.1", /device/],
  ["com\u00b9", /device/],
  ["\udc80", /UTF-8/],
  ["a".repeat(256), /255/],
];
for (const [name, why] of bad)
  test(`a name: ${JSON.stringify(name.slice(0, 20))} cannot be`, (t) => t.regex(nameFault(name) ?? "", why));

test("a path with an impossible name is refused with the file that has it", (t) => {
  const error = t.throws(() => checkWindowsPath("app/con.txt", "src/con.txt"), { code: "WIN_NAME" });
  t.regex(error?.message ?? "", /"src\/con\.txt": its name is that of a device/);
  const renamed = t.throws(() => checkWindowsPath("app/con", "src/sound"), { code: "WIN_NAME" });
  t.regex(renamed?.message ?? "", /"app\/con" \(a copy of "src\/sound"\): its name is that of a device/);
  t.throws(() => checkWindowsPath(Array(200).fill("a".repeat(200)).join("/")), { code: "WIN_NAME" });
  t.notThrows(() => checkWindowsPath(Array(100).fill("a".repeat(200)).join("/")));
});

test("names are one without case, by Windows' table", (t) => {
  t.is(foldPath("Program FILES/é"), foldPath("PROGRAM files/É"));
  t.not(foldPath("straße"), foldPath("STRASSE"));
  t.not(foldPath("ı"), foldPath("I"));
});
