/** Stacked layers as one tree: the contract, whiteouts by table, and random layers against the obvious and the kernel's way. */
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { folderTree } from "../../../layerfs/tree/folder.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { makeNode, setXattr } from "../../../native/addon/addon.ts";
import { isWbuildError } from "../../../native/error.ts";
import { gather } from "../../contracts/blob-store.ts";
import { treeContract } from "../../contracts/tree.ts";
import { noRoot, testUnless } from "../../doubles/test-unless.ts";
import { entryOf, layerOf, makeTempFolder, parseChanges, setOf, writeFiles } from "./files.ts";
import { type Model, naiveStack, randomLayer } from "./random-layers.ts";

treeContract("one layer", async (files) => {
  const folder = makeTempFolder();
  writeFiles(folder.path, files);
  const tree = await stackTree([layerOf(files.map(setOf), folder.path)]);
  return { tree, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
});

treeContract("a layer for each file, deleted and made again on the way", async (files) => {
  const folders = files.map((file) => {
    const folder = makeTempFolder();
    writeFiles(folder.path, [file]);
    return folder;
  });
  const layers = files.flatMap((file, i) => [
    layerOf([setOf({ ...file, type: "symlink", text: "before" })]),
    layerOf([{ kind: "delete", path: file.path }]),
    layerOf([setOf(file)], folders[i]!.path),
  ]);
  const tree = await stackTree(layers);
  return {
    tree,
    [Symbol.asyncDispose]: async () => {
      for (const folder of folders) folder[Symbol.dispose]();
    },
  };
});

const base = [
  "set d directory",
  "set d/sub directory",
  "set d/sub/x file 1",
  "set d/y file 2",
  "set f file 3",
  "set l symlink d",
];
const whole = ["d", "d/sub", "d/sub/x", "d/y", "f", "l"];

const stacks: [name: string, layer: string[], left: string[]][] = [
  ["nothing changes nothing", [], whole],
  ["a whiteout takes a file", ["delete d/y"], whole.filter((path) => path !== "d/y")],
  ["a whiteout takes a folder with all below", ["delete d"], ["f", "l"]],
  ["a whiteout of a link leaves what it points to", ["delete l"], whole.filter((path) => path !== "l")],
  ["a whiteout of nothing does nothing", ["delete none", "delete d/none", "clear none"], whole],
  ["a whiteout has a folder to lie in", ["delete p/none", "delete f/none"], [...whole, "p"]],
  [
    "an opaque folder keeps only the layer's own",
    ["set d directory", "clear d", "set d/n file 4"],
    ["d", "d/n", "f", "l"],
  ],
  ["an opaque root", ["clear ", "set n file 4"], ["n"]],
  [
    "an opaque mark that comes late spares the layer's own",
    ["set d directory", "set d/n file 4", "clear d"],
    ["d", "d/n", "f", "l"],
  ],
  ["a file over a folder hides all below", ["set d file now"], ["d", "f", "l"]],
  ["a link over a folder hides all below", ["set d symlink f"], ["d", "f", "l"]],
  ["a folder over a file", ["set f directory", "set f/n file 4"], ["d", "d/sub", "d/sub/x", "d/y", "f", "f/n", "l"]],
  ["a folder over a folder keeps what is in it", ["set d directory"], whole],
  ["a folder over a link does not go where it pointed", ["set l directory", "set l/n file 4"], [...whole, "l/n"]],
  ["missing parents appear", ["set p/q/r file 4"], [...whole, "p", "p/q", "p/q/r"]],
  ["a parent that is a link below becomes a folder", ["set l/n file 4"], [...whole, "l/n"]],
];
for (const [name, layer, left] of stacks) {
  test(`stack: ${name}`, async (t) => {
    const lower = layerOf(parseChanges(base));
    const tree = await stackTree([lower, layerOf(parseChanges(layer))]);
    t.deepEqual(
      (await tree.walk("")).map((entry) => entry.path),
      ["", ...left],
    );
    // What is shared with another stack was not touched.
    t.deepEqual(
      (await (await stackTree([lower])).walk("")).map((entry) => entry.path),
      ["", ...whole],
    );
  });
}

test("a made-up parent is 0755 and root's; the metadata of a folder is that of the last layer that has it", async (t) => {
  const own = entryOf("d", "directory", { mode: 0o700, uid: 5, gid: 6, mtimeNs: 7n });
  const tree = await stackTree([layerOf([{ kind: "set", entry: own }]), layerOf(parseChanges(["set d/x/f file 1"]))]);
  t.deepEqual(await tree.stat("d"), own);
  t.deepEqual(await tree.stat("d/x"), entryOf("d/x", "directory"));
});

test("a hard link is a file with its target's metadata and content, also when the target goes", async (t) => {
  using folder = makeTempFolder();
  writeFileSync(join(folder.path, "one"), "shared");
  const one = entryOf("one", "file", { size: 6, mode: 0o4755, uid: 3 });
  const lower = layerOf([{ kind: "set", entry: one }, ...parseChanges(["set two hardlink one"])], folder.path);
  for (const tree of [
    await stackTree([lower]),
    await stackTree([lower, layerOf(parseChanges(["delete one"]))]),
    await stackTree([lower, layerOf(parseChanges(["set one file other"]))]),
  ]) {
    const two = (await tree.stat("two"))!;
    t.is(two.type, "file");
    t.deepEqual([two.mode, two.uid, two.size], [0o4755, 3, 6]);
    t.is(String(await gather(tree.read(two))), "shared");
    t.is(await tree.digest(two), digestOf("shared"));
  }
  const above = await stackTree([lower, layerOf(parseChanges(["set three hardlink two"]))]);
  t.is(String(await gather(above.read((await above.stat("three"))!))), "shared");
});

for (const [name, content] of [
  ["the layer's folder", {}],
  ["the entry itself", { content: { kind: "bytes", bytes: Buffer.from("shared") } }],
] as const) {
  test(`names of one file have one inode, others another: bytes from ${name}`, async (t) => {
    const one = entryOf("one", "file", { size: 6, ...content });
    const other = entryOf("other", "file", { size: 6, ...content });
    const below = layerOf([one, other].map((entry): Change => ({ kind: "set", entry })));
    const tree = await stackTree([below, layerOf(parseChanges(["set two hardlink one"]))]);
    const inodes = (await tree.list("")).map((entry) => entry.inode);
    t.true(inodes.every((inode) => inode !== undefined));
    t.deepEqual([inodes[0] === inodes[2], inodes[0] === inodes[1]], [true, false]);
  });
}

for (const target of ["none", "d", ""]) {
  test(`a hard link to ${JSON.stringify(target)} says TREE_HARDLINK`, async (t) => {
    const changes: Change[] = [...parseChanges(["set d directory"]), ...parseChanges([`set x hardlink ${target}`])];
    const tree = await stackTree([layerOf(changes)]);
    const error = await t.throwsAsync(tree.stat("x"));
    t.true(isWbuildError(error, "TREE_HARDLINK"), String(error));
  });
}

test("nothing is loaded before it is needed, once for all stacks, and a failure is tried again", async (t) => {
  let loads = 0;
  let folders = 0;
  const layer = {
    changes: async () => {
      if (loads++ === 0) throw new Error("not yet");
      return parseChanges(base);
    },
    folder: async () => {
      folders++;
      throw new Error("no folder");
    },
  };
  const tree = await stackTree([layer]);
  t.is(loads, 0);
  await t.throwsAsync(tree.stat("f"), { message: "not yet" });
  t.is((await tree.stat("f"))?.type, "file");
  await (await stackTree([layer, layerOf([])])).walk("");
  const entry = (await tree.walk("")).find(({ path }) => path === "f")!;
  t.deepEqual([loads, folders], [2, 0]);
  await t.throwsAsync(gather(tree.read(entry)), { message: "no folder" });
  t.is(folders, 1);
});

test("a digest that the index has is believed; another is computed once", async (t) => {
  using folder = makeTempFolder();
  writeFileSync(join(folder.path, "f"), "bytes");
  const told = digestOf("told");
  const lower = layerOf(
    [
      { kind: "set", entry: entryOf("e", "file", { size: 4, digest: told }) },
      { kind: "set", entry: entryOf("f", "file", { size: 5 }) },
    ],
    folder.path,
  );
  const tree = await stackTree([lower]);
  t.is(await tree.digest((await tree.stat("e"))!), told);
  t.is(await tree.digest((await tree.stat("f"))!), digestOf("bytes"));
  rmSync(join(folder.path, "f"));
  t.is(await tree.digest((await tree.stat("f"))!), digestOf("bytes"));
});

test("a link inside an unpacked layer does not lead a read out of it", async (t) => {
  using secret = makeTempFolder();
  writeFileSync(join(secret.path, "f"), "hidden");
  using folder = makeTempFolder();
  symlinkSync(secret.path, join(folder.path, "d"));
  symlinkSync(join(secret.path, "f"), join(folder.path, "g"));
  const tree = await stackTree([layerOf(parseChanges(["set d/f file hidden", "set g file hidden"]), folder.path)]);
  for (const path of ["d/f", "g"]) {
    const error = await t.throwsAsync(gather(tree.read((await tree.stat(path))!)));
    t.true(isWbuildError(error, "TREE_NO_CONTENT"), String(error));
  }
});

async function modelOf(tree: Tree, path = ""): Promise<Model> {
  const model: Model = new Map();
  for (const entry of await tree.walk(path)) {
    if (entry.path === "") continue;
    const bytes = entry.type === "file" ? ` ${await gather(tree.read(entry))}` : "";
    model.set(entry.path, `${entry.type}${bytes}${entry.type === "symlink" ? ` ${entry.target}` : ""}`);
  }
  return model;
}

const sorted = (model: Model) => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

test("random layers: the tree is what the obvious way gives, for every height of the stack", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(randomLayer, { maxLength: 5 }), async (changes) => {
      const layers = changes.map((one) => layerOf(one));
      for (let height = layers.length; height >= 0; height--) {
        const tree = await stackTree(layers.slice(0, height));
        t.deepEqual(sorted(await modelOf(tree)), sorted(naiveStack(changes.slice(0, height))));
      }
    }),
    { numRuns: 300 },
  );
});

