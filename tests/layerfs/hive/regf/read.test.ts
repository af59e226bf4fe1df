import test from "ava";
import type { HiveKey } from "../../../../layerfs/hive/key.ts";
import { field, isRegf } from "../../../../layerfs/hive/regf/base-block.ts";
import type { Damage } from "../../../../layerfs/hive/regf/damage.ts";
import { nkField } from "../../../../layerfs/hive/regf/layout.ts";
import { readHive } from "../../../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { summed } from "./logs.ts";
import { absent, real } from "./real.ts";

function count(key: HiveKey): { keys: number; values: number } {
  const sum = { keys: 1, values: key.values().length };
  for (const subkey of key.subkeys()) {
    const below = count(subkey);
    sum.keys += below.keys;
    sum.values += below.values;
  }
  return sum;
}

const withReal = testUnless(absent);

for (const [name, keys, values, minor, dirty] of [
  ["SYSTEM_WIN_10_1709", 43_211, 90_307, 5, true],
  ["System_Delta", 586, 820, 6, false],
  ["ManySubkeysHive", 5003, 0, 3, false],
  ["BigDataHive", 2, 2, 5, false],
] as const) {
  withReal(`${name} has ${keys} keys and ${values} values`, (t) => {
    const hive = readHive(real(name));
    t.deepEqual(count(hive.root), { keys, values });
    t.is(hive.minor, minor);
    t.is(hive.dirty, dirty);
    t.is(hive.differencing, minor === 6);
  });
}

withReal("System_Delta says what Windows' container service wrote", (t) => {
  const { root } = readHive(real("System_Delta"));
  const layers = new Map<string, number>();
  const deleted: string[] = [];
  const walk = (key: HiveKey) => {
    const layer = `${key.layer}${key.inheritClass ? ", inherit class" : ""}`;
    layers.set(layer, (layers.get(layer) ?? 0) + 1);
    for (const value of key.values()) if (value.tombstone) deleted.push(value.name);
    for (const subkey of key.subkeys()) walk(subkey);
  };
  walk(root);
  t.deepEqual(Object.fromEntries(layers), {
    merge: 8,
    "merge, inherit class": 514,
    "supersede-tree": 61,
    "supersede-tree, inherit class": 1,
    tombstone: 2,
  });
  t.is(deleted.length, 3);
  t.true(deleted.includes("ExistingPageFiles"));
  t.is(root.subkey("controlset001")?.subkey("Services")?.subkey("XBOXGIP")?.layer, "tombstone");
});

withReal("data of 16,345 and 81,725 bytes comes in segments", (t) => {
  const key = readHive(real("BigDataHive")).root.subkey("KEY_with_bigdata");
  t.deepEqual(Buffer.from(key?.value("")?.data ?? []), Buffer.alloc(16_345, "1"));
  t.deepEqual(Buffer.from(key?.value("V")?.data ?? []), Buffer.alloc(81_725, "2"));
});

/** What is left of a damaged hive, and the damages. */
function left(bytes: Uint8Array): { keys: number; damages: Damage[] } {
  const damages: Damage[] = [];
  const { root } = readHive(bytes, { onDamage: (damage) => damages.push(damage) });
  return { keys: count(root).keys, damages };
}

withReal("BadListHive: two keys with one list of subkeys", (t) => {
  const bytes = real("BadListHive");
  t.throws(() => count(readHive(bytes).root), { code: "HIVE_DAMAGED", message: /points at a cell that 0x1308 has/ });
  const { keys, damages } = left(bytes);
  t.is(keys, 6);
  t.deepEqual(
    damages.map(({ offset, record }) => ({ offset, record })),
    [{ offset: 0x13a0, record: "nk" }],
  );
});

withReal("TruncatedHive ends in its third bin", (t) => {
  const bytes = real("TruncatedHive");
  t.throws(() => readHive(bytes), {
    code: "HIVE_DAMAGED",
    message: /the file ends at 0x3000, its bins should reach to 0x78000/,
  });
  const { keys, damages } = left(bytes);
  t.is(keys, 2);
  t.is(damages.length, 11);
});

test("what is no hive is not read", (t) => {
  for (const bytes of [new Uint8Array(0), Buffer.from("regf"), Buffer.alloc(8192, "x")]) {
    t.false(isRegf(bytes));
    t.throws(() => readHive(bytes), { code: "HIVE_FORMAT" });
  }
  const future = Buffer.from(small());
  future.writeUInt32LE(7, field.minor);
  t.throws(() => readHive(summed(future)), { code: "HIVE_FORMAT", message: /1\.7/ });
});

