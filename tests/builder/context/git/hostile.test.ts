/** Repositories and servers that want to do harm. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { isWbuildError } from "../../../../native/error.ts";
import { type GitRepository, gitFolder, gitRepository, gitWeb, noGit } from "../../../doubles/git-server.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { scene, withRepository } from "./scene.ts";

const gitTest = testUnless(noGit());

/** A folder that nothing may be written to. */
function outside(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-outside-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const submodules: [name: string, section: string, more: (outside: string) => string][] = [
  ["a name that leads out", "../../out", () => "url = ./other"],
  ["a url that is an option", "lib", () => "url = -u./payload"],
  ["a url that is an option behind a scheme", "lib", (folder) => `url = ssh://-oProxyCommand=touch%20${folder}/made/x`],
  ["a program as update", "lib", (folder) => `url = ./other\n\tupdate = !touch ${folder}/made`],
  ["a line break in its url", "lib", () => 'url = "https://a.invalid/x\\nhost=b.invalid"'],
  ["a path of this host as url", "lib", () => "url = /etc"],
];
for (const [name, section, more] of submodules)
  for (const keepGitDir of [false, true])
    gitTest(`a submodule with ${name} is refused${keepGitDir ? ", with --keep-git-dir, too" : ""}`, async (t) => {
      const { repository, url } = await withRepository(t);
      const folder = outside(t);
      const head = await repository.commit({ a: "1" });
      await repository.git("update-index", "--add", "--cacheinfo", `160000,${head},lib`);
      writeFileSync(
        join(repository.folder, ".gitmodules"),
        `[submodule "${section}"]\n\tpath = lib\n\t${more(folder)}\n`,
      );
      await repository.git("add", ".gitmodules");
      await repository.git("commit", "--quiet", "-m", "submodule");
      const error = await t.throwsAsync(scene(t).checkOut(url, keepGitDir));
      t.true(isWbuildError(error, "CTX_GIT"), String(error));
      t.deepEqual(readdirSync(folder), []);
    });

/** A commit of a tree that git itself would not make; `entries` as `git mktree` takes them. */
async function commitTree(repository: GitRepository, entries: readonly string[]): Promise<void> {
  const input = entries.map((line) => `${line}\n`).join("");
  const tree = execFileSync("git", ["mktree"], { cwd: repository.folder, input, encoding: "utf8" }).trim();
  await repository.git("update-ref", "HEAD", await repository.git("commit-tree", "-m", "odd", tree));
}

for (const name of [".git", "..", ".", ".GIT", "git~1"])
  for (const kind of ["file", "folder", "link"] as const)
    gitTest(`a ${kind} with the name ${name} is refused`, async (t) => {
      const { repository, url } = await withRepository(t);
      await repository.commit({ "d/f": "x" });
      const [blob, tree] = [await repository.git("rev-parse", "HEAD:d/f"), await repository.git("rev-parse", "HEAD:d")];
      const entry = { file: `100644 blob ${blob}`, folder: `040000 tree ${tree}`, link: `120000 blob ${blob}` }[kind];
      await commitTree(repository, [`${entry}\t${name}`, `100644 blob ${blob}\tz`]);
      const error = await t.throwsAsync(scene(t).checkOut(url));
      t.true(isWbuildError(error, "CTX_GIT"), String(error));
    });

gitTest("a link and a folder of one name write nothing through the link", async (t) => {
  const { repository, url } = await withRepository(t);
  const folder = outside(t);
  symlinkSync(folder, join(repository.folder, "l"));
  await repository.commit({ "d/f": "x" });
  const id = (what: string) => repository.git("rev-parse", `HEAD:${what}`);
  await commitTree(repository, [`120000 blob ${await id("l")}\td`, `040000 tree ${await id("d")}\td`]);
  await scene(t)
    .checkOut(url)
    .catch((error) => t.true(isWbuildError(error, "CTX_GIT"), String(error)));
  t.deepEqual(readdirSync(folder), []);
});

gitTest("what a link leads to keeps its mode and time", async (t) => {
  const { repository, url } = await withRepository(t);
  const folder = outside(t);
  writeFileSync(join(folder, "f"), "x", { mode: 0o600 });
  for (const path of [join(folder, "f"), folder]) utimesSync(path, 1, 1);
  symlinkSync(folder, join(repository.folder, "l"));
  symlinkSync(join(folder, "f"), join(repository.folder, "m"));
  await repository.commit({ a: "1" });
  await scene(t).checkOut(url);
  for (const path of [join(folder, "f"), folder]) t.is(statSync(path).mtimeMs, 1000, path);
  t.is(statSync(join(folder, "f")).mode & 0o777, 0o600);
});

gitTest("a server cannot let a pinned tag mean another commit", async (t) => {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const good = await repository.commit({ a: "good" });
  await repository.git("tag", "-a", "-m", "note", "v1");
  const tag = await repository.git("rev-parse", "v1");
  const bad = await repository.commit({ a: "bad" });
  // Of the same length, so that nothing else of the answer changes.
  let lies = false;
  const lie = (answer: Buffer) =>
    lies ? Buffer.from(answer.toString("latin1").replaceAll(`peeled:${good}`, `peeled:${bad}`), "latin1") : answer;
  const { url } = await gitWeb(t, folder, undefined, lie);
  const { checkOut, resolve } = scene(t);
  const pinned = `${url}/r/.git?tag=v1&checksum=${tag}`;
  t.is((await resolve(pinned)).commit, good);
  await checkOut(`${url}/r/.git#${bad}`);
  lies = true;
  for (const wanted of [pinned, `${url}/r/.git?tag=v1&checksum=${good}`]) {
    const error = await t.throwsAsync(resolve(wanted));
    t.true(isWbuildError(error, "CTX_CHECKSUM"), String(error));
  }
  // Not pinned: what is told is still not taken for what the tag says.
  t.true(isWbuildError(await t.throwsAsync(scene(t).checkOut(`${url}/r/.git?tag=v1`)), "CTX_CHECKSUM"));
  lies = false;
  t.true(existsSync(join(await checkOut(pinned), "a")));
});

gitTest("a server that sends other objects than it was asked for is refused", async (t) => {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const commit = await repository.commit({ a: "1" });
  const absent = "0123456789".repeat(4);
  const lie = (answer: Buffer) => Buffer.from(answer.toString("latin1").replaceAll(commit, absent), "latin1");
  const { url } = await gitWeb(t, folder, undefined, lie);
  const error = await t.throwsAsync(scene(t).checkOut(`${url}/r/.git`));
  t.true(isWbuildError(error, "CTX_GIT") || isWbuildError(error, "CTX_GIT_REF"), String(error));
});

gitTest("a redirect is followed, but never with what lets somebody in", async (t) => {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  await repository.commit({ a: "1" });
  const { url: elsewhere, headers } = await gitWeb(t, folder);
  const server = createServer((request, response) => {
    response.writeHead(302, { location: `${elsewhere}${request.url}` }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.deepEqual(readdirSync(await scene(t).checkOut(`${origin}/r/.git`)), ["a"]);
  const header = { origin: `${origin}/`, value: `basic ${btoa("x-access-token:t0ken")}` };
  const error = await t.throwsAsync(scene(t, { header }).checkOut(`${origin}/r/.git`));
  t.true(isWbuildError(error, "CTX_GIT"), String(error));
  t.regex((error as { hint?: string }).hint ?? "", /another address/);
  await scene(t)
    .checkOut(`${origin.replace("//", "//me:p4ssw0rd@")}/r/.git`)
    .catch((cause) => t.true(isWbuildError(cause, "CTX_GIT"), String(cause)));
  t.true(headers.length > 0);
  t.deepEqual(
    headers.filter(({ authorization }) => authorization !== undefined),
    [],
  );
});
