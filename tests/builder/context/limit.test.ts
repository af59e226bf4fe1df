/** WBUILD_CONTEXT_LIMIT: what is larger is refused wherever it comes from. One after the other: they share the environment. */
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { watchSpace } from "../../../builder/context/git/bounds.ts";
import { contextLimit } from "../../../builder/context/limit.ts";
import { RemoteSources } from "../../../builder/context/remote-sources.ts";
import { arrive, unpackedTar } from "../../../builder/context/unpacked-tar.ts";
import { isWbuildError } from "../../../native/error.ts";
import { fileServer } from "../../doubles/file-server.ts";
import { gitFolder, gitRepository, gitWeb, noGit } from "../../doubles/git-server.ts";
import { tarOf } from "../../doubles/images.ts";
import { scratchFolder, scratchStore } from "../../doubles/scratch.ts";
import { testUnless } from "../../doubles/test-unless.ts";
import { scene, withRepository } from "./git/scene.ts";

const gitTest = testUnless(noGit(), test.serial);

function limited(t: ExecutionContext, value: string): void {
  process.env.WBUILD_CONTEXT_LIMIT = value;
  t.teardown(() => {
    delete process.env.WBUILD_CONTEXT_LIMIT;
  });
}

async function refused(t: ExecutionContext, made: Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(made);
  t.true(isWbuildError(error, "CTX_TOO_LARGE"), String(error));
  t.regex((error as { hint?: string }).hint ?? "", /WBUILD_CONTEXT_LIMIT/);
}

const sizes: [text: string | undefined, bytes: number][] = [
  [undefined, 64 * 1024 ** 3],
  ["", 64 * 1024 ** 3],
  ["100", 100],
  ["2k", 2048],
  ["1.5GiB", 1.5 * 1024 ** 3],
];
for (const [text, bytes] of sizes)
  test(`${text ?? "nothing"} is ${bytes}`, (t) => t.is(contextLimit({ WBUILD_CONTEXT_LIMIT: text }), bytes));
for (const text of ["0", "-1", "much", "1e3", "10 GiB/s"])
  test(`${text} is no limit`, (t) => {
    const error = t.throws(() => contextLimit({ WBUILD_CONTEXT_LIMIT: text }));
    t.true(isWbuildError(error, "CLI_VALUE"), String(error));
  });

async function* whole(bytes: Uint8Array) {
  yield bytes;
}

test.serial("what a tar is unpacked to, however small it came", async (t) => {
  limited(t, "100k");
  const store = scratchStore(t);
  for (const [size, mayBe] of [
    [10_000, true],
    [1_000_000, false],
  ] as const) {
    const bytes = gzipSync(await tarOf([["zeros", Buffer.alloc(size)]]));
    t.true(bytes.length < 5_000);
    const arrived = await arrive(whole(bytes), scratchFolder(t), contextLimit());
    const made = unpackedTar(store, arrived, "standard input");
    if (mayBe) await t.notThrowsAsync(made);
    else await refused(t, made);
  }
});

test.serial("a file behind a URL", async (t) => {
  limited(t, "1k");
  const server = await fileServer(t);
  server.files.set("/large", { bytes: Buffer.alloc(2000) });
  server.files.set("/endless", { bytes: Buffer.alloc(2000), hidesLength: true });
  const remote = new RemoteSources({ store: scratchStore(t), signal: new AbortController().signal });
  for (const name of ["large", "endless"]) await refused(t, remote.file(new URL(`${server.url}/${name}`)));
});

gitTest("a commit whose pack is small and whose files are not", async (t) => {
  limited(t, "300k");
  const { repository, url } = await withRepository(t);
  const { checkOut } = scene(t);
  await repository.commit({ a: "\0".repeat(200_000) });
  await t.notThrowsAsync(checkOut(url));
  await repository.commit({ b: "\0".repeat(200_000) });
  await refused(t, checkOut(url));
});

gitTest("a pack", async (t) => {
  limited(t, "100k");
  const { repository, url } = await withRepository(t);
  await repository.commit({ a: randomBytes(400_000).toString("base64") });
  await refused(t, scene(t).checkOut(url));
});

gitTest("submodules, of which nothing is known beforehand", async (t) => {
  limited(t, "300k");
  const folder = await gitFolder(t);
  const [sub, top] = [await gitRepository(folder, "sub"), await gitRepository(folder, "top")];
  const { url } = await gitWeb(t, folder);
  const text = (seed: number) => createHash("sha256").update(String(seed)).digest("hex").repeat(1000);
  await sub.commit(Object.fromEntries([1, 2, 3, 4, 5, 6].map((i) => [`f${i}`, text(i)])));
  await top.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.folder, "lib");
  await top.commit({ ".gitmodules": `[submodule "lib"]\n\tpath = lib\n\turl = ${url}/sub/.git\n` });
  await refused(t, scene(t).checkOut(`${url}/top/.git`));
  await refused(t, scene(t).checkOut(`${url}/top/.git`, true));
});

test.serial("what runs away is ended while it does", async (t) => {
  const folder = scratchFolder(t);
  using watch = watchSpace(folder, "it", 1 << 20);
  // Others use this file system, too, and may free some of it meanwhile.
  for (let i = 0; !watch.signal.aborted && i < 500; i++) {
    writeFileSync(join(folder, `f${i}`), Buffer.alloc(1 << 20, 1));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.true(isWbuildError(watch.signal.reason, "CTX_TOO_LARGE"));
});
