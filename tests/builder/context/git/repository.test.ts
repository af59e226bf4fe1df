import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkedOut } from "../../../../builder/context/git/checkout.ts";
import { resolveGit } from "../../../../builder/context/git/repository.ts";
import { type GitSource, parseGitUrl } from "../../../../builder/context/git/url.ts";
import { openStore } from "../../../../layerfs/store/store.ts";
import { type ErrorCode, isWbuildError } from "../../../../native/error.ts";
import { sha256 } from "../../../doubles/file-server.ts";
import { gitDaemon, gitFolder, gitRepository, gitWeb, noGit } from "../../../doubles/git-server.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { scene, withRepository } from "./scene.ts";

const skipped = noGit();
const gitTest = testUnless(skipped);

gitTest("names of refs mean what git means by them", async (t) => {
  const { repository, url } = await withRepository(t);
  const { resolve } = scene(t);
  const first = await repository.commit({ a: "1" });
  await repository.git("tag", "light");
  await repository.git("tag", "-a", "-m", "note", "v1");
  const tag = await repository.git("rev-parse", "v1");
  await repository.git("checkout", "-q", "-b", "both");
  const second = await repository.commit({ a: "2" });
  await repository.git("tag", "both", first);
  await repository.git("update-ref", "refs/pull/7/head", second);
  await repository.git("checkout", "-q", "main");
  const table: [string, object][] = [
    ["", { commit: first }],
    ["#main", { commit: first, name: "refs/heads/main" }],
    ["#heads/main", { commit: first, name: "refs/heads/main" }],
    ["#refs/heads/both", { commit: second, name: "refs/heads/both" }],
    ["#both", { commit: second, name: "refs/heads/both" }],
    ["?tag=both", { commit: first, name: "refs/tags/both" }],
    ["#light", { commit: first, name: "refs/tags/light" }],
    ["#v1", { commit: first, tag, name: "refs/tags/v1" }],
    ["#pull/7/head", { commit: second, name: "refs/pull/7/head" }],
    [`?tag=v1&checksum=${tag}`, { commit: first }],
    [`?tag=v1&checksum=${first.slice(0, 12)}`, { commit: first }],
    [`#${second}`, { commit: second }],
  ];
  for (const [ref, expected] of table) t.like(await resolve(`${url}${ref}`), expected, ref);
  const refused: [string, ErrorCode][] = [
    ["#nope", "CTX_GIT_REF"],
    [`#${first.slice(0, 10)}`, "CTX_GIT_REF"],
    [`?tag=v1&checksum=${second}`, "CTX_CHECKSUM"],
  ];
  for (const [ref, code] of refused) {
    const error = await t.throwsAsync(resolve(`${url}${ref}`));
    t.true(isWbuildError(error, code), `${ref}: ${error}`);
  }
});

gitTest("a checkout has git's two modes and the commit's time, whatever the umask", async (t) => {
  const { repository, url } = await withRepository(t);
  const { checkOut } = scene(t);
  await repository.commit({ "a/b": "text", run: "#!/bin/sh\n", ".gitattributes": "crlf eol=crlf\n", crlf: "1\n" });
  await repository.git("update-index", "--chmod=+x", "run");
  symlinkSync("a/b", join(repository.folder, "link"));
  await repository.git("add", "link");
  await repository.git("commit", "-qm", "more");
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const folder = await checkOut(url);
  const time = Date.parse("2020-01-02T03:04:05Z");
  const seen = ["", "a", "a/b", "run", "link"].map((path) => {
    const { mode, mtimeMs } = lstatSync(join(folder, path));
    t.is(mtimeMs, time, path);
    return (mode & 0o777).toString(8);
  });
  t.deepEqual(seen, ["755", "755", "644", "755", "777"]);
  t.false(readdirSync(folder).includes(".git"));
  t.is(readFileSync(join(folder, "crlf"), "latin1"), "1\r\n");
});

gitTest("a folder of a repository is the whole checkout; one that is not there is told", async (t) => {
  const { repository, url } = await withRepository(t);
  const { checkOut } = scene(t);
  await repository.commit({ "a/b/c": "1", "a/d": "2", top: "3" });
  symlinkSync("/etc", join(repository.folder, "out"));
  symlinkSync("a", join(repository.folder, "in"));
  await repository.git("add", "-A");
  await repository.git("commit", "-qm", "links");
  t.deepEqual(readdirSync(await checkOut(`${url}#main:a`)).sort(), ["b", "d"]);
  t.deepEqual(readdirSync(await checkOut(`${url}#main:/a/../a/b/`)).sort(), ["c"]);
  for (const path of ["nope", "top", "out", "in", "out/ssl"])
    t.true(isWbuildError(await t.throwsAsync(checkOut(`${url}#main:${path}`)), "CTX_GIT_REF"), path);
});

