/** Stacks of Windows layers: names without case, the base's spelling, and Windows' links. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import type { Change } from "../../../layerfs/layer/entry.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { stackTree } from "../../../layerfs/tree/stacked.ts";
import { driveTree, windowsTree } from "../../../layerfs/windows/drive.ts";
import { gather } from "../../contracts/blob-store.ts";
import { entryOf, layerOf, makeTempFolder, parseChanges } from "./files.ts";

const windows = { names: "windows" } as const;
const base = [
  "set Files directory",
  "set Files/Windows directory",
  "set Files/Windows/System32 directory",
  "set Files/Windows/System32/a.dll file 1",
  "set Files/Users directory",
  "set Hives directory",
];
const whole = [
  "Files",
  "Files/Users",
  "Files/Windows",
  "Files/Windows/System32",
  "Files/Windows/System32/a.dll",
  "Hives",
];

const stacks: [name: string, layer: string[], left: string[]][] = [
  [
    "a file under another spelling of its folder",
    ["set Files/windows/SYSTEM32/b file 1"],
    [...whole, "Files/Windows/System32/b"],
  ],
  ["a file under another spelling of itself", ["set Files/Windows/System32/A.DLL file 2"], whole],
  [
    "a folder under another spelling",
    ["set Files/WINDOWS directory", "set Files/WINDOWS/x file 2"],
    [...whole, "Files/Windows/x"],
  ],
  [
    "a whiteout under another spelling",
    ["delete Files/windows/system32/A.dll"],
    whole.filter((path) => !path.endsWith(".dll")),
  ],
  [
    "a cleared folder under another spelling",
    ["set Files/WINDOWS directory", "clear Files/WINDOWS"],
    whole.slice(0, 3).concat("Hives"),
  ],
  [
    "what was deleted and made again has its new spelling",
    ["delete Files/USERS", "set Files/users directory"],
    whole.filter((path) => path !== "Files/Users").concat("Files/users"),
  ],
  [
    "two spellings in one layer",
    ["set Files/App directory", "set Files/app/x file 1"],
    [...whole, "Files/App", "Files/App/x"],
  ],
  [
    "the trees of a layer keep their case",
    ["set files directory", "set files/x file 1"],
    [...whole, "files", "files/x"],
  ],
  ["streams are no files", ["set Files/a.txt file 1", "set Files/a.txt:s file 2"], [...whole, "Files/a.txt"]],
  ["names with a backslash are no files", ["set Files/a\\..\\b file 1"], whole],
  [
    "letters beyond ASCII fold, too",
    ["set Files/é directory", "set Files/É/x file 1"],
    [...whole, "Files/é", "Files/é/x"],
  ],
];
for (const [name, layer, left] of stacks) {
  test(`Windows stack: ${name}`, async (t) => {
    const lower = layerOf(parseChanges(base));
    const tree = await stackTree([lower, layerOf(parseChanges(layer))], windows);
    const paths = (await tree.walk("")).map((entry) => entry.path);
    t.deepEqual(paths, ["", ...[...left].sort((a, b) => (a.replaceAll("/", "\0") < b.replaceAll("/", "\0") ? -1 : 1))]);
    for (const path of paths) t.is((await tree.stat(path))?.path, path);
    // Linux' stack of the same layers is another one.
    t.is(await (await stackTree([lower])).stat("Files/windows"), undefined);
  });
}

test("the same file by any spelling: metadata of the upper layer, bytes from where the tree says it lies", async (t) => {
  using folder = makeTempFolder();
  mkdirSync(join(folder.path, "Files/Windows/System32"), { recursive: true });
  writeFileSync(join(folder.path, "Files/Windows/System32/a.dll"), "new bytes");
  const now = entryOf("Files/WINDOWS/system32/A.DLL", "file", { size: 9, mtimeNs: 5n });
  const tree = await stackTree(
    [layerOf(parseChanges(base)), layerOf([{ kind: "set", entry: now }], folder.path)],
    windows,
  );
  const entry = (await tree.stat("Files/windows/system32/a.DLL"))!;
  t.is(entry.path, "Files/Windows/System32/a.dll");
  t.is(entry.mtimeNs, 5n);
  t.is(String(await gather(tree.read(entry))), "new bytes");
  t.is(await tree.digest(entry), digestOf("new bytes"));
  const drive = driveTree(tree);
  const below = (await drive.stat("WINDOWS/System32/a.dll"))!;
  t.is(below.path, "Windows/System32/a.dll");
  t.is(String(await gather(drive.read(below))), "new bytes");
  t.is(await drive.digest(below), digestOf("new bytes"));
});

test("a hard link finds its target without case", async (t) => {
  const tree = await stackTree(
    [layerOf(parseChanges([...base, "set Files/b hardlink Files/windows/system32/A.DLL"]))],
    windows,
  );
  t.is((await tree.stat("Files/b"))?.type, "file");
});

const linked = [
  ...base,
  "set Files/Users/All symlink C:\\ProgramData",
  "set Files/ProgramData directory",
  "set Files/ProgramData/x file 1",
  "set Files/Users/up symlink ..\\programdata",
  "set Files/Users/root symlink \\PROGRAMDATA",
  "set Files/Users/verbatim symlink \\\\?\\c:\\ProgramData",
  "set Files/Users/nt symlink \\??\\C:\\ProgramData\\",
  "set Files/Users/forward symlink C:/ProgramData",
  "set Files/Users/climb symlink ..\\..\\..\\..\\Windows",
  "set Files/Users/other symlink D:\\x",
  "set Files/Users/share symlink \\\\server\\share",
  "set Files/Users/volume symlink \\\\?\\Volume{1}\\x",
  "set Files/Users/unix symlink /etc/passwd",
  "set Files/Users/nowhere symlink C:\\none",
  "set Files/Users/twice symlink all",
  "set Files/Users/me symlink me",
  "set Files/Users/a symlink b\\b",
  "set Files/Users/b symlink a\\a",
];
const walks: [path: string, follow: boolean, found: string | undefined][] = [
  ["", false, "Files"],
  ["WINDOWS/system32", false, "Files/Windows/System32"],
  ["windows/system32/A.DLL", true, "Files/Windows/System32/a.dll"],
  ["windows/system32/a.dll/x", true, undefined],
  ["none", true, undefined],
  ["users/ALL", false, "Files/Users/All"],
  ["users/ALL", true, "Files/ProgramData"],
  ["users/all/X", false, "Files/ProgramData/x"],
  ["users/up/x", false, "Files/ProgramData/x"],
  ["users/root/x", false, "Files/ProgramData/x"],
  ["users/verbatim/x", false, "Files/ProgramData/x"],
  ["users/nt/x", false, "Files/ProgramData/x"],
  ["users/forward/x", false, "Files/ProgramData/x"],
  ["users/climb/system32", false, "Files/Windows/System32"],
  ["users/twice/x", false, "Files/ProgramData/x"],
  ["users/other/x", false, undefined],
  ["users/other", false, "Files/Users/other"],
  ["users/other", true, undefined],
  ["users/share", true, undefined],
  ["users/volume", true, undefined],
  ["users/unix", true, undefined],
  ["users/nowhere", true, undefined],
  // Windows takes ".." off before it looks at links.
  ["users/all/../all/x", false, "Files/ProgramData/x"],
  ["../../windows", false, "Files/Windows"],
  ["users/./all/.", false, "Files/Users/All"],
];
for (const [path, follow, found] of walks) {
  test(`Windows path: ${path}${follow ? ", followed," : ""} is ${found}`, async (t) => {
    const tree = await stackTree([layerOf(parseChanges(linked))], windows);
    t.is(await windowsTree(tree).resolve(path, { follow }), found);
    t.is(await tree.resolve(`Files/${path.replace(/^(?:\.\.\/)+/, "")}`, follow), found);
    t.is(await driveTree(tree).resolve(path, follow), found?.slice("Files/".length));
  });
}

test("a path to make keeps what is not there, below what is", async (t) => {
  const tree = windowsTree(await stackTree([layerOf(parseChanges(linked))], windows));
  t.is(await tree.resolve("users/all/New/File", { missing: "keep" }), "Files/ProgramData/New/File");
  t.is(await tree.resolve("users/nowhere/New", { missing: "keep" }), "Files/none/New");
  t.is(await tree.resolve("users/other/New", { missing: "keep" }), undefined);
});

for (const path of ["users/me", "users/a", "users/b/x"]) {
  test(`Windows path: ${path} is a circle`, async (t) => {
    const tree = await stackTree([layerOf(parseChanges(linked))], windows);
    await t.throwsAsync(windowsTree(tree).resolve(path, { follow: true }), { code: "TREE_LOOP" });
  });
}

test("an image without files has nothing on C:", async (t) => {
  const tree = await stackTree([layerOf(parseChanges(["set Hives directory"]))], windows);
  t.is(await tree.resolve("Files"), undefined);
  t.is(await driveTree(tree).resolve(""), undefined);
  t.deepEqual(await driveTree(tree).list(""), []);
});

/** Layers with few names in several spellings, and the slow way: all in upper case, Linux' rules. */
const name = fc.constantFrom("a", "A", "b", "B", "é", "É");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => ["Files", ...parts].join("/"));
const change: fc.Arbitrary<Change> = fc.oneof(
  path.map((at): Change => ({ kind: "delete", path: at })),
  fc.tuple(path, fc.constantFrom("directory", "file")).map(([at, type]): Change => {
    return { kind: "set", entry: entryOf(at, type as "file") };
  }),
);

test("random stacks: in upper case they are what Linux' rules make of upper-case layers", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 4 }), async (layers) => {
      const upper = (one: Change): Change =>
        one.kind === "set"
          ? { kind: "set", entry: { ...one.entry, path: shout(one.entry.path) } }
          : { kind: "delete", path: shout(one.path) };
      const tree = await stackTree(
        layers.map((layer) => layerOf(layer)),
        windows,
      );
      const model = await stackTree(layers.map((layer) => layerOf(layer.map(upper))));
      const seen = (await tree.walk("")).map(({ path: at, type }) => `${shout(at)} ${type}`);
      t.deepEqual(seen.sort(), (await model.walk("")).map(({ path: at, type }) => `${at} ${type}`).sort());
      for (const { path: at } of await tree.walk("")) if ((await tree.stat(shout(at)))?.path !== at) t.fail(at);
    }),
    { numRuns: 300 },
  );
});

function shout(at: string): string {
  return at
    .split("/")
    .map((part, i) => (i === 0 ? part : part.toUpperCase()))
    .join("/");
}
