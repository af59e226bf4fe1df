import test from "ava";
import { diffLayer, diffLine, diffTrees } from "../../../../builder/image/inspect/diff.ts";
import type { Change, Entry } from "../../../../layerfs/layer/entry.ts";
import { digestOf } from "../../../../layerfs/store/digest.ts";
import type { Tree } from "../../../../layerfs/tree/tree.ts";

/** `path type mode [content or target]`, one entry a line. */
function entries(text: string): Entry[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [path = "", type = "file", mode = "644", rest = ""] = line.split(" ");
      const bytes = Buffer.from(rest);
      return {
        path,
        type: type as Entry["type"],
        mode: Number.parseInt(mode, 8),
        uid: 0,
        gid: 0,
        size: type === "file" ? bytes.length : 0,
        mtimeNs: 0n,
        ...(type === "symlink" ? { target: rest } : {}),
        ...(type === "file" ? { content: { kind: "bytes", bytes } } : {}),
      } satisfies Entry;
    });
}

function tree(text: string): Tree {
  const all = entries(text);
  return {
    resolve: async (path) => path,
    stat: async (path) => all.find((entry) => entry.path === path),
    list: async (path) =>
      all.filter((entry) => entry.path !== path && (entry.path.match(/^(.*)\/[^/]*$/)?.[1] ?? "") === path),
    walk: async () => all,
    digest: async ({ content }) => digestOf(content?.kind === "bytes" ? content.bytes : ""),
    async *read() {},
  };
}

const before = `
  dir directory 755
  dir/a file 644 one
  dir/b file 644 two
  gone directory 755
  gone/x file 644 x
  link symlink 777 a`;

const cases: readonly (readonly [name: string, after: string, lines: string])[] = [
  ["nothing", before, ""],
  ["an addition", `${before}\n new file 644 n`, "A /new"],
  ["content of the same size", before.replace("two", "TWO"), "C /dir/b"],
  ["a mode", before.replace("dir/a file 644", "dir/a file 600"), "C /dir/a"],
  ["a link's target", before.replace("777 a", "777 b"), "C /link"],
  ["a type", before.replace("link symlink 777 a", "link file 644 a"), "C /link"],
  ["a deleted folder is one line", before.replace(/gone.*\n/g, "").replace(/gone.*\n/g, ""), "D /gone"],
  [
    "several, in order",
    `a file 644 a\n${before.replace("one", "ONE").replace(/ *gone.*\n/g, "")}`,
    "A /a,C /dir/a,D /gone",
  ],
];
for (const [name, after, lines] of cases)
  test(`two trees: ${name}`, async (t) => {
    const found = await diffTrees(tree(before), tree(after));
    t.is(found.map(diffLine).join(","), lines);
  });

test("says what changed, and sizes", async (t) => {
  const [found] = await diffTrees(tree("a file 644 x"), tree("a file 755 longer"));
  t.deepEqual(found, { path: "/a", kind: "changed", what: ["content", "mode"], before: 1, after: 6 });
});

test("one layer: what it sets, deletes and clears, but no folder that it only passes through", async (t) => {
  const set = (line: string): Change => ({ kind: "set", entry: entries(line)[0]! });
  const changes: Change[] = [
    set("dir directory 755"),
    set("dir/a file 644 changed"),
    set("dir/new file 644 n"),
    { kind: "delete", path: "dir/b" },
    { kind: "delete", path: "never" },
    set("gone directory 700"),
    { kind: "clear", path: "gone" },
  ];
  const found = await diffLayer(tree(before), changes);
  t.deepEqual(found.map(diffLine), ["C /dir/a", "D /dir/b", "A /dir/new", "C /gone", "D /gone/x"]);
});

test("a newline in a name forges no line", (t) =>
  t.is(diffLine({ kind: "added", path: "/a\nD /etc" } as Parameters<typeof diffLine>[0]), "A /a\\nD /etc"));