function small(): Uint8Array {
  const root = new KeyTree("ROOT");
  root.setSubkey(new KeyTree("a")).setValue({ name: "v", type: 3, data: Buffer.from("some bytes") });
  root.setSubkey(new KeyTree("b")).setSubkey(new KeyTree("c"));
  return writeHive(hiveOf(root));
}

/** File offset of the contents of the `nk` with this name. */
function keyAt(bytes: Uint8Array, name: string): number {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = buffer.indexOf("nk"); at >= 0; at = buffer.indexOf("nk", at + 1)) {
    const length = buffer.readUInt16LE(at + nkField.nameLength);
    if (buffer.toString("latin1", at + nkField.name, at + nkField.name + length) === name) return at;
  }
  throw new Error(`no key ${name}`);
}

const spoiled: readonly [name: string, spoil: (bytes: Buffer) => void, keys: number, told: RegExp][] = [
  ["a wrong checksum", (bytes) => bytes.writeUInt32LE(5, field.checksum), 4, /checksum/],
  [
    "bins longer than the file",
    (bytes) => void bytes.writeUInt32LE(0x8000, field.binsSize),
    4,
    /checksum.*should reach/,
  ],
  [
    "a list that loops to the root",
    (b) => b.writeUInt32LE(0x20, listOf(b, "b") + 4),
    3,
    /cell that 0x24 has already.*0 of its 1/,
  ],
  ["a list of another key", (b) => b.copy(b, keyAt(b, "a") + 20, keyAt(b, "b") + 20, keyAt(b, "b") + 32), 4, /already/],
  ["an entry that points into a cell", (b) => b.writeUInt32LE(0x28, listOf(b, "b") + 4), 3, /no cell in use begins/],
  [
    "an entry that is not a multiple of 8",
    (b) => b.writeUInt32LE(0x21, listOf(b, "b") + 4),
    3,
    /no cell in use begins/,
  ],
  ["an entry in memory that is gone", (b) => b.writeUInt32LE(0x8000_0020, listOf(b, "b") + 4), 3, /0x80000020/],
  ["a name longer than its cell", (b) => b.writeUInt16LE(500, keyAt(b, "c") + nkField.nameLength), 3, /passes the end/],
  ["a name with a backslash", (b) => b.write("\\", keyAt(b, "c") + nkField.name), 3, /backslash/],
  ["two keys of one name", (b) => b.write("A", keyAt(b, "b") + nkField.name), 2, /has this name already/],
  ["a list longer than its cell", (b) => b.writeUInt16LE(999, listOf(b, "b") + 2), 4, /says 999 entries/],
  ["a cell without size", (b) => b.writeInt32LE(0, keyAt(b, "c") - 4), 3, /size is 0.*no cell in use/],
];

function listOf(bytes: Buffer, name: string): number {
  return 4096 + bytes.readUInt32LE(keyAt(bytes, name) + nkField.subkeyList) + 4;
}

for (const [name, spoil, keys, told] of spoiled) {
  test(`damage: ${name}`, (t) => {
    const bytes = Buffer.from(small());
    spoil(bytes);
    if (!name.includes("checksum") && !name.includes("bins")) summed(bytes);
    t.throws(() => count(readHive(bytes).root), { code: "HIVE_DAMAGED" });
    const found = left(bytes);
    t.is(found.keys, keys);
    t.regex(found.damages.map((damage) => damage.what).join(" · "), told);
    t.true(found.damages.every(({ offset }) => offset >= 0 && offset <= bytes.length));
  });
}

test("each damage is told once, however often it is met", (t) => {
  const bytes = Buffer.from(small());
  bytes.writeUInt32LE(0x28, listOf(bytes, "b") + 4);
  const damages: Damage[] = [];
  const { root } = readHive(bytes, { onDamage: (damage) => damages.push(damage) });
  for (let time = 0; time < 3; time++) count(root);
  t.is(damages.length, 2);
});