/** One layer in overlayfs form, written as plainly as possible. */
function materialize(folder: string, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.kind === "set") {
      const { path, type, target, content } = change.entry;
      const full = join(folder, path);
      mkdirSync(join(full, ".."), { recursive: true });
      if (type === "directory") mkdirSync(full, { recursive: true });
      else if (type === "symlink") symlinkSync(target ?? "", full);
      else if (type === "hardlink") linkSync(join(folder, target ?? ""), full);
      else writeFileSync(full, content?.kind === "bytes" ? content.bytes : "");
    } else if (change.kind === "delete") {
      const full = join(folder, change.path);
      mkdirSync(join(full, ".."), { recursive: true });
      makeNode(full, "character", 0);
    } else {
      setXattr(join(folder, change.path), "trusted.overlay.opaque", Buffer.from("y"));
    }
  }
}

/** A layer that takes something out of a folder that it does not mention is unpacked with that folder made. */
function withFolders(changes: readonly Change[]): Change[] {
  return changes.flatMap((change): Change[] => {
    if (change.kind !== "delete") return [change];
    const above = change.path.split("/").slice(0, -1);
    const folders = above.map(
      (_, i): Change => ({ kind: "set", entry: entryOf(above.slice(0, i + 1).join("/"), "directory") }),
    );
    return [...folders, change];
  });
}

testUnless(noRoot)("random layers: the tree is what overlayfs mounts", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(randomLayer.map(withFolders), { minLength: 2, maxLength: 4 }), async (changes) => {
      using top = makeTempFolder();
      const folders = changes.map((one, i) => {
        const folder = join(top.path, String(i));
        mkdirSync(folder);
        materialize(folder, one);
        return folder;
      });
      const mounted = join(top.path, "mounted");
      mkdirSync(mounted);
      const lower = [...folders].reverse().join(":");
      execFileSync("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${lower}`, mounted]);
      try {
        const tree = await stackTree(changes.map((one, i) => layerOf(one, folders[i])));
        t.deepEqual(sorted(await modelOf(tree)), sorted(await modelOf(folderTree(mounted))));
      } finally {
        execFileSync("umount", ["-l", mounted]);
      }
    }),
    { numRuns: 25 },
  );
});
