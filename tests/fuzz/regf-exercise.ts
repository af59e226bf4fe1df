/** Spoilt hives and logs through reader, writer and check; run by regf.test.ts, and alone for as long as one likes. */

import type { HiveKey } from "../../layerfs/hive/key.ts";
import { checkHive } from "../../layerfs/hive/regf/check.ts";
import { readHive } from "../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { isWbuildError } from "../../native/error.ts";
import { changedPages, hashed, newLog, numbered, oldLog, summed } from "../layerfs/hive/regf/logs.ts";

/** A small fast generator (mulberry32); one number names all cases. */
export function randomBy(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function sample(layered: boolean, width: number, data: number): KeyTree {
  const root = new KeyTree("ROOT");
  for (let index = 0; index < width; index++) {
    const key = root.setSubkey(new KeyTree(`Key ${index}`));
    key.security = Uint8Array.of(1, 0, 0, 128, ...new Array(17).fill(index % 3));
    if (index % 4 === 0) key.className = Buffer.from("class", "utf16le");
    if (layered && index % 5 === 1) key.layer = "supersede-local";
    if (layered && index % 5 === 2) key.layer = "tombstone";
    if (key.layer === "tombstone") continue;
    key.setValue({ name: "", type: 1, data: Buffer.from("text\0", "utf16le") });
    key.setValue({ name: "Level", type: 4, data: Uint8Array.of(7, 0, 0, 0) });
    if (layered) key.setValue({ name: "Gone", type: 0, data: new Uint8Array(0), tombstone: true });
    key
      .setSubkey(new KeyTree("ключ"))
      .setSubkey(new KeyTree("Deep"))
      .setValue({ name: "é", type: 3, data: Buffer.alloc(9) });
  }
  if (data > 0) root.setValue({ name: "Big", type: 3, data: Buffer.alloc(data, "big") });
  return root;
}

interface Case {
  readonly hive: Uint8Array;
  readonly logs: readonly Uint8Array[];
}

/** Clean hives of every kind of record, and dirty ones with the logs that mend them. */
function samples(): Case[] {
  const before = writeHive(hiveOf(sample(false, 3, 0)));
  const after = writeHive(hiveOf(sample(false, 9, 0)));
  const binsSize = after.length - 4096;
  const pages = changedPages(before, after);
  const half = pages.length >> 1;
  const cases: Case[] = [
    { hive: writeHive(hiveOf(sample(false, 6, 0)), { minor: 3 }), logs: [] },
    { hive: writeHive(hiveOf(sample(false, 2, 40_000))), logs: [] },
    { hive: writeHive(hiveOf(sample(true, 12, 0), { differencing: true })), logs: [] },
    {
      hive: numbered(before, 3, 2),
      logs: [
        newLog(before, [{ sequence: 2, binsSize, pages: pages.slice(0, half) }]),
        newLog(before, [
          { sequence: 3, binsSize, pages: pages.slice(half) },
          { sequence: 4, binsSize, pages: [] },
        ]),
      ],
    },
    { hive: numbered(before, 3, 2), logs: [oldLog(before, after)] },
  ];
  const wide = new KeyTree("ROOT");
  for (let index = 0; index < 1100; index++) wide.setSubkey(new KeyTree(`${index}`));
  return [...cases, { hive: writeHive(hiveOf(wide)), logs: [] }];
}

const oddNumbers = [0, 1, 4, 8, 0x20, 0x1000, 0x7fff_ffff, 0x8000_0000, 0x8000_0005, 0xffff_fff8, 0xffff_ffff];

function spoil(source: Uint8Array, random: (below: number) => number): Buffer {
  let bytes: Buffer = Buffer.from(source);
  if (bytes.length < 512) return bytes;
  const place = (step: number, size: number) => step * random(Math.floor((bytes.length - size) / step) + 1);
  for (let left = 1 + random(6); left > 0; left--) {
    // Most bytes of a hive are contents; half of the time one of the first records, and sometimes the base block.
    switch (random(8)) {
      case 0: {
        const at = place(1, 1);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
        break;
      }
      case 1:
        bytes[place(1, 1)] = random(256);
        break;
      case 2:
        bytes.writeUInt32LE(oddNumbers[random(oddNumbers.length)] ?? 0, place(4, 4));
        break;
      case 3:
        // Where references stand: another dword of the file, so that cells are led to twice and lists loop.
        bytes.copy(bytes, place(4, 4), ...span(place(4, 4), 4));
        break;
      case 4: {
        const at = place(4, 4);
        bytes.writeInt32LE((bytes.readInt32LE(at) + [8, -8, 1, -1, 4096, -4096][random(6)]!) | 0, at);
        break;
      }
      case 5: {
        const size = 8 * (1 + random(32));
        if (bytes.length > size) bytes.copy(bytes, place(8, size), ...span(place(8, size), size));
        break;
      }
      case 6:
        bytes.writeUInt16LE(random(2) === 0 ? 0xffff : random(0x1_0000), place(2, 2));
        break;
      default:
        if (random(8) === 0) bytes = bytes.subarray(0, Math.max(512, random(bytes.length)));
        else bytes.writeUInt32LE(0x20 + 8 * random(bytes.length >> 3), place(4, 4));
    }
  }
  return random(2) === 0 ? summed(bytes) : bytes;
}

function span(from: number, length: number): [number, number] {
  return [from, from + length];
}

/** As `spoil`; half of the time each entry gets its hashes anew, so that what lies behind them is met. */
function spoilLog(source: Uint8Array, random: (below: number) => number): Buffer {
  const bytes = spoil(source, random);
  if (random(2) === 0) return bytes;
  for (let at = 512; at + 40 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4);
    if (size < 40 || at + size > bytes.length) break;
    hashed(bytes.subarray(at, at + size));
    at += size;
  }
  return bytes;
}

