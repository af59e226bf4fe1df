/** What every Tree promises (layerfs/tree/tree.ts): the same files, in whatever form, look the same. */
import test from "ava";
import type { Entry } from "../../layerfs/layer/entry.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { isWbuildError } from "../../native/error.ts";
import { gather } from "./blob-store.ts";

export interface TreeUnderTest extends AsyncDisposable {
  readonly tree: Tree;
}

/** The files that `make` is to provide: `path type [text or target]`. Modes and times are its own business. */
const contractFiles = [
  "B directory",
  "a directory",
  "a/b directory",
  "a/b/deep file down here",
  "a/loop1 symlink loop2",
  "a/loop2 symlink loop1",
  "a/self symlink self",
  "abs symlink /a/b",
  "dangling symlink a/nowhere",
  "empty file",
  "file file content",
  "hi symlink file",
  "out symlink ../../../../a/../file",
  "up symlink a/b/../b/deep",
  "zoë file umlaut",
] as const;

export interface ContractFile {
  readonly path: string;
  readonly type: "directory" | "file" | "symlink";
  readonly text: string;
}

export function parseContractFiles(lines: readonly string[] = contractFiles): ContractFile[] {
  return lines.map((line) => {
    const [path = "", type = "", ...rest] = line.split(" ");
    return { path, type: type as ContractFile["type"], text: rest.join(" ") };
  });
}

const resolutions: [path: string, follow: boolean, found: string | undefined][] = [
  ["", false, ""],
  ["/", true, ""],
  ["..", true, ""],
  ["../../file", false, "file"],
  ["a/../file", false, "file"],
  ["missing/../file", false, undefined],
  ["file/../file", false, undefined],
  ["./a//b/./deep", false, "a/b/deep"],
  ["hi", false, "hi"],
  ["hi", true, "file"],
  ["abs/deep", false, "a/b/deep"],
  ["/abs/", false, "a/b"],
  ["abs/..", true, "a"],
  ["out", true, "file"],
  ["up", true, "a/b/deep"],
  ["dangling", false, "dangling"],
  ["dangling", true, undefined],
  ["file/x", false, undefined],
  ["a/self", false, "a/self"],
];

const shape = (entries: readonly Entry[]) => entries.map((entry) => `${entry.path} ${entry.type}`);

export function treeContract(name: string, make: (files: readonly ContractFile[]) => Promise<TreeUnderTest>): void {
  for (const [path, follow, found] of resolutions) {
    test(`${name}: ${JSON.stringify(path)} ${follow ? "followed " : ""}is ${found ?? "not there"}`, async (t) => {
      await using it = await make(parseContractFiles());
      t.is(await it.tree.resolve(path, follow), found);
    });
  }

  for (const path of ["a/self", "a/loop1", "a/loop2/x"]) {
    test(`${name}: a loop of links (${path}) says TREE_LOOP`, async (t) => {
      await using it = await make(parseContractFiles());
      const error = await t.throwsAsync(it.tree.resolve(path, true));
      t.true(isWbuildError(error, "TREE_LOOP"), String(error));
    });
  }

  test(`${name}: walk gives everything, parents first, siblings in byte order`, async (t) => {
    await using it = await make(parseContractFiles());
    const all = parseContractFiles().map((file) => `${file.path} ${file.type}`);
    t.deepEqual(shape(await it.tree.walk("")), [" directory", ...all]);
    t.deepEqual(
      shape(await it.tree.walk("a")),
      all.filter((line) => /^a[/ ]/.test(line)),
    );
    t.deepEqual(shape(await it.tree.walk("a/b/deep")), ["a/b/deep file"]);
    t.deepEqual(shape(await it.tree.walk("a/none")), []);
    t.deepEqual(shape(await it.tree.walk("abs/deep")), []);
  });

  test(`${name}: list gives direct children, and nothing for what is no directory`, async (t) => {
    await using it = await make(parseContractFiles());
    t.deepEqual(shape(await it.tree.list("a")), [
      "a/b directory",
      "a/loop1 symlink",
      "a/loop2 symlink",
      "a/self symlink",
    ]);
    t.is((await it.tree.list("")).length, 10);
    for (const path of ["B", "file", "abs", "none", "abs/b"]) t.deepEqual(await it.tree.list(path), []);
  });

  test(`${name}: stat follows nothing`, async (t) => {
    await using it = await make(parseContractFiles());
    t.is((await it.tree.stat("abs"))?.target, "/a/b");
    t.is((await it.tree.stat("out"))?.target, "../../../../a/../file");
    t.is((await it.tree.stat("file"))?.size, 7);
    t.is((await it.tree.stat(""))?.type, "directory");
    for (const path of ["abs/deep", "file/x", "none", "a/none"]) t.is(await it.tree.stat(path), undefined);
  });

  test(`${name}: bytes and digests of files, and of nothing else`, async (t) => {
    await using it = await make(parseContractFiles());
    for (const { path, text } of parseContractFiles().filter((file) => file.type === "file")) {
      const entry = (await it.tree.stat(path)) as Entry;
      t.is(String(await gather(it.tree.read(entry))), text);
      t.is(await it.tree.digest(entry), digestOf(text));
      t.is(await it.tree.digest(entry), digestOf(text));
    }
    for (const path of ["a", "hi"]) {
      const entry = (await it.tree.stat(path)) as Entry;
      for (const attempt of [gather(it.tree.read(entry)), it.tree.digest(entry)]) {
        const error = await t.throwsAsync(Promise.resolve(attempt));
        t.true(isWbuildError(error, "TREE_NO_CONTENT"), String(error));
      }
    }
  });
}
