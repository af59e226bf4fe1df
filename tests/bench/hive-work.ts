/**
 * One piece of work with a registry hive, in a process of its own (the bench bundles this file): what the library does, timed
 * without the start of Node and without reading the file from the disk.
 *
 *     node hive-work.mjs RESULT read|write|diff|merge FILE [CHANGED]
 *     node hive-work.mjs RESULT make OUT KEYS VALUES | change OUT FILE | grow OUT FILE KEYS
 *     node hive-work.mjs RESULT values COUNT
 */
import { readFileSync, writeFileSync } from "node:fs";
import { diffHives } from "../../layerfs/hive/diff.ts";
import type { Hive, HiveKey, HiveValue } from "../../layerfs/hive/key.ts";
import { mergeHives } from "../../layerfs/hive/merge.ts";
import { readHive } from "../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { copyKey, hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";

/** What is written to RESULT. */
export interface HiveWork {
  /** Seconds by the name of what was done. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly keys?: number;
  readonly values?: number;
  readonly bytes?: number;
}

function timed<T>(work: () => T): { readonly result: T; readonly seconds: number } {
  const began = process.hrtime.bigint();
  const result = work();
  return { result, seconds: Number(process.hrtime.bigint() - began) / 1e9 };
}

/** Asks for everything that a hive says. */
function readAll(key: HiveKey): { keys: number; values: number; bytes: number } {
  const found = { keys: 0, values: 0, bytes: 0 };
  const visit = (at: HiveKey) => {
    found.keys++;
    found.bytes +=
      at.name.length + (at.className?.length ?? 0) + (at.security?.length ?? 0) + Number(at.lastWrite & 1n);
    for (const { name, type, data } of at.values()) {
      found.values++;
      found.bytes += name.length + (type & 1) + data.length;
    }
    for (const below of at.subkeys()) visit(below);
  };
  visit(key);
  return found;
}

/** Types and sizes in about the shares that the registry of Windows has them. */
function sampleValue(number: number): HiveValue {
  const name = `Value${number}`;
  const kind = number % 10;
  if (kind < 3) return { name, type: 4, data: Buffer.from(Uint32Array.of(number).buffer) };
  if (kind === 3) return { name, type: 3, data: Buffer.alloc(80 + (number % 80), number & 255) };
  const text = `%SystemRoot%\\System32\\drivers\\driver${number}.sys\0`;
  return { name, type: kind === 4 ? 2 : 1, data: Buffer.from(text, "utf16le") };
}

/** Three levels, some thirty subkeys a key; the values spread evenly. */
function makeTree(keys: number, values: number): Hive {
  const root = new KeyTree("ROOT");
  const width = Math.max(2, Math.ceil(Math.cbrt(keys)));
  let made = 0;
  let given = 0;
  const add = (parent: KeyTree, name: string): KeyTree => {
    const key = parent.setSubkey(new KeyTree(name));
    key.lastWrite = 132_000_000_000_000_000n + BigInt(made++);
    for (const due = Math.floor((values * made) / keys); given < due; given++) key.setValue(sampleValue(given));
    return key;
  };
  for (let i = 0; made < keys; i++) {
    const top = add(root, `Service-${i}`);
    for (let j = 0; j < width && made < keys; j++) {
      const middle = add(top, `{4d36e9${j.toString(16).padStart(2, "0")}-e325-11ce}`);
      for (let k = 0; k < width && made < keys; k++) add(middle, `Parameters ${k}`);
    }
  }
  return hiveOf(root);
}

/** A copy in which one key of a hundred has a changed or a new value, or has gone with what is below. */
function changedCopy(hive: Hive): Hive {
  let seen = 0;
  const copy = (key: HiveKey): KeyTree => {
    const own = copyKey(key);
    const number = ++seen;
    const [first] = own.values();
    if (number % 200 === 0 && first) own.setValue({ ...first, data: Buffer.from([...first.data, 1]) });
    if (number % 200 === 100) own.setValue(sampleValue(number));
    for (const [at, below] of key.subkeys().entries()) {
      if (at > 0 && seen % 500 === 499 && below.subkeys().length === 0) {
        seen++;
        own.deleteSubkey(below.name);
      } else own.setSubkey(copy(below));
    }
    return own;
  };
  return { ...hive, root: copy(hive.root) };
}

const damage = { onDamage: () => undefined };
const open = (path = "") => {
  const bytes = readFileSync(path);
  return () => readHive(bytes, damage);
};

const works: Readonly<Record<string, (...operands: string[]) => HiveWork>> = {
  read(file) {
    const hive = open(file);
    const { result, seconds } = timed(() => readAll(hive().root));
    return { seconds: { read: seconds }, ...result };
  },
  /** The file's hive as a file again: the reader is lazy, so this reads it too. */
  write(file) {
    const hive = open(file)();
    const { result, seconds } = timed(() => writeHive(hive));
    return { seconds: { write: seconds }, bytes: result.length };
  },
  diff(file, changed) {
    const [before, after] = [open(file), open(changed)];
    const { result, seconds } = timed(() => diffHives(before(), after()));
    return { seconds: { diff: seconds }, bytes: writeHive(result).length };
  },
  /** The merged view, read whole. */
  merge(file, changed) {
    const base = open(file);
    const delta = writeHive(diffHives(base(), open(changed)()));
    const { result, seconds } = timed(() => readAll(mergeHives([base(), readHive(delta)]).root));
    return { seconds: { merge: seconds }, ...result };
  },
  make(out = "", keys = "", values = "") {
    const { result, seconds } = timed(() => writeHive(makeTree(Number(keys), Number(values))));
    writeFileSync(out, result);
    return { seconds: { make: seconds }, bytes: result.length };
  },
  change(out = "", file = "") {
    const { result, seconds } = timed(() => writeHive(changedCopy(open(file)())));
    writeFileSync(out, result);
    return { seconds: { change: seconds }, bytes: result.length };
  },
  /** A hive with so many keys more, each with two values. */
  grow(out = "", file = "", keys = "") {
    const root = copyKey(open(file)().root);
    root.setSubkey(copyKey(makeTree(Number(keys), 2 * Number(keys)).root, "Products"));
    const { result, seconds } = timed(() => writeHive(hiveOf(root)));
    writeFileSync(out, result);
    return { seconds: { grow: seconds }, bytes: result.length };
  },
  /** So many values in a hive of a tenth as many keys, from trees in memory and back. */
  values(count = "") {
    const values = Number(count);
    const tree = makeTree(values / 10, values);
    const write = timed(() => writeHive(tree));
    const read = timed(() => readAll(readHive(write.result).root));
    const before = readHive(write.result);
    const after = readHive(writeHive(changedCopy(tree)));
    const diff = timed(() => diffHives(before, after));
    const merge = timed(() => readAll(mergeHives([before, diff.result]).root));
    const seconds = { read: read.seconds, write: write.seconds, diff: diff.seconds, merge: merge.seconds };
    return { seconds, ...read.result, bytes: write.result.length };
  },
};

const [result = "", what = "", ...operands] = process.argv.slice(2);
const work = works[what];
if (!work) throw new Error(`no such work: ${what}`);
writeFileSync(result, JSON.stringify(work(...operands)));