test("a list that thousands of keys share is one key's: a small file is no large tree", (t) => {
  const root = new KeyTree("ROOT");
  const shared = root.setSubkey(new KeyTree("0"));
  for (let index = 0; index < 900; index++) {
    shared.setSubkey(new KeyTree(`k${index}`));
    if (index > 0) root.setSubkey(new KeyTree(`${index}`));
  }
  const bytes = Buffer.from(writeHive(hiveOf(root)));
  const from = keyAt(bytes, "0");
  for (let index = 1; index < 900; index++) bytes.copy(bytes, keyAt(bytes, `${index}`) + 20, from + 20, from + 32);
  const { keys, damages } = left(bytes);
  t.is(keys, 1 + 900 + 900);
  t.is(damages.length, 899);
});

test("a view does not make its keys before they are asked for", (t) => {
  const bytes = Buffer.from(small());
  bytes.write("xx", keyAt(bytes, "c"));
  const { root } = readHive(bytes);
  t.is(root.subkey("A")?.value("V")?.type, 3);
  t.throws(() => root.subkey("b")?.subkeys(), { code: "HIVE_DAMAGED", message: /it is no key/ });
});

test("version 1.1 has a longer cell header", (t) => {
  // One key and one value: base block, a bin, nk at 0x20, vk and its list behind; 8 bytes before each contents.
  const bytes = Buffer.alloc(8192);
  bytes.write("regf");
  for (const [at, value] of [
    [4, 1],
    [8, 1],
    [20, 1],
    [24, 1],
    [32, 1],
    [36, 0x20],
    [40, 4096],
    [44, 1],
  ] as const) {
    bytes.writeUInt32LE(value, at);
  }
  bytes.write("hbin", 4096);
  bytes.writeUInt32LE(4096, 4104);
  const cell = (at: number, size: number) => {
    bytes.writeInt32LE(size, 4096 + at);
    return 4096 + at + 8;
  };
  const nk = cell(0x20, -96);
  bytes.write("nk", nk);
  bytes.writeUInt16LE(0x2c, nk + nkField.flags);
  for (const at of [28, 32, 44, 48]) bytes.writeUInt32LE(0xffff_ffff, nk + at);
  bytes.writeUInt32LE(1, nk + nkField.values);
  bytes.writeUInt32LE(0x80, nk + nkField.valueList);
  bytes.writeUInt16LE(4, nk + nkField.nameLength);
  bytes.write("Root", nk + nkField.name);
  bytes.writeUInt32LE(0x90, cell(0x80, -16));
  const vk = cell(0x90, -32);
  bytes.write("vk", vk);
  bytes.writeUInt16LE(1, vk + 2);
  bytes.writeUInt32LE(0x8000_0004, vk + 4);
  bytes.writeUInt32LE(7, vk + 8);
  bytes.writeUInt32LE(4, vk + 12);
  bytes.writeUInt16LE(1, vk + 16);
  bytes.write("x", vk + 20);
  cell(0xb0, 4096 - 0xb0);
  const { root } = readHive(summed(bytes));
  t.is(root.name, "Root");
  t.deepEqual(root.values(), [{ name: "x", type: 4, data: Uint8Array.of(7, 0, 0, 0) }]);
});

test("of two values with one name the first that can be read is taken, by both ways", (t) => {
  const root = new KeyTree("ROOT");
  for (const name of ["u", "v"]) root.setValue({ name, type: 3, data: Buffer.from(`data of ${name}`) });
  const bytes = Buffer.from(writeHive(hiveOf(root)));
  const first = bytes.indexOf("vk");
  const second = bytes.indexOf("vk", first + 2);
  bytes.write("V", first + 20);
  const names = (spoilt: Buffer) => {
    const { root } = readHive(spoilt, { onDamage: () => {} });
    t.deepEqual(root.value("v"), root.values()[0]);
    return root.values().map((value) => value.name);
  };
  t.deepEqual(names(bytes), ["V"]);
  bytes.writeUInt32LE(0x20, first + 8);
  t.deepEqual(names(bytes), ["v"]);
  bytes.writeUInt32LE(0x20, second + 8);
  t.deepEqual(names(bytes), []);
});

test("more than 10,000 damages are not told", (t) => {
  const root = new KeyTree("ROOT");
  for (let index = 0; index < 11_000; index++) root.setSubkey(new KeyTree(`${index}`));
  const bytes = Buffer.from(writeHive(hiveOf(root)));
  for (let at = keyAt(bytes, "0"); at > 0; at = bytes.indexOf("nk ", at + 1)) bytes.write("xx", at);
  const { keys, damages } = left(bytes);
  t.is(keys, 1);
  t.is(damages.length, 10_001);
  t.regex(damages.at(-1)?.what ?? "", /more damage/);
});
