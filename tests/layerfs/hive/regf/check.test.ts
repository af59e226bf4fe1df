import test from "ava";
import { field } from "../../../../layerfs/hive/regf/base-block.ts";
import { checkHive } from "../../../../layerfs/hive/regf/check.ts";
import { nkField } from "../../../../layerfs/hive/regf/layout.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { numbered, summed } from "./logs.ts";
import { absent, real, soundHives } from "./real.ts";

for (const name of soundHives) {
  testUnless(absent)(`Windows wrote ${name} without a finding`, (t) => {
    const found = checkHive(real(name)).filter(({ what }) => !/dirty|pending/.test(what));
    t.deepEqual(found, []);
  });
}

function sample(differencing = false): Buffer {
  const root = new KeyTree("ROOT");
  for (const name of ["a", "b", "c"]) {
    root.setSubkey(new KeyTree(name)).setValue({ name: "value", type: 3, data: Buffer.from(`data of ${name}`) });
  }
  return Buffer.from(writeHive(hiveOf(root, { differencing })));
}

/** File offset of the contents of the first record of a kind. */
const first = (bytes: Buffer, kind: string, from = 4096) => bytes.indexOf(kind, from);
/** Of the key "a". */
const keyA = (bytes: Buffer) => first(bytes, "nk", first(bytes, "nk") + 1);

const cases: readonly [name: string, spoil: (bytes: Buffer) => void, found: RegExp][] = [
  ["checksum", (b) => b.writeUInt32LE(1, field.checksum), /^its checksum, version or format is wrong$/],
  ["dirty", (b) => b.set(numbered(b, 2, 1)), /dirty: its sequence numbers are 2 and 1/],
  ["type", (b) => b.writeUInt32LE(1, field.type), /type 1/],
  ["flags", (b) => b.writeUInt32LE(8, field.flags), /flags are 8/],
  ["bin header", (b) => b.write("x", 4096), /no bin begins here/],
  ["cell size", (b) => b.writeInt32LE(-12, keyA(b) - 4), /size is -12/],
  ["parent", (b) => b.writeUInt32LE(0, keyA(b) + nkField.parent), /another key as its parent/],
  ["root flag", (b) => b.writeUInt16LE(0x24, keyA(b) + nkField.flags), /says that it is a root/],
  ["subkey count", (b) => b.writeUInt32LE(4, first(b, "nk") + nkField.subkeys), /3 of its 4 subkeys/],
  ["order", (b) => b.write("z", keyA(b) + nkField.name), /stands behind "z"/],
  ["hash", (b) => b.writeUInt32LE(0, first(b, "lh") + 8), /hash or hint of "a"/],
  ["longest subkey", (b) => b.writeUInt16LE(0, first(b, "nk") + nkField.longestSubkey), /longest subkey name/],
  ["longest value name", (b) => b.writeUInt32LE(9, keyA(b) + nkField.longestValueName), /longest value name/],
  ["longest value", (b) => b.writeUInt32LE(8, keyA(b) + nkField.longestValue), /longest value data/],
  ["references", (b) => b.writeUInt32LE(9, first(b, "sk") + 12), /4 keys use it, it says 9/],
  ["ring", (b) => b.writeUInt32LE(0x20, first(b, "sk") + 8), /does not point back/],
  ["descriptor", (b) => b.writeUInt8(2, first(b, "sk") + 20), /no security descriptor/],
  ["a value less", (b) => b.writeUInt32LE(0, keyA(b) + nkField.values), /nothing leads to it/],
  [
    "layer in a plain hive",
    (b) => b.writeUInt8(1, keyA(b) + nkField.layer),
    /layer byte is 1 in a hive without layers/,
  ],
];

test("what we write has no finding", (t) => {
  t.deepEqual(checkHive(sample()), []);
  t.deepEqual(checkHive(sample(true)), []);
});

for (const [name, spoil, found] of cases) {
  test(`found: ${name}`, (t) => {
    const bytes = sample();
    spoil(bytes);
    if (name !== "checksum") summed(bytes);
    const findings = checkHive(bytes);
    t.true(
      findings.some(({ what }) => found.test(what)),
      findings.map(({ what }) => what).join(" · "),
    );
  });
}

for (const [name, spoil, found] of [
  ["layer bits", (b: Buffer) => b.writeUInt8(4, keyA(b) + nkField.layer), /unknown bits/],
  ["tombstone with contents", (b: Buffer) => b.writeUInt8(1, keyA(b) + nkField.layer), /deleted and has contents/],
  ["merge below a replaced tree", (b: Buffer) => b.writeUInt8(3, first(b, "nk") + nkField.layer), /merges below/],
  ["tombstone value with data", (b: Buffer) => b.writeUInt16LE(3, first(b, "vk") + 16), /has data or a type/],
] as const) {
  test(`found in a differencing hive: ${name}`, (t) => {
    const bytes = sample(true);
    spoil(bytes);
    const findings = checkHive(bytes);
    t.true(
      findings.some(({ what }) => found.test(what)),
      findings.map(({ what }) => what).join(" · "),
    );
  });
}

test("a finding names its key, and many findings end", (t) => {
  const bytes = sample();
  bytes.writeUInt32LE(0, keyA(bytes) + nkField.parent);
  t.deepEqual(checkHive(bytes)[0]?.key, ["a"]);
  const root = new KeyTree("ROOT");
  for (let index = 0; index < 3000; index++) root.setSubkey(new KeyTree(`${index}`));
  const wide = Buffer.from(writeHive(hiveOf(root)));
  for (let at = keyA(wide); at > 0; at = wide.indexOf("nk", at + 1)) wide.writeUInt32LE(0, at + nkField.parent);
  const findings = checkHive(wide);
  t.is(findings.length, 1001);
  t.is(findings.at(-1)?.what, "there is more");
});

test("what is no hive is one finding", (t) => {
  t.is(checkHive(Buffer.from("text")).length, 1);
});