/** Touches everything; the number of keys and values. */
function walk(key: HiveKey): number {
  let count = key.lastWrite < 0n || (key.security ?? key.className)?.length === 0 ? 2 : 1;
  for (const value of key.values()) {
    count++;
    if (key.value(value.name) === undefined) throw new Error(`no value ${value.name}`);
  }
  for (const subkey of key.subkeys()) {
    count += walk(subkey);
    if (key.subkey(subkey.name) === undefined) throw new Error(`no subkey ${subkey.name}`);
  }
  return count;
}

/** WbuildErrors are what should come; anything else is passed on. */
function expectingErrors(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isWbuildError(error)) throw error;
  }
}

export interface Exercised {
  readonly runs: number;
  /** Cases in which a damage was told. */
  readonly damaged: number;
  readonly recovered: number;
  readonly slowest: number;
}

/** Throws, with the seed and the run, for a crash, a tree larger than its file, or one case over a second. */
export function exercise(runs: number, seed: number, report?: (run: number) => void): Exercised {
  const random = randomBy(seed);
  const all = samples();
  let [damaged, recovered, slowest] = [0, 0, 0];
  for (let run = 0; run < runs; run++) {
    if (run % 10_000 === 0) report?.(run);
    // The last one is large: seldom.
    const { hive, logs } = all[random(30) === 0 ? all.length - 1 : random(all.length - 1)] as Case;
    const spoilt = logs.length > 0 && random(2) === 0 ? Buffer.from(hive) : spoil(hive, random);
    const spoiltLogs = logs.map((log) => spoilLog(log, random));
    const started = performance.now();
    try {
      expectingErrors(() => {
        let told = 0;
        const found = readHive(spoilt, { logs: spoiltLogs, onDamage: () => told++ });
        const count = walk(found.root);
        if (count > 2 * found.bytes.length) throw new Error(`${count} keys and values`);
        if (told > found.bytes.length) throw new Error(`${told} damages`);
        damaged += told > 0 ? 1 : 0;
        recovered += found.recovered ? 1 : 0;
        // What was left is a hive: it can be written, and then nothing is wrong with it.
        const written = writeHive(found, { minor: 5 });
        const again = readHive(written, {
          onDamage: ({ what }) => {
            throw new Error(`what we wrote is damaged: ${what}`);
          },
        });
        if (walk(again.root) !== count) throw new Error("what we wrote is another tree");
      });
      expectingErrors(() => walk(readHive(spoilt).root));
      checkHive(spoilt, spoiltLogs);
    } catch (error) {
      throw new Error(`seed ${seed}, run ${run}`, { cause: error });
    }
    const took = performance.now() - started;
    slowest = Math.max(slowest, took);
    if (took > 5000) throw new Error(`seed ${seed}, run ${run} took ${took} ms`);
  }
  return { runs, damaged, recovered, slowest };
}

const [, script = "", runs, seed] = process.argv;
if (script.endsWith("regf-exercise.ts")) {
  const result = exercise(Number(runs ?? 100_000), Number(seed ?? 1), (run) => {
    process.stdout.write(`${run} ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB\n`);
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
