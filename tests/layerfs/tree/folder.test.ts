/** The build context on disk: the contract of trees, ignore rules, stamps, and links that want to get out. */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { folderTree } from "../../../layerfs/tree/folder.ts";
import type { IgnoreRule } from "../../../layerfs/tree/sift.ts";
import { setXattr } from "../../../native/addon/addon.ts";
import { decodeRecords } from "../../../native/addon/records.ts";
import { isWbuildError } from "../../../native/error.ts";
import { gather } from "../../contracts/blob-store.ts";
import { parseContractFiles, treeContract } from "../../contracts/tree.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { makeTempFolder, writeFiles } from "./files.ts";

const isRoot = process.getuid?.() === 0;

for (const [name, ignore] of [
  ["folder", undefined],
  ["folder with rules that keep all", () => "keep"],
] as [string, IgnoreRule | undefined][]) {
  treeContract(name, async (files) => {
    const folder = makeTempFolder();
    writeFiles(folder.path, files);
    const tree = folderTree(folder.path, ignore === undefined ? {} : { ignore });
    return { tree, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
  });
}

const tree = [
  "a directory",
  "a/b directory",
  "a/b/keep file 1",
  "a/b/junk file 2",
  "a/c file 3",
  "d directory",
  "d/e file 4",
];

const rules: [name: string, rule: IgnoreRule, left: string[]][] = [
  ["prune hides all below", (path) => (path === "a" ? "prune" : "keep"), ["", "d", "d/e"]],
  [
    "drop of files",
    (path) => (path.endsWith("junk") ? "drop" : "keep"),
    ["", "a", "a/b", "a/b/keep", "a/c", "d", "d/e"],
  ],
  [
    "a dropped folder stays for its kept child",
    (path) => (path === "a/b/keep" ? "keep" : "drop"),
    ["", "a", "a/b", "a/b/keep"],
  ],
  [
    "a dropped folder without kept children goes",
    (path) => (path === "d/e" || path === "a" ? "drop" : "keep"),
    ["", "a", "a/b", "a/b/junk", "a/b/keep", "a/c", "d"],
  ],
  ["nothing left but the root", () => "drop", [""]],
];
for (const [name, ignore, left] of rules) {
  test(`ignore: ${name}; walk, list, stat and resolve agree`, async (t) => {
    using folder = makeTempFolder();
    writeFiles(folder.path, parseContractFiles(tree));
    const context = folderTree(folder.path, { ignore });
    t.deepEqual(
      (await context.walk("")).map((entry) => entry.path),
      left,
    );
    const fresh = folderTree(folder.path, { ignore });
    for (const { path } of parseContractFiles(tree)) {
      t.is((await fresh.stat(path)) !== undefined, left.includes(path), path);
      t.is(await fresh.resolve(path), left.includes(path) ? path : undefined);
      const below = left.filter((one) => one === path || one.startsWith(`${path}/`));
      t.deepEqual(
        (await fresh.walk(path)).map((entry) => entry.path),
        below,
      );
      const children = below.filter((one) => one !== path && !one.slice(path.length + 1).includes("/"));
      t.deepEqual(
        (await fresh.list(path)).map((entry) => entry.path),
        children,
      );
    }
  });
}

const touches: [name: string, touch: (root: string) => void, changes: boolean][] = [
  ["nothing", () => undefined, false],
  ["reading", (root) => readFileSync(join(root, "a/c")), false],
  ["content of the same size", (root) => writeFileSync(join(root, "a/c"), "9"), true],
  ["a time set back", (root) => utimesSync(join(root, "a/c"), 1, 1), true],
  ["a mode", (root) => chmodSync(join(root, "a/c"), 0o700), true],
  ["a new file", (root) => writeFileSync(join(root, "a/b/new"), ""), true],
  ["a removed file", (root) => rmSync(join(root, "a/b/junk")), true],
  ["a renamed file", (root) => renameSync(join(root, "a/c"), join(root, "a/x")), true],
  ["a file beside", (root) => writeFileSync(join(root, "d/new"), ""), false],
];
for (const [ignored, ignore] of [
  ["", undefined],
  [" with rules", () => "keep"],
] as [string, IgnoreRule | undefined][]) {
  for (const [name, touch, changes] of touches) {
    test(`stamp of a folder${ignored}: ${name} ${changes ? "changes" : "does not change"} it`, async (t) => {
      using folder = makeTempFolder();
      writeFiles(folder.path, parseContractFiles(tree));
      const options = ignore === undefined ? {} : { ignore };
      const stamp = () => folderTree(folder.path, options).stamp("a");
      const before = await stamp();
      touch(folder.path);
      t.is((await stamp()) !== before, changes);
    });
  }
}

test("stamp of a file tells its own changes", async (t) => {
  using folder = makeTempFolder();
  writeFiles(folder.path, parseContractFiles(tree));
  const before = await folderTree(folder.path).stamp("a/c");
  writeFileSync(join(folder.path, "a/b/keep"), "x");
  t.is(await folderTree(folder.path).stamp("a/c"), before);
  writeFileSync(join(folder.path, "a/c"), "x");
  t.not(await folderTree(folder.path).stamp("a/c"), before);
});

test("stamp does not see what rules hide", async (t) => {
  using folder = makeTempFolder();
  writeFiles(folder.path, parseContractFiles(tree));
  const stamp = () => folderTree(folder.path, { ignore: (path) => (path === "a/b" ? "prune" : "keep") }).stamp("a");
  const before = await stamp();
  writeFileSync(join(folder.path, "a/b/keep"), "other");
  t.is(await stamp(), before);
});

test("a link out of the context is an entry, never a way out", async (t) => {
  using secret = makeTempFolder();
  writeFileSync(join(secret.path, "secret"), "hidden");
  using folder = makeTempFolder();
  symlinkSync(secret.path, join(folder.path, "out"));
  const context = folderTree(folder.path);
  t.deepEqual(
    (await context.walk("")).map((entry) => `${entry.path} ${entry.type}`),
    [" directory", "out symlink"],
  );
  t.is(await context.stat("out/secret"), undefined);
  t.is(await context.resolve("out/secret", true), undefined);
  t.deepEqual(await context.walk("out/secret"), []);
  t.deepEqual(await context.list("out"), []);
});

test("a folder that becomes a link out before it is read gives nothing away", async (t) => {
  using secret = makeTempFolder();
  writeFileSync(join(secret.path, "file"), "hidden");
  using folder = makeTempFolder();
  writeFiles(folder.path, parseContractFiles(["sub directory", "sub/file file mine"]));
  const context = folderTree(folder.path);
  const entry = await context.stat("sub/file");
  rmSync(join(folder.path, "sub"), { recursive: true });
  symlinkSync(secret.path, join(folder.path, "sub"));
  const error = await t.throwsAsync(gather(context.read(entry!)));
  t.true(isWbuildError(error, "TREE_NO_CONTENT"), String(error));
});

test("sockets are left out; owners are 0:0; names that are no UTF-8 can be read; hard links are files", async (t) => {
  using folder = makeTempFolder();
  const server = createServer().listen(join(folder.path, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  writeFileSync(Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.of(0x66, 0xff)]), "bytes");
  writeFileSync(join(folder.path, "one"), "twice");
  linkSync(join(folder.path, "one"), join(folder.path, "two"));
  mkdirSync(join(folder.path, "dir"), { mode: 0o700 });
  const context = folderTree(folder.path);
  const all = await context.walk("");
  server.close();
  t.deepEqual(
    all.map((entry) => [entry.path, entry.type, entry.uid, entry.gid]),
    ["", "dir", "f\udcff", "one", "two"].map((path) => [
      path,
      path === "" || path === "dir" ? "directory" : "file",
      0,
      0,
    ]),
  );
  t.is(String(await gather(context.read(all[2]!))), "bytes");
  t.is(String(await gather(context.read((await context.stat("two"))!))), "twice");
  t.deepEqual(await context.stat("f\udcff"), all[2]);
  t.is((await context.stat("dir"))?.mode, 0o700);
  t.deepEqual(await context.list(""), all.slice(1));
});

/** Why files here cannot have what a user notes on them. */
function noXattrs(): string | undefined {
  using folder = makeTempFolder();
  try {
    setXattr(folder.path, "user.note", Buffer.from("kept"));
    return undefined;
  } catch (error) {
    return `no extended attributes here: ${error}`;
  }
}

testUnless(noXattrs())(
  "of extended attributes only portable ones are shown, and only they go from a sweep into a layer",
  async (t) => {
    using folder = makeTempFolder();
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    setXattr(file, "user.note", Buffer.from("kept"));
    if (isRoot) setXattr(file, "trusted.secret", Buffer.from("left out"));
    const context = folderTree(folder.path);
    const swept = (await context.sweep(""))!.toLayer("x", { uid: 0, gid: 0 });
    const [change] = decodeRecords(Buffer.concat([...swept.records]));
    const entries = [await context.stat("file"), (await context.walk("")).find((one) => one.path === "file")];
    for (const entry of [...entries, change?.kind === "set" ? change.entry : undefined]) {
      t.deepEqual(
        [...(entry?.pax ?? [])].map(([key, value]) => [key, String(value)]),
        [["SCHILY.xattr.user.note", "kept"]],
      );
    }
  },
);
