/** Where a link of Windows leads when Linux reads it, and back. */
import test from "ava";
import { unixTarget, windowsTarget } from "../../../layerfs/windows/link-target.ts";

const targets: [windows: string, path: string, unix: string, back: string][] = [
  ["C:\\a\\b", "x", "a/b", "a\\b"],
  ["C:\\a\\b", "a/x", "b", "b"],
  ["c:/a", "p/q/x", "../../a", "..\\..\\a"],
  ["..\\..\\..\\a", "p/x", "../a", "..\\a"],
  ["a\\.\\b\\..", "p/x", "a", "a"],
  ["\\", "p/x", "..", ".."],
  ["D:\\a", "p/x", "D:\\a", "D:\\a"],
  ["\\\\server\\share", "p/x", "\\\\server\\share", "\\\\server\\share"],
  ["\\\\?\\C:\\a", "x", "a", "a"],
];
for (const [target, path, unix, back] of targets) {
  test(`a link at ${path} to ${target}`, (t) => {
    t.is(unixTarget(target, path), unix);
    t.is(windowsTarget(unix, path), back);
  });
}

test("a link that a program for Linux made", (t) => {
  t.is(windowsTarget("/usr/x", "p/x"), "\\usr\\x");
  t.is(windowsTarget("../../../../x", "p/q/x"), "..\\..\\x");
});
