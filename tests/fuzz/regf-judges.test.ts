/**
 * Mutated hives, by us and by hivex, which knows nothing of ours: what we read without a word of damage it reads the same, or
 * refuses. A hive that two readers understand in two ways is how a layer shows one thing and does another.
 */
import { randomInt } from "node:crypto";
import test from "ava";
import type { HiveKey } from "../../layerfs/hive/key.ts";
import { readHive } from "../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import { isWbuildError } from "../../native/error.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { hivexmlLines, noJudges } from "../layerfs/hive/regf/judges.ts";
import { summed } from "../layerfs/hive/regf/logs.ts";
import { absent, fileWith, real } from "../layerfs/hive/regf/real.ts";
import { isFuzzing, seedOf } from "../seed.ts";
import { randomBy } from "./regf-exercise.ts";

function sample(): KeyTree {
  const root = new KeyTree("ROOT");
  for (let index = 0; index < 8; index++) {
    const key = root.setSubkey(new KeyTree(`Key ${index}`));
    if (index % 2 === 0) key.className = Buffer.from("class", "utf16le");
    key.setValue({ name: "", type: 1, data: Buffer.from("text\0", "utf16le") });
    key.setValue({ name: "Level", type: 3, data: Uint8Array.of(7, 0, 0, index) });
    key.setValue({ name: "Long", type: 3, data: Buffer.alloc(30, index) });
    key.setSubkey(new KeyTree("Deep")).setSubkey(new KeyTree("Deeper"));
  }
  root.setValue({ name: "Big", type: 3, data: Buffer.alloc(40_000, "big") });
  return root;
}

interface Cell {
  readonly at: number;
  readonly size: number;
  readonly kind: string;
}

interface Source {
  readonly bytes: Buffer;
  readonly cells: readonly Cell[];
}

/** A hive up to the end of its bins, and where the contents of its cells in use are. */
function sourceOf(hive: Uint8Array): Source {
  const whole = Buffer.from(hive);
  const bytes = whole.subarray(0, 4096 + whole.readUInt32LE(40));
  const cells: Cell[] = [];
  for (let bin = 4096; bin < bytes.length; bin += bytes.readUInt32LE(bin + 8)) {
    const end = bin + bytes.readUInt32LE(bin + 8);
    for (let at = bin + 32; at < end; at += Math.abs(bytes.readInt32LE(at))) {
      const size = -bytes.readInt32LE(at);
      if (size > 0) cells.push({ at: at + 4, size: size - 4, kind: bytes.toString("latin1", at + 4, at + 6) });
    }
  }
  return { bytes, cells };
}

const heads = new Map([
  ...["lf", "lh", "li", "ri", "sk", "db"].map((kind) => [kind, 24] as const),
  ["nk", 80],
  ["vk", 24],
]);
const odd = [0, 1, 4, 8, 0x20, 0x40, 0x7fff_ffff, 0x8000_0000, 0x8000_0004, 0x8000_0005, 0xffff_ffff, 16_344, 16_345];

function mutated({ bytes, cells }: Source, random: (below: number) => number): Buffer {
  const out = Buffer.from(bytes);
  const records = cells.filter(({ kind }) => heads.has(kind));
  const one = <T>(all: readonly T[]) => all[random(all.length)] as T;
  for (let left = 1 + random(3); left > 0; left--) {
    const cell = one(random(4) === 0 ? cells : records);
    const head = Math.min(cell.size, heads.get(cell.kind) ?? 8);
    const at = cell.at + 4 * random(Math.max(1, head >> 2));
    switch (random(6)) {
      case 0: {
        // A reference to another cell, of the same kind or any.
        const others = cells.filter(({ kind }) => kind === cell.kind || random(2) === 0);
        out.writeUInt32LE(one(others).at - 4100, at);
        break;
      }
      case 1:
        out.writeUInt32LE(one(odd), at);
        break;
      case 2:
        out.writeUInt16LE(one(odd) & 0xffff, at + 2 * random(2));
        break;
      case 3:
        out[at + random(4)] = (out[at + random(4)] ?? 0) ^ (1 << random(8));
        break;
      case 4:
        out.writeInt32LE((out.readInt32LE(cell.at - 4) + one([8, -8, 4096])) | 0, cell.at - 4);
        break;
      default:
        out[cell.at + random(cell.size)] = random(256);
    }
  }
  return summed(out);
}

/** Keys, and names of values: `[[path], name]`. */
function* namesOf(key: HiveKey, path: readonly string[] = []): Generator<readonly [readonly string[], string?]> {
  yield [path];
  for (const { name } of key.values()) yield [path, name];
  for (const below of key.subkeys()) yield* namesOf(below, [...path, below.name]);
}

/** Characters that XML has no place for, or that its readers change. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unprintable = /[\0-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]/;

/** Undefined when hivex refuses the file. */
function hivexNames(file: string): string[] | undefined {
  try {
    return hivexmlLines(file)
      .map((line) => JSON.parse(line) as [string[], string?])
      .map(([path, name]) => JSON.stringify(name === undefined ? [path] : [path, name]))
      .sort();
  } catch {
    return undefined;
  }
}

testUnless(noJudges)("mutated hives: what we read without damage hivex reads the same, or refuses", (t) => {
  t.timeout(290_000);
  const seed = seedOf(() => randomInt(2 ** 31));
  const random = randomBy(seed);
  const made = [5, 3].map((minor) => sourceOf(writeHive(hiveOf(sample()), { minor: minor as 3 | 5 })));
  const found = absent === undefined ? ["BigDataHive", "MultiSzHive", "SAM"].map((name) => sourceOf(real(name))) : [];
  const sources = [...made, ...made, ...found];
  let compared = 0;
  for (let run = 0; run < (isFuzzing ? 3000 : 150); run++) {
    const bytes = mutated(sources[random(sources.length)] as Source, random);
    let names: (readonly [readonly string[], string?])[];
    try {
      names = [...namesOf(readHive(bytes).root)];
    } catch (error) {
      if (!isWbuildError(error)) throw error;
      continue;
    }
    if (names.some(([path, name = ""]) => unprintable.test(path.join("") + name))) continue;
    const theirs = hivexNames(fileWith(t, bytes));
    if (theirs === undefined) continue;
    compared++;
    t.deepEqual(theirs, names.map((each) => JSON.stringify(each)).sort(), `seed ${seed}, run ${run}`);
  }
  t.log(`seed ${seed}: ${compared} compared`);
  t.true(compared > 20);
});

test("a mutation is met at all: a hive whose key took another's cell is damaged to us", (t) => {
  const { bytes, cells } = sourceOf(writeHive(hiveOf(sample())));
  const list = cells.find(({ kind }) => kind === "lh");
  bytes.copy(bytes, (list?.at ?? 0) + 4, (list?.at ?? 0) + 12, (list?.at ?? 0) + 16);
  t.throws(() => [...namesOf(readHive(summed(bytes)).root)], { message: /which|already|has/ });
});
