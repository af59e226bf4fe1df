import test from "ava";
import fc from "fast-check";
import type { Hive } from "../../../../layerfs/hive/key.ts";
import { field } from "../../../../layerfs/hive/regf/base-block.ts";
import { checkHive } from "../../../../layerfs/hive/regf/check.ts";
import { defaultSecurity } from "../../../../layerfs/hive/regf/default-security.ts";
import { nameHash, nameHint } from "../../../../layerfs/hive/regf/names.ts";
import { readHive } from "../../../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { copyKey, hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { layeredHives, plainHives } from "./random.ts";
import { absent, fullListing, hex, real, soundHives } from "./real.ts";

/** As `fullListing`, with the descriptors that keys without one get. */
function withSecurity(hive: Hive): Hive {
  const dress = (key: KeyTree, above: Uint8Array): void => {
    key.security ??= above;
    for (const subkey of key.subkeys()) dress(subkey as KeyTree, key.security);
  };
  dress(hive.root as KeyTree, defaultSecurity);
  return hive;
}

for (const name of soundHives) {
  testUnless(absent)(`${name} is the same when written and read`, (t) => {
    const hive = readHive(real(name));
    const written = writeHive(hive);
    const again = readHive(written);
    t.is(again.minor, hive.minor);
    t.is(again.differencing, hive.differencing);
    t.is(again.lastWritten, hive.lastWritten);
    t.false(again.dirty);
    t.true(fullListing(again).join("\n") === fullListing(hive).join("\n"));
    t.true(written.length <= hive.bytes.length);
    t.true(Buffer.compare(writeHive(again), written) === 0, "the same tree, the same bytes");
  });
}

test("property: what is written is read, whatever the version, and nothing is wrong with it", (t) => {
  fc.assert(
    fc.property(fc.oneof(plainHives("any"), layeredHives()), fc.constantFrom(3, 4, 5, 6), (hive, minor) => {
      const written = writeHive(hive, { minor: minor as 3 | 4 | 5 | 6 });
      const again = readHive(written);
      t.deepEqual(fullListing(again), fullListing(withSecurity(hive)));
      t.deepEqual(
        // What is random about the trees beside: descriptors, and semantics where Windows has others.
        checkHive(written).filter(({ what }) => !/no security descriptor|merges below/.test(what)),
        [],
      );
      t.deepEqual(writeHive(again), written);
    }),
    { numRuns: 150 },
  );
});

test("names are hashed and hinted as Windows does", (t) => {
  for (const [name, hash] of [
    ["Microsoft", 0x7f00cd26],
    ["CurrentControlSet", 0x23b1b3f4],
    ["Windows", 0x2f7de68b],
    ["Software", 0xe9fe1463],
    ["Café", 0x00352f57],
    ["Acme", 0x0033aece],
  ] as const) {
    t.is(nameHash(name) >>> 0, hash, name);
  }
  t.is(nameHint("Acme!"), Buffer.from("Acme").readInt32LE());
  t.is(nameHint("ab"), 0x6261);
  t.is(nameHint("aключ"), 0);
});

function delta(): Hive {
  const root = new KeyTree("ROOT");
  const time = 132_000_000_000_000_000n;
  root.lastWrite = time;
  const acme = root.setSubkey(new KeyTree("Acme"));
  acme.lastWrite = time;
  acme.inheritClass = true;
  acme.setValue({ name: "Level", type: 4, data: Uint8Array.of(7, 0, 0, 0) });
  acme.setValue({ name: "Old", type: 0, data: new Uint8Array(0), tombstone: true });
  acme.setSubkey(new KeyTree("New")).lastWrite = time;
  acme.setSubkey(new KeyTree("Gone")).layer = "tombstone";
  return { ...hiveOf(root, { differencing: true }), lastWritten: time };
}

test("a delta, as worked out by hand", (t) => {
  const bytes = Buffer.from(writeHive(delta(), { fileName: "Software_Delta" }));
  t.is(bytes.length, 8192);
  t.is(
    bytes.subarray(0, 0x30).toString("hex"),
    ["72656766010000000100000000005af64cf5d401010000000600000000000000", "01000000200000000010000001000000"].join(""),
  );
  t.is(bytes.toString("utf16le", 0x30, 0x4c), "Software_Delta");
  t.is(bytes.readUInt32LE(field.flags), 2);
  t.is(bytes.toString("latin1", 176, 180), "OfRg");
  t.is(bytes.readUInt32LE(180), 1);
  const has = (text: string) => t.true(bytes.includes(Buffer.from(text.replaceAll(" ", ""), "hex")), text);
  has("6e6b2c00 00005af64cf5d401 00 00 0000 00000000 01000000 00000000"); // ROOT
  has("6e6b2000 00005af64cf5d401 00 80 0000 20000000 02000000 00000000"); // Acme
  has("6e6b2000 0000000000000000 00 01 0000"); // Gone
  has("766b0500 04000080 07000000 04000000 01000000"); // Level
  has("766b0300 00000000 ffffffff 00000000 03000000"); // Old
  has("ceae3300"); // hash of Acme
  t.is(bytes.readUInt32LE(0x1020 + 4 + 52) & 0xffff, 8, "the longest subkey's name");
  t.deepEqual(checkHive(bytes), []);
});

