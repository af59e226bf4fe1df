/** Stacks that are looked at once show what stacks that share their layers show: layers drawn by chance, with both rules of names. */
import test from "ava";
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { NameTable } from "../../../layerfs/layer/name-table.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { layerOf, parseChanges } from "./files.ts";
import { randomLayer } from "./random-layers.ts";

/** One line a path; files of one inode have one number. */
async function told(tree: Tree): Promise<string[]> {
  const inodes = new Map<object, string>();
  const lines: string[] = [];
  for (const entry of await tree.walk("")) {
    const { path, type, mode, size, target = "", inode, content } = entry;
    const first = inode === undefined ? path : (inodes.get(inode) ?? path);
    if (inode !== undefined) inodes.set(inode, first);
    const bytes = content?.kind === "bytes" ? Buffer.from(content.bytes).toString("hex") : "";
    lines.push([path, type, mode, size, target, first, bytes].join(" "));
  }
  return lines;
}

async function toldOrRefused(tree: Promise<Tree>): Promise<readonly string[] | string> {
  try {
    return await told(await tree);
  } catch (error) {
    return String(error);
  }
}

for (const names of ["linux", "windows"] as const)
  test(`random layers, names of ${names}: both kinds of stack are one tree`, async (t) => {
    let seen = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(randomLayer, { minLength: 1, maxLength: 5 }), fc.boolean(), async (drawn, spelled) => {
        // On Windows every other layer spells names its own way.
        const layers = drawn.map((changes, at) => layerOf(spelled && at % 2 === 1 ? changes.map(upper) : changes));
        const want = await toldOrRefused(stackTree(layers, { names }));
        t.deepEqual(await toldOrRefused(stackTree(layers, { names, once: true })), want);
        seen += want.length;
      }),
      { numRuns: 600 },
    );
    t.true(seen > 1000);
  });

/** Paths and the targets of hard links in upper case. */
function upper(change: Change): Change {
  if (change.kind !== "set") return { ...change, path: change.path.toUpperCase() };
  const { path, type, target } = change.entry;
  const link = type === "hardlink" && target !== undefined ? { target: target.toUpperCase() } : {};
  return { kind: "set", entry: { ...change.entry, path: path.toUpperCase(), ...link } };
}

test("stat, list and each show what walk shows, and nothing that went", async (t) => {
  const lower = layerOf(parseChanges(["set a directory", "set a/x file 1", "set a/y file 2", "set b file 3"]));
  const tree = await stackTree([lower, layerOf(parseChanges(["delete a/x", "set c hardlink b"]))], { once: true });
  t.deepEqual(
    [...((await tree.each?.("a")) ?? [])].map(({ path }) => path),
    ["a", "a/y"],
  );
  t.deepEqual(
    (await tree.list("")).map(({ path, type }) => `${path} ${type}`),
    ["a directory", "b file", "c file"],
  );
  t.is(await tree.stat("a/x"), undefined);
  t.is((await tree.stat("a/y"))?.size, 1);
  t.deepEqual(await tree.list("nowhere"), []);
});

test("names that come and go over and over cost what they cost once", async (t) => {
  // Attack: each clearing passes over all names that the folder ever had.
  const many = Array.from({ length: 20_000 }, (_, i) => `set a/${i} file x`);
  const again = Array.from({ length: 20_000 }, () => ["delete a/x/y", "clear a"]).flat();
  const layers = [["set a directory", ...many], again].map((lines) => layerOf(parseChanges(lines)));
  const tree = await stackTree(layers, { once: true });
  t.deepEqual(
    (await tree.walk("")).map(({ path }) => path),
    ["", "a"],
  );
});

test("a table of names gives each path one number, and the path back", (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 })),
      (drawn) => {
        const table = new NameTable();
        const ids = new Map<string, number>();
        for (const parts of drawn) {
          const path = parts.map((part) => part.replaceAll("/", "_")).join("/");
          const known = ids.get(path);
          const id = table.make(path);
          t.is(table.find(path), id);
          t.is(table.pathOf(id), path);
          if (known !== undefined) t.is(id, known);
          ids.set(path, id);
        }
        t.is(new Set(ids.values()).size, ids.size);
      },
    ),
  );
});

test("a large table finds every name, and none that it was not given", (t) => {
  const table = new NameTable();
  for (let i = 0; i < 50_000; i++) table.make(`folder-${i % 100}/name-${i}`);
  t.is(table.size, 1 + 100 + 50_000);
  for (let i = 0; i < 50_000; i += 777)
    t.is(table.pathOf(table.find(`folder-${i % 100}/name-${i}`) ?? 0), `folder-${i % 100}/name-${i}`);
  t.is(table.find("folder-1/name-2"), undefined);
  t.is(table.find("folder-1/name-50001"), undefined);
});
