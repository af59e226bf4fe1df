/** Several layers as one do what they did before: checked against the tree of all of them, on layers drawn by chance. */
import test from "ava";
import fc from "fast-check";
import { planMerge } from "../../../builder/mutate/merge-plan.ts";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { Order } from "../../../layerfs/layer/ordered.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";

interface Heads {
  readonly changes: readonly Change[];
}

const names = ["a", "b", "c"];
const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const kind = fc.constantFrom("file", "directory", "symlink", "delete", "clear", "hardlink");
const layer = fc.array(fc.tuple(kind, path, path, fc.integer({ min: 0, max: 1 })), { maxLength: 8 });

/** What was drawn as a layer that somebody could have written: links lead to files that are there. */
async function sound(
  drawn: readonly (readonly [string, string, string, number])[],
  at: number,
  below: readonly Heads[],
): Promise<Heads> {
  const changes: Change[] = [];
  // What takes away does so wherever it stands; drawn first, a link that is fine stays fine.
  const takesAway = ([what]: readonly [string, ...unknown[]]) => what === "delete" || what === "clear";
  for (const [what, where, target, mode] of [...drawn.filter(takesAway), ...drawn.filter((one) => !takesAway(one))]) {
    const own = { path: where, mode: 0o700 + mode, uid: 0, gid: 0, size: 0, mtimeNs: 0n };
    if (what === "delete" || what === "clear") {
      changes.push({ kind: what, path: where });
      continue;
    }
    // The bytes' place, where the tree of the result can still tell it.
    const pax = new Map([["member", Buffer.from(`${at}.${changes.length}`)]]);
    if (what === "hardlink") {
      const now = await treeOf([...below, { changes }]).then((tree) => tree.stat(target));
      // A file that comes later in the same layer, or a link to itself, is no link that a writer makes.
      if (now?.type !== "file" || target === where || where.startsWith(`${target}/`)) continue;
      changes.push({ kind: "set", entry: { ...own, type: "hardlink", target } });
    } else if (what === "symlink") changes.push({ kind: "set", entry: { ...own, type: "symlink", target } });
    else if (what === "directory") changes.push({ kind: "set", entry: { ...own, type: "directory" } });
    else changes.push({ kind: "set", entry: { ...own, type: "file", pax } });
  }
  return { changes };
}

function treeOf(layers: readonly { readonly changes: readonly Change[] }[]): Promise<Tree> {
  const folder = () => Promise.reject(new Error("no files"));
  return stackTree(layers.map(({ changes }) => ({ changes: async () => [...changes], folder })));
}

/** One line a path; files of one inode have one number. Content is told by the member, kept in a record of the entry. */
async function told(tree: Tree): Promise<string[]> {
  const inodes = new Map<object, number>();
  const lines: string[] = [];
  for (const entry of await tree.walk("")) {
    const { inode } = entry;
    if (inode !== undefined && !inodes.has(inode)) inodes.set(inode, inodes.size);
    const link = inode === undefined ? "" : ` #${inodes.get(inode)}`;
    const member = entry.pax?.get("member");
    const bytes = member === undefined ? "" : ` ${Buffer.from(member)}`;
    if (entry.path !== "")
      lines.push(`${entry.path} ${entry.type} ${entry.mode.toString(8)} ${entry.target ?? ""}${link}${bytes}`);
  }
  return lines;
}

test("one layer in the place of several gives the same tree", async (t) => {
  let merged = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), fc.nat(3), async (drawn, from) => {
      const heads: Heads[] = [];
      for (const [at, one] of drawn.entries()) heads.push(await sound(one, at, heads));
      const keep = from % heads.length;
      const plan = planMerge(heads, keep);
      const files = [...plan.files].map(({ entry }): Change => ({ kind: "set", entry }));
      const written = [...plan.first, ...files, ...plan.links];
      const order = new Order();
      for (const change of written) order.check(change);
      const want = await told(await treeOf(heads));
      const got = await told(await treeOf([...heads.slice(0, keep), { changes: written }]));
      t.deepEqual(got, want);
      merged += written.length;
    }),
    { numRuns: 1500 },
  );
  t.true(merged > 1000);
});

const file = (at: string): Change => ({
  kind: "set",
  entry: { path: at, type: "file", mode: 0o644, uid: 0, gid: 0, size: 1, mtimeNs: 0n },
});
const folder = (at: string): Change => ({
  kind: "set",
  entry: { path: at, type: "directory", mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n },
});
const heads = (...changes: Change[]): Heads => ({ changes });
const brief = (changes: Iterable<Change>) =>
  [...changes].map((change) =>
    change.kind === "set" ? `${change.entry.type} ${change.entry.path}` : `${change.kind} ${change.path}`,
  );

test("a folder that layers repeat without changing anything in it is not repeated", (t) => {
  const plan = planMerge([heads(folder("a"), file("a/x")), heads(folder("a"), folder("b"), file("b/y"))], 1);
  t.deepEqual(brief(plan.first), ["directory b"]);
});

test("a file that came and went leaves nothing", (t) => {
  const plan = planMerge([heads(folder("a")), heads(file("a/x")), heads({ kind: "delete", path: "a/x" })], 1);
  t.deepEqual([brief(plan.first), [...plan.files].length], [[], 0]);
});

test("a new name of a file below is a link while the old name is there, and the file itself once it is gone", (t) => {
  const link: Change = {
    kind: "set",
    entry: { path: "y", type: "hardlink", mode: 0, uid: 0, gid: 0, size: 0, mtimeNs: 0n, target: "x" },
  };
  const kept = planMerge([heads(file("x")), heads(link)], 1);
  t.deepEqual([brief(kept.links), [...kept.files].length], [["hardlink y"], 0]);
  const gone = planMerge([heads(file("x")), heads(link), heads({ kind: "delete", path: "x" })], 1);
  t.deepEqual(
    [...gone.files].map(({ member, entry }) => [member, entry.path]),
    [[{ layer: 0, at: 0 }, "y"]],
  );
  t.deepEqual(brief(gone.first), ["delete x"]);
});
