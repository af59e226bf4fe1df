/** Registry data and changes as people and programs read them. */
import test from "ava";
import { dataOf, differenceOf, registryLine } from "../../../../builder/image/inspect/registry-text.ts";

const text = (value: string) => Buffer.from(value, "utf16le");

const data: [title: string, type: number, bytes: Buffer, shown: unknown][] = [
  ["a string without its last NUL", 1, text("a\0"), { type: "REG_SZ", data: "a" }],
  ["a string without NUL", 1, text("a"), { type: "REG_SZ", data: "a" }],
  ["a string of odd length", 1, Buffer.from([1, 2, 3]), { type: "REG_SZ", data: "010203" }],
  ["a list", 7, text("a\0b\0\0"), { type: "REG_MULTI_SZ", data: ["a", "b"] }],
  ["an empty list", 7, text("\0"), { type: "REG_MULTI_SZ", data: [] }],
  ["a number", 4, Buffer.from([1, 2, 0, 0]), { type: "REG_DWORD", data: 513 }],
  ["a number in the other order", 5, Buffer.from([0, 0, 2, 1]), { type: "REG_DWORD_BIG_ENDIAN", data: 513 }],
  ["a long number", 11, Buffer.alloc(8, 0xff), { type: "REG_QWORD", data: "18446744073709551615" }],
  ["a number of the wrong length", 4, Buffer.from([1]), { type: "REG_DWORD", data: "01" }],
  ["bytes", 3, Buffer.from([0xab, 0]), { type: "REG_BINARY", data: "ab00" }],
  ["a type without a name", 0xffff0007, Buffer.from([1]), { type: "0xffff0007", data: "01" }],
];
for (const [title, type, bytes, shown] of data)
  test(`data: ${title}`, (t) => t.deepEqual(dataOf({ type, data: bytes }), shown as ReturnType<typeof dataOf>));

const value = (name: string, content: string) => ({ name, type: 1, data: text(`${content}\0`) });
const lines: [title: string, change: Parameters<typeof differenceOf>[1], line: string][] = [
  ["an added key", { kind: "added", path: ["A", "B"] }, "A HKLM\\SOFTWARE\\A\\B"],
  ["a deleted key", { kind: "deleted", path: ["A"] }, "D HKLM\\SOFTWARE\\A"],
  [
    "a key that is described anew",
    { kind: "changed", path: ["A"], facets: ["security"] },
    "C HKLM\\SOFTWARE\\A (security)",
  ],
  ["an added value", { kind: "added", path: ["A"], value: value("N", "x") }, 'A HKLM\\SOFTWARE\\A [N] = REG_SZ "x"'],
  ["a default value", { kind: "added", path: [], value: value("", "x") }, 'A HKLM\\SOFTWARE [(Default)] = REG_SZ "x"'],
  ["a deleted value", { kind: "deleted", path: ["A"], value: value("N", "x") }, "D HKLM\\SOFTWARE\\A [N]"],
  [
    "a changed value",
    {
      kind: "changed",
      path: ["A"],
      value: value("N", "y"),
      was: { name: "N", type: 4, data: Buffer.from([1, 0, 0, 0]) },
    },
    'C HKLM\\SOFTWARE\\A [N] = REG_SZ "y" (was REG_DWORD 1)',
  ],
  ["a name that would forge a line", { kind: "added", path: ["A\nD HKLM"] }, "A HKLM\\SOFTWARE\\A\\nD HKLM"],
  [
    "long data",
    { kind: "added", path: [], value: value("N", "x".repeat(500)) },
    `A HKLM\\SOFTWARE [N] = REG_SZ "${"x".repeat(199)}…`,
  ],
];
for (const [title, change, line] of lines) {
  test(`line: ${title}`, (t) => t.is(registryLine(differenceOf("HKLM\\SOFTWARE", change)), line));
}

test("what of a changed value differs", (t) => {
  const was = value("N", "x");
  t.deepEqual(differenceOf("R", { kind: "changed", path: [], value: { ...was, type: 2 }, was }).what, ["type"]);
  t.deepEqual(differenceOf("R", { kind: "changed", path: [], value: value("N", "y"), was }).what, ["data"]);
});
