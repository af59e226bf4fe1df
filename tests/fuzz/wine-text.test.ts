/** Wine's registry text is written inside of containers: any bytes are refused by name or give a tree within bounds. */
import test from "ava";
import fc from "fast-check";
import type { HiveKey } from "../../layerfs/hive/key.ts";
import { readWineText, writeWineText } from "../../layerfs/hive/wine-text.ts";
import { isWbuildError } from "../../native/error.ts";
import { holds } from "../doubles/holds.ts";

const sample = Buffer.from(
  `WINE REGISTRY Version 2
;; All keys relative to REGISTRY\\\\Machine

#arch=win64

[Software\\\\Vendor\\\\A\\[1\\]] 1795257723
#time=1dd79a4f210aa00
#class="C"
@="x"
"n\\x20ac\\0"=str(7):"a\\0b\\0"
"h"=hex(6):5c,00,52,00,\\
  65,00

[Software\\\\vendor\\\\B] 1795257723
#link
"d"=dword:0000c6f4
`,
  "latin1",
);
const magic = sample.subarray(0, 24);
const piece = fc.constantFrom(
  ...[
    "[",
    "]",
    "\\\\",
    "\\",
    '"',
    "=",
    "\n",
    "\r\n",
    "hex:",
    "hex(7):",
    "dword:",
    "str(2):",
    "#time=",
    "#class=",
    "@",
    ",",
  ],
  ...["a", "B", "0f", "\\x", "\\xd800", "\\777", "\0", "\xff", ";", "#link\n", "\n[a\\\\b]\n", '"v"='],
);
const bytes = fc.oneof(
  fc.array(piece, { maxLength: 60 }).map((parts) => Buffer.concat([magic, Buffer.from(parts.join(""), "latin1")])),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.concat([magic, array])),
  fc
    .array(fc.record({ at: fc.nat(sample.length), cut: fc.nat(6), add: piece }), { minLength: 1, maxLength: 6 })
    .map((changes) =>
      changes.reduce(
        (text, { at, cut, add }) =>
          Buffer.concat([text.subarray(0, at), Buffer.from(add, "latin1"), text.subarray(at + cut)]),
        sample,
      ),
    ),
);

test("any bytes behind the first line are refused by name, or what they give is written and read the same", (t) => {
  holds(
    t,
    fc.property(bytes, (raw) => {
      try {
        const read = readWineText(raw);
        // Every key takes a character of the file, and so does every unit of data.
        if (measure(read.root, 0) > raw.length * 8) return false;
        const written = writeWineText(read, { relativeTo: read.relativeTo });
        const again = readWineText(written);
        return Buffer.compare(writeWineText(again, { relativeTo: read.relativeTo }), written) === 0;
      } catch (error) {
        if (!isWbuildError(error, "HIVE_WINE_TEXT")) throw error;
        return true;
      }
    }),
    { numRuns: 5000 },
  );
});

test("200,000 short sections, and paths that all differ at their end, are read in linear time", (t) => {
  const deep = "\\\\a".repeat(500);
  const sections = Array.from({ length: 2000 }, (_, at) => `[${"x".repeat(500)}${at}${deep}]\n`).join("");
  const { root } = readWineText(Buffer.from(`WINE REGISTRY Version 2\n${sections}`));
  t.is(root.subkeys().length, 2000);
  const short = Buffer.from(`WINE REGISTRY Version 2\n${"[b]\n[a]\n".repeat(100_000)}`);
  t.is(readWineText(short).root.subkeys().length, 2);
});

/** Keys and bytes of data. Throws what the keys throw when they are asked. */
function measure(key: HiveKey, depth: number): number {
  if (depth > 513) throw new Error("deeper than is allowed");
  let size = 1;
  for (const { data } of key.values()) size += data.length;
  for (const below of key.subkeys()) size += measure(below, depth + 1);
  return size;
}
