import { linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "ava";
import { excludeRule, type NamedRule, parentsRule, splitAtPivot } from "../../../builder/context/narrow.ts";
import { membersOf, select } from "../../../builder/context/select.ts";
import { folderTree } from "../../../layerfs/tree/folder.ts";
import type { IgnoreRule } from "../../../layerfs/tree/sift.ts";
import { decodeWalk } from "../../../native/addon/addon.ts";

const files = ["a", "b.md", "d/a", "d/b.md", "d/e/a", "d/e/f/b.md", "d/x/y", "#odd", "node_modules/p/package.json"];

function folderOf(t: { teardown(end: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-narrow-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), file);
  }
  return folder;
}

const rows: [rule: string, made: NamedRule, left: string][] = [
  [
    "--exclude=*.md",
    excludeRule(["*.md"], undefined),
    "#odd a d d/a d/b.md d/e d/e/a d/e/f d/e/f/b.md d/x d/x/y node_modules node_modules/p node_modules/p/package.json",
  ],
  [
    "--exclude=**/*.md --exclude=node_modules",
    excludeRule(["**/*.md", "node_modules"], undefined),
    "#odd a d d/a d/e d/e/a d/e/f d/x d/x/y",
  ],
  ["--exclude=* --exclude=!d/e/f", excludeRule(["*", "!d/e/f"], undefined), "d d/e d/e/f d/e/f/b.md"],
  ["--exclude=#odd --exclude=d --exclude=n*", excludeRule(["#odd", "d", "n*"], undefined), "a b.md"],
  ["--exclude=D/E on Windows", excludeRule(["D/E", "N*"], "windows"), "#odd a b.md d d/a d/b.md d/x d/x/y"],
  ["d/e", parentsRule("d/e", undefined, undefined), "d d/e d/e/a d/e/f d/e/f/b.md"],
  ["d/*/a", parentsRule("d/*/a", undefined, undefined), "d d/e d/e/a"],
  ["**/b.md", parentsRule("**/b.md", undefined, undefined), "b.md d d/b.md d/e d/e/f d/e/f/b.md"],
  ["d/**/b.md", parentsRule("d/**/b.md", undefined, undefined), "d d/b.md d/e d/e/f d/e/f/b.md"],
  ["d/[e-x]", parentsRule("d/[e-x]", undefined, undefined), "d d/e d/e/a d/e/f d/e/f/b.md d/x d/x/y"],
  ["everything", parentsRule("", excludeRule(["d", "node_modules"], undefined), undefined), "#odd a b.md"],
  ["d without e", parentsRule("d", excludeRule(["d/e"], undefined), undefined), "d d/a d/b.md d/x d/x/y"],
  ["nothing", parentsRule("z/*", undefined, undefined), ""],
];

for (const [name, { rule }, left] of rows) {
  test(`what is left, entry by entry and in one piece: ${name}`, async (t) => {
    const tree = folderTree(folderOf(t));
    const root = await tree.stat("");
    if (!root) return t.fail();
    const selected = { pattern: ".", path: "", root, only: { name, rule, sparse: false } };
    const members = (await membersOf(tree, selected)).map(({ relative }) => relative).filter((path) => path !== "");
    t.is(members.sort().join(" "), left);
    const sweep = await tree.sweep("");
    const swept = decodeWalk(sweep?.sift(rule).bytes ?? Buffer.alloc(0)).map(({ path }) => path);
    t.is(swept.sort().join(" "), left);
  });
}

test("folders in which nothing can match are not looked into", (t) => {
  const { rule } = parentsRule("packages/*/package.json", undefined, undefined);
  const decisions = ["node_modules", "packages", "packages/a", "packages/a/src"].map((path) => rule(path, true));
  t.deepEqual(decisions, ["prune", "drop", "drop", "prune"] satisfies ReturnType<IgnoreRule>[]);
});

test("the first pivot parts a source", (t) => {
  t.deepEqual(splitAtPivot("a/b/./c/./d"), { folder: "a/b", pattern: "c/./d" });
  t.deepEqual(splitAtPivot("./a/b"), { folder: "", pattern: "./a/b" });
});

test("a file is left out by its name, and is not missing then", async (t) => {
  const tree = folderTree(folderOf(t));
  const { selected, missing } = await select(tree, { sources: ["a", "b.md"], exclude: ["*.md"] });
  t.deepEqual([selected.map(({ path }) => path), missing], [["a"], undefined]);
});

test("a folder in which a file has two names is not taken in one piece", async (t) => {
  const folder = folderOf(t);
  t.truthy(await folderTree(folder).sweep(""));
  linkSync(join(folder, "a"), join(folder, "outside"));
  linkSync(join(folder, "d/a"), join(folder, "d/e/again"));
  t.is(await folderTree(folder).sweep("d"), undefined);
  t.truthy(await folderTree(folder).sweep("d/x"));
});

test("a pattern of very many components costs no more than the folders are deep", (t) => {
  const { rule } = parentsRule("*/".repeat(20_000).concat("x"), undefined, undefined);
  t.is(rule("a", true), "drop");
  t.is(rule("a/b/c", true), "drop");
  t.is(rule("a/b/c", false), "prune");
});
