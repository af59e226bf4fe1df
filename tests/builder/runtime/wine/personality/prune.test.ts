/** What of a replaced Wine goes with `wbuild prune`, and what stays: the personality of today, and any that is in use. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { requireWine } from "../../../../../builder/runtime/wine/personality/find-wine.ts";
import { personalityFolder } from "../../../../../builder/runtime/wine/personality/personality.ts";
import { pruneWine } from "../../../../../builder/runtime/wine/personality/prune.ts";
import { lockFile } from "../../../../../native/addon/addon.ts";
import { withWine } from "../../../../doubles/wine.ts";

const [old, other] = ["0".repeat(32), "f".repeat(32)];
const all = { all: false, dryRun: false };

/** A home with complete personalities of these names. */
function homeWith(t: ExecutionContext, ...names: string[]): string {
  const home = mkdtempSync(join(tmpdir(), "wbuild-prune-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  for (const name of names) {
    mkdirSync(join(home, "wine", name, "root/Files"), { recursive: true });
    writeFileSync(join(home, "wine", name, "root/Files/a.dll"), Buffer.alloc(8192, 1));
    writeFileSync(join(home, "wine", name, "facts.json"), "{}");
  }
  return home;
}

const left = (home: string) =>
  readdirSync(join(home, "wine"))
    .filter((name) => name !== "lock")
    .sort();

test("without Wine every personality is old", async (t) => {
  const home = homeWith(t, old, other);
  const removed = await pruneWine(home, { ...all, wine: undefined });
  t.deepEqual(removed.map(({ id }) => id).sort(), [old, other]);
  t.true(removed.every(({ bytes }) => bytes >= 8192));
  t.deepEqual(left(home), []);
});

withWine("the personality of the host's Wine stays", async (t) => {
  const wine = requireWine();
  const home = homeWith(t, old);
  const today = personalityFolder(home, wine);
  mkdirSync(today, { recursive: true });
  writeFileSync(join(today, "facts.json"), "{}");
  t.deepEqual(
    (await pruneWine(home, { ...all, wine })).map(({ id }) => id),
    [old],
  );
  t.true(existsSync(join(today, "facts.json")));
});

test("one that a process uses stays", async (t) => {
  const home = homeWith(t, old, other);
  const lock = await lockFile(join(home, "wine", old, "facts.json"), "shared");
  t.deepEqual(
    (await pruneWine(home, { ...all, wine: undefined })).map(({ id }) => id),
    [other],
  );
  t.deepEqual(left(home), [old]);
  lock?.release();
  await pruneWine(home, { ...all, wine: undefined });
  t.deepEqual(left(home), []);
});

test("a dry run tells and removes nothing; with until, what was used since stays", async (t) => {
  const home = homeWith(t, old, other);
  utimesSync(join(home, "wine", old, "facts.json"), 1000, 1000);
  const told = await pruneWine(home, { all: false, dryRun: true, wine: undefined, until: 2_000_000 });
  t.deepEqual(
    told.map(({ id }) => id),
    [old],
  );
  t.deepEqual(left(home), [old, other]);
  await pruneWine(home, { ...all, wine: undefined, until: 2_000_000 });
  t.deepEqual(left(home), [other]);
});

test("what a killed process left goes, but not what is being made; kept registries go with everything else", async (t) => {
  const home = homeWith(t, "making-1", "sessions");
  const making = await lockFile(join(home, "wine/lock"), "exclusive");
  await pruneWine(home, { ...all, wine: undefined });
  t.deepEqual(left(home), ["making-1", "sessions"]);
  making?.release();
  await pruneWine(home, { ...all, wine: undefined });
  t.deepEqual(left(home), ["sessions"]);
  await pruneWine(home, { ...all, all: true, wine: undefined });
  t.deepEqual(left(home), []);
});

test("a home without Wine's folder has nothing to remove", async (t) => {
  t.deepEqual(await pruneWine(homeWith(t), { ...all, wine: undefined }), []);
});
