/** A folder that goes into a Windows layer in one piece: the same bytes as entry by entry, or nothing at all. */
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import { type LayerInput, writeLayer } from "../../../layerfs/layer/write.ts";
import { folderTree } from "../../../layerfs/tree/folder.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import { driveTree } from "../../../layerfs/windows/drive.ts";
import { defaultSecurity, paxKey } from "../../../layerfs/windows/metadata.ts";
import { shapeLayer } from "../../../layerfs/windows/shape.ts";
import { shapeSweep } from "../../../layerfs/windows/swept.ts";
import { makeNode } from "../../../native/addon/addon.ts";
import { folderStore, scratch } from "../layer/workbench.ts";
import { entryOf, layerOf, parseChanges, writeFiles } from "../tree/files.ts";

const base = parseChanges([
  "set Files directory",
  "set Files/Windows directory",
  "set Files/Windows/System32 directory",
  "set Files/Windows/notes.txt file x",
]);

interface Options {
  readonly target?: string;
  readonly security?: Uint8Array;
  readonly epochSeconds?: number;
}

/** The layer that a folder's contents become at `target`: in one piece, and entry by entry. Undefined: not in one piece. */
async function bothWays(t: ExecutionContext, folder: string, options: Options = {}) {
  const { target = "app", security, epochSeconds } = options;
  const source = folderTree(folder);
  const below = await stackTree([layerOf(base)], { names: "windows" });
  const epoch = epochSeconds === undefined ? {} : { epochSeconds };
  const made: Change = { kind: "set", entry: entryOf(target, "directory") };
  const shape = (changes: readonly Change[]) =>
    shapeLayer({ changes, below, origin: "copy", madeNs: 0n, onDropped: () => {}, ...epoch });
  const store = folderStore(await scratch(t));
  const write = (changes: readonly LayerInput[]) =>
    writeLayer(changes, store, { compression: "none", mediaTypes: "oci", fileDigests: true, ...epoch });

  const batch = await shapeSweep((await source.sweep(""))!, {
    target,
    origin: "copy",
    look: async (path) => (path === target ? made.entry : driveTree(below).stat(path)),
    ...(security === undefined ? {} : { security }),
    ...epoch,
  });
  const each = async () => write(await shape([made, ...(await entries())]));
  const entries = async (): Promise<Change[]> =>
    (await source.walk(""))
      .filter(({ path }) => path !== "")
      .map(({ inode: _, ...entry }) => ({ kind: "set", entry: owned({ ...entry, path: `${target}/${entry.path}` }) }));
  const owned = (entry: Entry): Entry =>
    security === undefined
      ? entry
      : { ...entry, pax: new Map([[paxKey.rawSecurity, Buffer.from(Buffer.from(security).toString("base64"))]]) };
  return { whole: batch && (async () => write([...(await shape([made])), batch])), each };
}

function writeSample(folder: string): void {
  writeFiles(folder, [
    { path: "bin/tool.exe", type: "file", text: "MZ" },
    { path: "bin/\u00fcber \u4e2d\u6587.txt", type: "file", text: "names" },
    { path: "empty", type: "directory", text: "" },
    { path: "a-b", type: "file", text: "before a/" },
    { path: "a/deep/er/file", type: "file", text: "deep" },
    { path: `long/${"n".repeat(120)}/${"m".repeat(120)}`, type: "file", text: "longer than a tar's fields" },
  ]);
  for (const [name, target] of [
    ["to-file", "bin/tool.exe"],
    ["to-folder", "BIN"],
    ["to-base", "/Windows/System32"],
    ["to-link", "to-folder"],
    ["to-itself", "../app"],
    ["to-nowhere", "nowhere"],
    ["a/up", "../empty"],
  ] as const)
    symlinkSync(target, join(folder, name));
  chmodSync(join(folder, "a-b"), 0o4755);
  utimesSync(join(folder, "a-b"), 1_600_000_000.123_456_7, 1_600_000_000.123_456_7);
  utimesSync(join(folder, "empty"), -1.5, -1.5);
}

const ways: [name: string, options: Options][] = [
  ["as it is", {}],
  ["below folders of the base", { target: "Windows/System32/new" }],
  ["with SOURCE_DATE_EPOCH", { epochSeconds: 1_500_000_000 }],
  ["with a descriptor of its own", { security: defaultSecurity("file") }],
];

for (const [name, options] of ways) {
  test(`a folder in one piece makes the bytes that its entries make: ${name}`, async (t) => {
    const folder = await scratch(t);
    writeSample(folder);
    const { whole, each } = await bothWays(t, folder, options);
    const [one, other] = [await whole?.(), await each()];
    t.is(one?.layer.diffId, other.layer.diffId);
    t.deepEqual(one?.index, other.index);
  });
}

const notWhole: [name: string, path: string, text?: string][] = [
  ["a name that Windows cannot have", "d/a:b"],
  ["a device's name", "d/Aux.txt"],
  ["a dot at the end", "d./x"],
  ["a name that means a deletion", "d/.wh.x"],
  ["a note of importers", "d/x.$wcidirs$"],
];
for (const [name, path] of notWhole) {
  test(`a folder is not taken in one piece with ${name}`, async (t) => {
    const folder = await scratch(t);
    writeFiles(folder, [{ path, type: "file", text: "" }]);
    t.is((await bothWays(t, folder)).whole, undefined);
  });
}

test("nor with two names that only letter case tells apart, nor with a pipe", async (t) => {
  const [cased, piped] = [await scratch(t), await scratch(t)];
  for (const path of ["d/Read.me", "D/READ.ME"]) writeFiles(cased, [{ path, type: "file", text: "" }]);
  t.is((await bothWays(t, cased)).whole, undefined);
  makeNode(join(piped, "pipe"), "fifo", 0);
  t.is((await bothWays(t, piped)).whole, undefined);
});

test("nor at a place that Windows keeps for itself", async (t) => {
  const folder = await scratch(t);
  writeFileSync(join(folder, "file"), "");
  t.is((await bothWays(t, folder, { target: "System Volume Information" })).whole, undefined);
});

const names = fc.constantFrom(
  ..."a A b.txt B.TXT \u00e9 \u00c9 \u0131 con con.x nul- x. .wh.a c:d $Recycle.Bin x.$WCIDIRS$ end\u0020".split(" "),
);
const trees = fc.array(
  fc.record({
    path: fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
    kind: fc.constantFrom("file", "directory", "symlink"),
    text: fc.constantFrom("a", "a/b.txt", "../A", "/Windows", "C:\\Windows\\System32", "\u00c9"),
  }),
  { maxLength: 8 },
);

test("whatever a folder holds: in one piece the bytes are the same, and what cannot be is refused entry by entry", async (t) => {
  await fc.assert(
    fc.asyncProperty(trees, async (files) => {
      const folder = await scratch(t);
      for (const { path, kind, text } of files) {
        try {
          if (kind === "directory") mkdirSync(join(folder, path), { recursive: true });
          else writeFiles(folder, [{ path, type: kind as "file", text }]);
        } catch {
          // A file is where a folder is to be, or the other way round.
        }
      }
      const { whole, each } = await bothWays(t, folder);
      if (whole === undefined) return;
      t.is((await whole()).layer.diffId, (await each()).layer.diffId);
    }),
    { numRuns: 150 },
  );
});