gitTest("a commit that is here needs no server; the next one is fetched on top", async (t) => {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const { url, asked } = await gitWeb(t, folder);
  const { checkOut, store } = scene(t);
  const first = await repository.commit({ a: "1" });
  const one = await checkOut(`${url}/r/.git#${first}`);
  const requests = asked.length;
  t.is(await checkOut(`${url}/r/.git#${first}`), one);
  t.is(asked.length, requests);
  const second = await repository.commit({ b: "2" });
  t.deepEqual(readdirSync(await checkOut(`${url}/r/.git#${second}`)).sort(), ["a", "b"]);
  const usage = await store.usage();
  t.true(usage.snapshots.count >= 4 && usage.snapshots.bytes > 0);
});

gitTest("what was fetched is removed by a prune", async (t) => {
  const { repository, url } = await withRepository(t);
  const home = mkdtempSync(join(tmpdir(), "wbuild-git-store-"));
  using store = openStore(home);
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  await repository.commit({ a: "1" });
  const options = { store, signal: new AbortController().signal, access: {} };
  const found = await resolveGit(parseGitUrl(url) as GitSource, options);
  await checkedOut(found, { ...options, keepGitDir: false });
  await store.collect();
  t.is((await store.usage()).snapshots.count, 2);
  await store.collect({ all: true });
  t.is((await store.usage()).snapshots.count, 0);
});

/** Path and digest of every file, `.git` included. */
function contentOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name))
    .map((path) => `${path.slice(folder.length)} ${sha256(readFileSync(path))}`)
    .sort();
}

gitTest("--keep-git-dir leaves a repository that git can work with, and the same bytes each time", async (t) => {
  const { repository, url } = await withRepository(t);
  await repository.commit({ a: "1" });
  await repository.git("tag", "-a", "-m", "note", "v1");
  const folders: string[] = [];
  for (let i = 0; i < 2; i++) folders.push(await scene(t).checkOut(`${url}#v1`, true));
  const [one = "", other = ""] = folders;
  const { execFileSync } = await import("node:child_process");
  const ask = (...args: string[]) =>
    execFileSync("git", ["-c", "safe.directory=*", ...args], { cwd: one, encoding: "utf8" }).trim();
  t.is(ask("describe", "--tags"), "v1");
  t.is(ask("config", "remote.origin.url"), url);
  t.is(ask("log", "-1", "--format=%s"), "change");
  t.deepEqual(contentOf(one), contentOf(other));
  t.is(execFileSync("git", ["-c", "safe.directory=*", "status", "--porcelain"], { cwd: other, encoding: "utf8" }), "");
});

gitTest("submodules come along, of every depth; where one says so they do not", async (t) => {
  const folder = await gitFolder(t);
  const [deep, sub, top] = [
    await gitRepository(folder, "deep"),
    await gitRepository(folder, "sub"),
    await gitRepository(folder, "top"),
  ];
  const { url } = await gitWeb(t, folder);
  await deep.commit({ deepest: "1" });
  await sub.commit({ file: "2" });
  const add = (of: typeof top, from: string, name: string) =>
    of.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", join(folder, from), name);
  await add(sub, "deep", "in");
  await sub.commit({ ".gitmodules": `[submodule "in"]\n\tpath = in\n\turl = ${url}/deep/.git\n` });
  await add(top, "sub", "lib");
  await top.commit({ ".gitmodules": `[submodule "lib"]\n\tpath = lib\n\turl = ../../sub/.git\n`, a: "0" });
  const made = await scene(t).checkOut(`${url}/top/.git`);
  t.is(readFileSync(join(made, "lib/file"), "latin1"), "2");
  t.is(readFileSync(join(made, "lib/in/deepest"), "latin1"), "1");
  t.deepEqual(readdirSync(join(made, "lib")).sort(), [".gitmodules", "file", "in"]);
  t.deepEqual(readdirSync(await scene(t).checkOut(`${url}/top/.git#main:lib`)).sort(), [".gitmodules", "file", "in"]);
  t.deepEqual(readdirSync(join(await scene(t).checkOut(`${url}/top/.git?submodules=false`), "lib")), []);
});

for (const [name, url] of [
  ["a file of this host", "file:///"],
  ["a program", "ext::sh -c touch% /tmp/wbuild-was-here"],
  ["an option", "--upload-pack=touch /tmp/wbuild-was-here"],
] as const)
  gitTest(`a submodule at ${name} is refused`, async (t) => {
    const { folder, repository, url: main } = await withRepository(t);
    const other = await gitRepository(folder, "other");
    await other.commit({ x: "1" });
    await repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.folder, "lib");
    await repository.commit({ ".gitmodules": `[submodule "lib"]\n\tpath = lib\n\turl = ${url}\n` });
    const error = await t.throwsAsync(scene(t).checkOut(main));
    t.true(isWbuildError(error, "CTX_GIT"), String(error));
    t.false(readdirSync("/tmp").includes("wbuild-was-here"));
  });

