import test from "ava";
import fc from "fast-check";
import { fromRawBytes, showPath } from "../../../layerfs/layer/raw-path.ts";
import { bytesOfName } from "../../../native/addon/raw-bytes.ts";
import { holds } from "../../doubles/holds.ts";

const rows: [title: string, bytes: number[], text: string][] = [
  ["ASCII", [0x61, 0x2f, 0x62], "a/b"],
  ["UTF-8", [0xc3, 0xa9, 0xf0, 0x9f, 0x92, 0x80], "é💀"],
  ["a stray byte", [0x61, 0xff, 0x62], "a\udcffb"],
  ["an overlong slash", [0xc0, 0xaf], "\udcc0\udcaf"],
  ["an encoded surrogate", [0xed, 0xb2, 0x80], "\udced\udcb2\udc80"],
  ["a cut sequence", [0xe2, 0x82], "\udce2\udc82"],
  ["beyond Unicode", [0xf4, 0x90, 0x80, 0x80], "\udcf4\udc90\udc80\udc80"],
  ["a real replacement character", [0xef, 0xbf, 0xbd], "\ufffd"],
];
for (const [title, bytes, text] of rows) {
  test(`raw path: ${title}`, (t) => {
    t.is(fromRawBytes(Buffer.from(bytes)), text);
    t.deepEqual([...bytesOfName(text)], bytes);
  });
}

test("raw path: any bytes but NUL survive the way there and back", (t) => {
  const some = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.filter((byte) => byte !== 0));
  holds(
    t,
    fc.property(some, (bytes) => Buffer.from(bytes).equals(bytesOfName(fromRawBytes(bytes)))),
    { numRuns: 2000 },
  );
});

for (const [title, text] of [
  ["a NUL", "a\0b"],
  ["a high surrogate alone", "a\ud800"],
  ["a low one outside the escapes", "\udd00"],
] as const) {
  test(`raw path: ${title} stands for no bytes`, (t) => {
    t.throws(() => bytesOfName(text), { code: "LAYER_NAME" });
  });
}

test("raw path: what is shown drives no terminal", (t) => {
  t.is(showPath("a\u001b[31m\udcff\u202eb"), "a\\u{1b}[31m\\xff\\u{202e}b");
});