test("an empty delta takes 8 KiB", (t) => {
  const bytes = writeHive(hiveOf(new KeyTree("ROOT"), { differencing: true }));
  t.is(bytes.length, 8192);
  const { root, differencing, minor } = readHive(bytes);
  t.true(differencing);
  t.is(minor, 6);
  t.is(root.layer, "merge");
  t.deepEqual(root.subkeys(), []);
  t.is(hex(root.security), hex(defaultSecurity));
});

test("more than 1000 subkeys are kept in leaves of 506", (t) => {
  for (const [count, kinds] of [
    [1000, { lh: 1 }],
    [1001, { ri: 1, lh: 2 }],
    [1519, { ri: 1, lh: 4 }],
  ] as const) {
    const root = new KeyTree("ROOT");
    for (let index = 0; index < count; index++) root.setSubkey(new KeyTree(`${index}`));
    const bytes = Buffer.from(writeHive(hiveOf(root)));
    t.is(readHive(bytes).root.subkeys().length, count);
    const found: Record<string, number> = {};
    for (let at = 4096; at < bytes.length; at += 4096) {
      // Bins may span pages; their cells are walked from each bin's begin.
      if (bytes.toString("latin1", at, at + 4) !== "hbin") continue;
      for (let cell = at + 32; cell < at + bytes.readUInt32LE(at + 8); cell += Math.abs(bytes.readInt32LE(cell))) {
        const kind = bytes.toString("latin1", cell + 4, cell + 6);
        if (kind === "ri" || kind === "lh") found[kind] = (found[kind] ?? 0) + 1;
      }
    }
    t.deepEqual(found, { ...kinds });
  }
});

test("a predefined key keeps its number", (t) => {
  const root = new KeyTree("ROOT");
  const key = root.setSubkey(new KeyTree("009"));
  key.flags = 0x40;
  key.predefinedHandle = 0x8000_0050;
  const read = readHive(writeHive(hiveOf(root))).root.subkey("009");
  t.is(read?.flags, 0x40);
  t.is(read?.predefinedHandle, 0x8000_0050);
  t.deepEqual(read?.values(), []);
});

test("no flag hides values: a key that stands for no predefined key is damaged, and we write none", (t) => {
  const root = new KeyTree("ROOT");
  const key = root.setSubkey(new KeyTree("Run"));
  key.setValue({ name: "a", type: 4, data: Uint8Array.of(1, 0, 0, 0) });
  key.flags = 0x40;
  const bytes = writeHive(hiveOf(copyKey(root)));
  t.is(readHive(bytes).root.subkey("Run")?.value("a")?.data[0], 1);
  const flags = Buffer.from(bytes).indexOf(Buffer.from("nk\x20\0", "latin1")) + 2;
  bytes[flags] = 0x60;
  const damaged = readHive(bytes).root.subkey("Run");
  t.throws(() => damaged?.values(), { message: /stands for the predefined key 1,/ });
  t.true(checkHive(bytes).some(({ what }) => what.includes("predefined key 1")));
  key.predefinedHandle = 0x8000_0050;
  t.is(copyKey(key).predefinedHandle, 0x8000_0050);
});

function deep(levels: number): KeyTree {
  const root = new KeyTree("ROOT");
  let key = root;
  for (let level = 1; level < levels; level++) key = key.setSubkey(new KeyTree("d"));
  return root;
}

test("512 levels fit", (t) => {
  let [key, levels] = [readHive(writeHive(hiveOf(deep(512)))).root, 1];
  for (let below = key.subkeys()[0]; below !== undefined; below = key.subkeys()[0]) [key, levels] = [below, levels + 1];
  t.is(levels, 512);
});

const value = (name: string, data = new Uint8Array(0)) => new KeyTree("ROOT").setValue({ name, type: 3, data });
const child = (name: string) => {
  const root = new KeyTree("ROOT");
  root.setSubkey(new KeyTree(name));
  return root;
};
const layered = child("x");
(layered.subkey("x") as KeyTree).layer = "tombstone";
const classy = new KeyTree("ROOT");
classy.className = new Uint8Array(65_536);

for (const [name, root, minor, message] of [
  ["a 513th level", deep(513), 5, /512 levels/],
  ["a name of 256 units", child("x".repeat(256)), 5, /1 to 255 units/],
  ["a name with a backslash", child("a\\b"), 5, /backslash/],
  ["no name", child(""), 5, /1 to 255 units/],
  ["a value's name of 16,384 units", value("x".repeat(16_384)), 5, /at most 16383/],
  ["more than a mebibyte in 1.3", value("v", new Uint8Array((1 << 20) + 1)), 3, /version 1\.3/],
  ["a class of 64 KiB", classy, 5, /65536 bytes/],
  ["a tombstone in a plain hive", layered, 5, /only a differencing hive/],
] as const) {
  test(`refused: ${name}`, (t) => {
    t.throws(() => writeHive(hiveOf(root), { minor }), { code: "HIVE_LIMIT", message });
  });
}
