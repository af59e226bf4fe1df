import test from "ava";
import { checksum, field } from "../../../../layerfs/hive/regf/base-block.ts";
import { checkHive } from "../../../../layerfs/hive/regf/check.ts";
import { marvin32 } from "../../../../layerfs/hive/regf/marvin.ts";
import { readHive } from "../../../../layerfs/hive/regf/read.ts";
import { recover } from "../../../../layerfs/hive/regf/recover.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { changedPages, newLog, numbered, oldLog } from "./logs.ts";
import { absent, fullListing, real } from "./real.ts";

for (const [bytes, low, high] of [
  [[], 0x03966e08, 0xb39efca4],
  [[0, 1, 2, 3, 4], 0x9359f08c, 0x8733f5fc],
] as const) {
  test(`marvin32 of ${bytes.length} bytes`, (t) => {
    t.deepEqual(marvin32(Uint8Array.from(bytes), 0, bytes.length), [low, high]);
  });
}

function hiveWith(...names: readonly string[]): Uint8Array {
  const root = new KeyTree("ROOT");
  for (const name of names)
    root.setSubkey(new KeyTree(name)).setValue({ name, type: 3, data: Buffer.alloc(3000, name) });
  return writeHive(hiveOf(root));
}

const before = hiveWith("a");
const middle = hiveWith("a", "b");
const after = hiveWith("a", "b", "c", "d", "e");
const step = (sequence: number, from: Uint8Array, to: Uint8Array) => ({
  sequence,
  binsSize: to.length - 4096,
  pages: changedPages(from, to),
});
const dirty = numbered(before, 4, 2);
const first = newLog(before, [step(2, before, middle)]);
const second = newLog(before, [step(3, middle, after)]);
const stale = newLog(before, [step(1, after, before)]);
const bins = (bytes: Uint8Array) => Buffer.from(bytes.subarray(4096));
const spoilt = (bytes: Uint8Array, at: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

const cases: readonly [name: string, hive: Uint8Array, logs: readonly Uint8Array[], result: Uint8Array | undefined][] =
  [
    ["a clean hive needs no logs", before, [first, second], undefined],
    ["a dirty one without logs stays as it is", dirty, [], undefined],
    ["entries over two logs", dirty, [first, second], after],
    ["the order of the logs does not matter", dirty, [second, first], after],
    ["logs may begin above the hive's number", dirty, [second], after],
    ["what is missing in between ends it", dirty, [first, newLog(before, [step(4, middle, after)])], middle],
    ["as far as it goes", dirty, [first], middle],
    ["an entry that the hive has already is not applied", dirty, [stale, first], middle],
    ["a log of an earlier time alone", dirty, [stale], undefined],
    ["an entry whose contents are spoilt ends it", dirty, [first, spoilt(second, 512 + 2000)], middle],
    ["an entry whose header is spoilt ends it", dirty, [first, spoilt(second, 512 + 16)], middle],
    ["a log whose base block is spoilt", dirty, [first, spoilt(second, 100)], middle],
    ["empty logs and other files", dirty, [new Uint8Array(0), Buffer.alloc(4096, "x"), first], middle],
    ["a lost base block comes from the log", spoilt(before, 12), [first, second], after],
    ["a log of old", dirty, [oldLog(before, after)], after],
    ["a log of old that is cut off", dirty, [oldLog(before, after).subarray(0, 4096)], undefined],
    [
      "pages outside of the bins",
      dirty,
      [newLog(before, [{ sequence: 2, binsSize: 4096, pages: changedPages(before, after) }])],
      undefined,
    ],
    ["bins of half a page", dirty, [newLog(before, [{ sequence: 2, binsSize: 4097, pages: [] }])], undefined],
    [
      "a log that asks for 4 GiB",
      dirty,
      [newLog(before, [{ sequence: 2, binsSize: 0xffff_f000, pages: [] }])],
      undefined,
    ],
  ];

for (const [name, hive, logs, result] of cases) {
  test(`recover: ${name}`, (t) => {
    const found = recover(hive, logs);
    t.is(found.recovered, result !== undefined);
    t.is(found.dirty, hive !== before);
    if (result === undefined) {
      t.is(found.bytes, hive);
      return;
    }
    t.deepEqual(bins(found.bytes), bins(result));
    const view = new DataView(found.bytes.buffer, found.bytes.byteOffset, 512);
    t.is(view.getUint32(field.primary, true), view.getUint32(field.secondary, true));
    t.is(view.getUint32(field.checksum, true), checksum(view));
    t.deepEqual(checkHive(hive, logs), []);
    t.deepEqual(fullListing(readHive(hive, { logs })), fullListing(readHive(result)));
  });
}

test("a dirty hive without logs says that it is dirty", (t) => {
  const hive = readHive(dirty);
  t.true(hive.dirty);
  t.false(hive.recovered);
  t.regex(
    checkHive(dirty)
      .map((finding) => finding.what)
      .join(),
    /dirty/,
  );
});

test("an old log of another time is not this hive's", (t) => {
  const log = oldLog(before, writeHive(readHive(after), { lastWritten: 5n }));
  t.false(recover(dirty, [log]).recovered);
});

const real_ = testUnless(absent);

real_("NewDirtyHive becomes what Windows 10 made of it", (t) => {
  const logs = [real("NewDirtyHive1/NewDirtyHive.LOG1"), real("NewDirtyHive1/NewDirtyHive.LOG2")];
  const { bytes, recovered } = recover(real("NewDirtyHive1/NewDirtyHive"), logs);
  const wanted = real("NewDirtyHive1/RecoveredHive_Windows10");
  t.true(recovered);
  t.deepEqual(bins(bytes), bins(wanted));
  t.is(Buffer.from(bytes).readUInt32LE(field.primary), 6);
  t.is(Buffer.from(bytes).readUInt32LE(field.secondary), 6);
});

real_("OldDirtyHive becomes what Windows 7 made of it, but for a time and a byte", (t) => {
  const { bytes, recovered } = recover(real("OldDirtyHive/OldDirtyHive"), [
    real("OldDirtyHive/OldDirtyHive.LOG1"),
    new Uint8Array(0),
  ]);
  const wanted = real("OldDirtyHive/RecoveredHive_Windows7");
  t.true(recovered);
  const differing: number[] = [];
  for (let at = 4096; at < wanted.length; at++) if (bytes[at] !== wanted[at]) differing.push(at);
  // The running system wrote the first bin's time and access bits of one key later.
  t.deepEqual(differing.filter((at) => at < 4096 + 20 || at >= 4096 + 28).length, 1);
  t.deepEqual(fullListing(readHive(bytes)), fullListing(readHive(wanted)));
});

real_("UsrClass.dat has more keys with its logs", (t) => {
  const hive = real("UsrClass.dat");
  const logs = [real("UsrClass.dat.LOG1"), real("UsrClass.dat.LOG2")];
  const found = readHive(hive, { logs });
  t.true(found.dirty);
  t.true(found.recovered);
  t.notDeepEqual(fullListing(found), fullListing(readHive(hive)));
  t.deepEqual(checkHive(hive, logs), []);
});
