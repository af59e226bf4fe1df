import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { ChangeList, type Changes } from "../../../layerfs/layer/change-list.ts";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { decodeIndex, openIndex } from "../../../layerfs/layer/layer-index.ts";
import { HeldFile } from "../../../layerfs/store/held-file.ts";
import { isWbuildError } from "../../../native/error.ts";
import { holds } from "../../doubles/holds.ts";
import { encodeIndex, set } from "./workbench.ts";

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), "wbuild-changes-"));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** More than what waits in memory, marks among them, and one that is larger than what is read at a time. */
const many: readonly Change[] = Array.from({ length: 9000 }, (_, i): Change => {
  if (i % 1000 === 7) return { kind: "delete", path: `gone-${i}` };
  const pax = i === 4000 ? new Map([["MSWINDOWS.rawsd", Buffer.alloc(100_000, 7)]]) : undefined;
  return set(`folder/file-${i}`, { size: i, mode: 0o644, ...(pax ? { pax } : {}) });
});

/** Buffers and Uint8Arrays of the same bytes alike. */
function shown(changes: Iterable<Change | undefined>): string {
  return JSON.stringify([...changes], (_, value) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Map ? [...value].map(([key, bytes]) => [key, Buffer.from(bytes).toString("hex")]) : value;
  });
}

function added(t: ExecutionContext, changes: readonly Change[]): Changes {
  const list = new ChangeList(HeldFile.scratch(join(folder(t), "scratch")));
  for (const change of changes) list.add(change);
  return list;
}

function inFile(t: ExecutionContext, bytes: Uint8Array): HeldFile {
  const path = join(folder(t), "index");
  writeFileSync(path, bytes);
  return HeldFile.open(path);
}

const ways = [
  ["a list that is added to", added],
  [
    "the index of a layer",
    (t: ExecutionContext, changes: readonly Change[]) => openIndex(inFile(t, encodeIndex(changes))),
  ],
] as const;

for (const [what, make] of ways) {
  test(`${what} gives its changes back, in any order`, (t) => {
    const changes = make(t, many);
    t.is(changes.length, many.length);
    t.is(shown(changes), shown(many));
    t.is(shown(changes.marks?.() ?? []), shown(many.filter(({ kind }) => kind !== "set")));
    const backwards = many.map((_, i) => many.length - 1 - i);
    t.is(shown(backwards.map((i) => changes.at(i))), shown(many.toReversed()));
    for (const outside of [-1, many.length, 0.5 - 1]) t.is(changes.at(outside), undefined);
  });
}

test("a list can be read and added to in turn", (t) => {
  const list = new ChangeList(HeldFile.scratch(join(folder(t), "scratch")));
  for (const [i, change] of many.entries()) {
    list.add(change);
    if (i % 500 === 0) t.is(shown([list.at(i), list.at(Math.floor(i / 2))]), shown([change, many[Math.floor(i / 2)]]));
  }
});

test("what a list needs of the disk has no name", (t) => {
  const place = folder(t);
  const list = new ChangeList(HeldFile.scratch(join(place, "scratch")));
  for (const change of many) list.add(change);
  t.deepEqual(readdirSync(place), []);
  t.is(list.length, many.length);
});

test("an index that is replaced stays as it was opened", (t) => {
  const path = join(folder(t), "index");
  writeFileSync(path, encodeIndex(many));
  const changes = openIndex(HeldFile.open(path));
  rmSync(path);
  writeFileSync(path, "WBLI");
  t.is(shown(changes), shown(many));
});

test("spoilt bytes of an index are read as the whole would be, or refused", (t) => {
  const bytes = Buffer.from(encodeIndex(many.slice(0, 20)));
  const spoiling = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(bytes.length));
  const outcome = (read: () => Iterable<Change>) => {
    try {
      return shown(read());
    } catch (error) {
      if (isWbuildError(error)) return error.code;
      throw error;
    }
  };
  holds(
    t,
    fc.property(spoiling, ([at, by, cut]) => {
      const spoilt = Buffer.from(bytes);
      spoilt[at] = (spoilt[at] ?? 0) ^ by;
      const part = spoilt.subarray(0, cut);
      return outcome(() => openIndex(inFile(t, part))) === outcome(() => decodeIndex(part));
    }),
  );
});