gitTest("a repository behind a login needs its token, which no message tells", async (t) => {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  await repository.commit({ a: "1" });
  const value = `basic ${btoa("x-access-token:t0ken")}`;
  const { url } = await gitWeb(t, folder, value);
  const origin = `${url}/`;
  const made = await scene(t, { header: { origin, value } }).checkOut(`${url}/r/.git`);
  t.deepEqual(readdirSync(made), ["a"]);
  const wrong = { header: { origin, value: `basic ${btoa("x-access-token:wr0ng")}` } };
  for (const access of [{}, wrong]) {
    const error = await t.throwsAsync(scene(t, access).checkOut(`${url.replace("//", "//me:p4ss@")}/r/.git`));
    t.true(isWbuildError(error, "CTX_GIT"), String(error));
    t.notRegex(`${error} ${JSON.stringify((error as { facts?: object }).facts)}`, /p4ss|wr0ng/);
    t.regex((error as { hint?: string }).hint ?? "", /GIT_AUTH_TOKEN/);
  }
});

gitTest("a repository of SHA-256 digests is one like any other", async (t) => {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r", "sha256");
  const commit = await repository.commit({ a: "1" });
  t.is(commit.length, 64);
  t.deepEqual(readdirSync(await scene(t).checkOut(`${await gitDaemon(t, folder)}/r#${commit}`)), ["a"]);
});

gitTest("a server that is not there is told in git's words", async (t) => {
  const error = await t.throwsAsync(scene(t).checkOut("git://127.0.0.1:1/r"));
  t.true(isWbuildError(error, "CTX_GIT"), String(error));
  t.regex(String(error), /Connection refused/);
});

gitTest("an empty commit is an empty folder", async (t) => {
  const { repository, url } = await withRepository(t);
  await repository.commit({});
  t.deepEqual(readdirSync(await scene(t).checkOut(url)), []);
});

gitTest("a password of a URL is in no file of a kept .git, not even for a submodule", async (t) => {
  const folder = await gitFolder(t);
  const [sub, top] = [await gitRepository(folder, "sub"), await gitRepository(folder, "top")];
  const { url } = await gitWeb(t, folder, `Basic ${btoa("me:p4ssw0rd")}`);
  await sub.commit({ file: "1" });
  await top.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", sub.folder, "lib");
  await top.commit({ ".gitmodules": `[submodule "lib"]\n\tpath = lib\n\turl = ../../sub/.git\n` });
  const made = await scene(t).checkOut(`${url.replace("//", "//me:p4ssw0rd@")}/top/.git`, true);
  t.is(readFileSync(join(made, "lib/file"), "latin1"), "1");
  const told = readdirSync(made, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name))
    .filter((path) => readFileSync(path, "latin1").includes("p4ssw0rd"));
  t.deepEqual(told, []);
  t.true(existsSync(join(made, ".git/modules/lib/config")));
  const again = await scene(t).checkOut(`${url.replace("//", "//me:p4ssw0rd@")}/top/.git`, true);
  t.deepEqual(contentOf(again), contentOf(made));
});

gitTest("a commit that unfolds into billions of files is refused before it is made", async (t) => {
  const { repository, url } = await withRepository(t);
  await repository.commit({ f: "x" });
  const { execFileSync } = await import("node:child_process");
  const mktree = (lines: string) =>
    execFileSync("git", ["mktree"], { cwd: repository.folder, input: lines, encoding: "utf8" }).trim();
  let tree = await repository.git("rev-parse", "HEAD^{tree}");
  for (let i = 0; i < 9; i++) tree = mktree([..."abcdefghij"].map((name) => `040000 tree ${tree}\t${name}\n`).join(""));
  await repository.git("update-ref", "HEAD", await repository.git("commit-tree", "-m", "bomb", tree));
  const error = await t.throwsAsync(scene(t).checkOut(url));
  t.regex(String(error), /more than 4000000 files/);
});

for (const name of ["index", "config", "logs", "FETCH_HEAD", "deep/index"])
  gitTest(`--keep-git-dir keeps a branch that is called ${name}`, async (t) => {
    const { repository, url } = await withRepository(t);
    const commit = await repository.commit({ a: "1" });
    await repository.git("branch", name);
    const folder = await scene(t).checkOut(`${url}#refs/heads/${name}`, true);
    t.is(readFileSync(join(folder, ".git/refs/heads", name), "utf8").trim(), commit);
    t.false(existsSync(join(folder, ".git/logs")));
  });
