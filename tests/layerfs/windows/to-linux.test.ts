/** What Linux keeps of a file of Windows. */
import test from "ava";
import type { Entry } from "../../../layerfs/layer/entry.ts";
import { toLinux } from "../../../layerfs/windows/to-linux.ts";

const pax = new Map([["MSWINDOWS.fileattr", Buffer.from("33")]]);
const common = { path: "a", mode: 0, uid: 7, gid: 8, size: 0, mtimeNs: 5n, pax };

test("files and folders may be read and run by everybody, belong to root, and have no records of Windows", (t) => {
  const file: Entry = { ...common, type: "file" };
  const plain = { path: "a", uid: 0, gid: 0, size: 0, mtimeNs: 5n };
  t.deepEqual(toLinux(file), { ...plain, type: "file", mode: 0o755 });
  t.deepEqual(toLinux({ ...common, type: "directory" }), { ...plain, type: "directory", mode: 0o755 });
});

const targets: [windows: string, linux: string][] = [
  ["..\\b\\c", "../b/c"],
  ["b", "b"],
  ["C:\\Users", "/Users"],
  ["c:/Users/x", "/Users/x"],
  ["\\Users", "/Users"],
  ["\\\\?\\C:\\Users", "/Users"],
  ["\\??\\C:\\Users", "/Users"],
  ["C:\\", "/"],
];
for (const [target, expected] of targets) {
  test(`a link to ${target} leads to ${expected}`, (t) => {
    t.like(toLinux({ ...common, type: "symlink", target }), { target: expected, mode: 0o777 });
  });
}
