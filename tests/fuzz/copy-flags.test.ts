/** Values of COPY's flags: modes, and patterns that narrow a folder down. */
import test from "ava";
import fc from "fast-check";
import { excludeRule, parentsRule } from "../../builder/context/narrow.ts";
import { cleanSource } from "../../builder/context/select.ts";
import { applyFileMode, readFileMode } from "../../builder/graph/file-mode.ts";
import type { Entry } from "../../layerfs/layer/entry.ts";
import { FolderSweep } from "../../layerfs/tree/folder-sweep.ts";
import { type IgnoreRule, siftEntries } from "../../layerfs/tree/sift.ts";
import { decodeHeads, RecordWriter } from "../../native/addon/records.ts";
import { isWbuildError } from "../../native/error.ts";

const runs = Number(process.env.FUZZ_RUNS ?? 400);

const modeText = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."ugoarwxXst+-=,07") }));

test("a mode is refused or gives permission bits", (t) => {
  fc.assert(
    fc.property(modeText, fc.nat(0o7777), fc.boolean(), (text, before, isFolder) => {
      const mode = readFileMode(text);
      if (mode === undefined) return;
      const after = applyFileMode(mode, before, isFolder);
      t.true(Number.isInteger(after) && after >= 0 && after <= 0o7777, `${text}: ${after}`);
    }),
    { numRuns: runs },
  );
});

const name = fc.constantFrom("a", "b", "ab", "a.c", "d");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const piece = fc.constantFrom(
  "a",
  "b",
  "*",
  "**",
  "?",
  "a*",
  "[ab]",
  "[^a]",
  "\\a",
  ".c",
  "!",
  "#",
  "[",
  "..",
  ".",
  "",
);
const pattern = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));

/** Folders for all but the longest paths, in the order of a walk. */
function entriesOf(paths: readonly string[]): Entry[] {
  const types = new Map<string, Entry["type"]>();
  for (const one of paths) {
    const parts = one.split("/");
    parts.forEach((_, i) => {
      const own = parts.slice(0, i + 1).join("/");
      if (i < parts.length - 1) types.set(own, "directory");
      else if (!types.has(own)) types.set(own, "file");
    });
  }
  const key = (text: string) => text.replaceAll("/", "\0");
  return [...types]
    .sort(([a], [b]) => (key(a) < key(b) ? -1 : 1))
    .map(([own, type]) => ({ path: own, type, mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n }));
}

async function bothWays(entries: readonly Entry[], make: () => IgnoreRule): Promise<[string[], string[]]> {
  const top: Entry = { path: "", type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
  const below = (folder: string) =>
    entries.filter((one) => (one.path.includes("/") ? one.path.slice(0, one.path.lastIndexOf("/")) : "") === folder);
  const sifted = await siftEntries(top, make(), async (folder) => below(folder));
  const writer = new RecordWriter();
  for (const entry of entries) writer.addSet(entry);
  const swept = decodeHeads(new FolderSweep("", writer.take()).sift(make()).bytes);
  return [sifted.slice(1).map((one) => one.path), swept.map((one) => one.path)];
}

test("--exclude and --parents leave the same, entry by entry and in one piece, or are refused", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(path, { maxLength: 12 }),
      fc.array(pattern, { maxLength: 3 }),
      fc.option(pattern),
      async (paths, excluded, wanted) => {
        const make = () => {
          const left = excludeRule(excluded, undefined);
          return (wanted === null ? left : parentsRule(cleanSource(wanted), left, undefined)).rule;
        };
        try {
          make();
        } catch (error) {
          t.true(isWbuildError(error, "TREE_PATTERN"), String(error));
          return;
        }
        const [sifted, swept] = await bothWays(entriesOf(paths), make);
        t.deepEqual(swept, sifted);
      },
    ),
    { numRuns: runs },
  );
});

test("no folder is passed by in which a pattern of --parents matches", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(path, { maxLength: 12 }), pattern, async (paths, written) => {
      const wanted = cleanSource(written);
      const entries = entriesOf(paths);
      let found: string[];
      try {
        [found] = await bothWays(entries, () => parentsRule(wanted, undefined, undefined).rule);
      } catch (error) {
        t.true(isWbuildError(error, "TREE_PATTERN"), String(error));
        return;
      }
      // The same rule without any pruning: every entry is asked for, from the top down.
      const { rule } = parentsRule(wanted, undefined, undefined);
      const matching = entries.filter((one) => rule(one.path, one.type === "directory") === "keep");
      for (const { path: own } of matching) t.true(found.includes(own), `${wanted} and ${own}`);
    }),
    { numRuns: runs },
  );
});
