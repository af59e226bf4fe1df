/** A commit of a bare repository → files in a folder, alike on every host: modes, times and what is left of `.git`. */

import { chmodSync, existsSync, lstatSync, lutimesSync, readdirSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { WbuildError } from "../../../native/error.ts";
import { withoutUrlSecrets } from "../../diagnose/url-secrets.ts";
import { keptFolder } from "../kept-folder.ts";
import { contextLimit } from "../limit.ts";
import { entryCounter, measure, watchSpace } from "./bounds.ts";
import { complaint, fetched, type GitOptions, type ResolvedGit, run } from "./repository.ts";

export interface CheckoutOptions extends GitOptions {
  readonly keepGitDir: boolean;
}

/** Names all that decides what a checkout's folder holds. */
export function checkoutName({ source, commit, name }: ResolvedGit, keepGitDir: boolean): string {
  const keeps = keepGitDir ? ["keep", name ?? null] : [];
  return `git ${JSON.stringify([source.shown, commit, source.subdir ?? "", source.submodules ?? true, ...keeps])}`;
}

/**
 * The files of a commit, or of its `subdir`: modes 0644, 0755, times those of the commit, submodules in their places.
 * Throws CTX_GIT_REF for a commit or folder that is not there, CTX_TOO_LARGE past contextLimit(), CTX_GIT, CTX_NO_GIT, STORE_FULL.
 */
export async function checkedOut(found: ResolvedGit, options: CheckoutOptions): Promise<string> {
  const { store, keepGitDir } = options;
  return keptFolder(store, checkoutName(found, keepGitDir), async (folder, scratch) => {
    const repository = await fetched(found, options);
    try {
      await checkOut(found, { ...options, repository, folder, scratch });
    } catch (cause) {
      throw complaint(cause, found.source);
    }
  });
}

interface CheckoutTo extends CheckoutOptions {
  /** A bare repository that has the commit. */
  readonly repository: string;
  /** Empty; gets the files. */
  readonly folder: string;
  readonly scratch: string;
}

async function checkOut(found: ResolvedGit, to: CheckoutTo): Promise<void> {
  const { source, commit } = found;
  const { folder, scratch, repository } = to;
  const subdir = source.subdir ?? "";
  const hasSubmodules = (await listed(found, to)).has(".gitmodules") && source.submodules !== false;
  const keeps = to.keepGitDir && subdir === "";
  const tree = subdir === "" ? folder : join(scratch, "tree");
  await mkdir(tree, { recursive: true });
  // A repository that may be written to, where that is needed: the one in the store is shared.
  const needsOwn = keeps || hasSubmodules;
  const gitDir = keeps ? join(tree, ".git") : needsOwn ? join(scratch, "git") : repository;
  if (needsOwn) await copyRepository(found, gitDir, keeps, to);
  const index = join(scratch, "index");
  await run({ args: ["read-tree", commit], gitDir, index }, source, to);
  // Of a lone folder only its files are made; submodules need everything that they lie in.
  const what = subdir === "" || hasSubmodules ? "." : subdir;
  if (subdir !== "" && !hasSubmodules) await mustBeFolder(found, repository, subdir, to);
  let isEmpty = true;
  const onOutput = () => {
    isEmpty = false;
  };
  await run({ args: ["ls-files", "--cached", "-z", "--", what], gitDir, index, onOutput }, source, to);
  if (!isEmpty) {
    const args = ["checkout", "--quiet", "--force", commit, "--", what];
    await run({ args, gitDir, workTree: tree, index }, source, to);
  }
  if (hasSubmodules) {
    const update = ["submodule", "--quiet", "update", "--init", "--recursive", "--depth=1", "--force"];
    // Attack: the same tree in a submodule, of which nothing is known before git makes it.
    using watch = watchSpace(tree, source.shown, contextLimit());
    const signal = AbortSignal.any([to.signal, watch.signal]);
    await run({ args: update, gitDir, workTree: tree, index }, source, { ...to, signal });
    measure(tree, source.shown, contextLimit());
    if (!keeps) await removeGitFiles(tree);
  }
  if (keeps) await finishGitDir(gitDir, found, to);
  if (subdir !== "") await moveUp(tree, subdir, folder, source.shown);
  const time = Number(
    (await run({ args: ["show", "-s", "--format=%ct", commit], gitDir: repository }, source, to)).trim(),
  );
  settle(folder, Number.isFinite(time) ? Math.max(0, time) : 0);
}

/** Names at the top of the commit, once it is known to hold no more than may be made. */
async function listed({ source, commit }: ResolvedGit, to: CheckoutTo): Promise<Set<string>> {
  const { repository: gitDir } = to;
  // Attack: a tree that names itself ten times in each of ten levels is a kilobyte, and ten billion files.
  const onOutput = entryCounter(source.shown, contextLimit());
  await run({ args: ["ls-tree", "-r", "-t", "-z", "-l", commit], gitDir, onOutput }, source, to);
  const top = await run({ args: ["ls-tree", "-z", "--name-only", commit], gitDir }, source, to);
  return new Set(top.split("\0"));
}

async function mustBeFolder({ source, commit }: ResolvedGit, gitDir: string, subdir: string, to: CheckoutTo) {
  const type = await run({ args: ["cat-file", "-t", `${commit}:${subdir}`], gitDir }, source, to).catch(() => "");
  if (type.trim() !== "tree") throw noFolder(source.shown, subdir);
}

function noFolder(shown: string, subdir: string): WbuildError {
  return new WbuildError("CTX_GIT_REF", `${shown} has no folder ${JSON.stringify(subdir)} at that commit`, {
    facts: { url: shown, subdir },
  });
}

/** By git's own protocol, as from any foreign repository: nothing but the objects comes with it. */
async function copyRepository(
  { source, commit, tag, name }: ResolvedGit,
  gitDir: string,
  keeps: boolean,
  to: CheckoutTo,
): Promise<void> {
  const wanted = tag ?? commit;
  const format = wanted.length === 64 ? ["--object-format=sha256"] : [];
  const place = keeps ? [dirname(gitDir)] : ["--bare", gitDir];
  await run({ args: ["init", "--quiet", "--template=", ...format, ...place] }, source, to);
  const isRef = name?.startsWith("refs/") === true;
  const refs = [`+refs/wbuild/${wanted}:${isRef ? name : "refs/wbuild/commit"}`];
  const fetch = ["fetch", "--quiet", "--no-tags", "--depth=1", "--no-write-fetch-head", "--update-head-ok", "origin"];
  await run({ args: [...fetch, ...refs], gitDir, local: true, origin: `file://${to.repository}` }, source, to);
}

/** `.git` for whoever runs git in a step: HEAD at the commit, the remote by name, and nothing that differs each time. */
async function finishGitDir(gitDir: string, { source, commit }: ResolvedGit, to: CheckoutTo): Promise<void> {
  await run({ args: ["update-ref", "--no-deref", "HEAD", commit], gitDir }, source, to);
  await run({ args: ["update-ref", "-d", "refs/wbuild/commit"], gitDir }, source, to);
  await run({ args: ["config", "remote.origin.url", source.shown], gitDir }, source, to);
  await run({ args: ["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"], gitDir }, source, to);
  // Fresh indexes: those of a checkout hold inodes and the hour.
  await run({ args: ["read-tree", commit], gitDir, workTree: dirname(gitDir) }, source, to);
  for (const item of await readdir(gitDir, { recursive: true, withFileTypes: true })) {
    // A branch may be called index, config or logs, too.
    if (!isRepository(item.parentPath)) continue;
    const path = join(item.parentPath, item.name);
    if (item.isFile() && item.name === "index" && item.parentPath !== gitDir) {
      await rm(path);
      await run({ args: ["read-tree", "HEAD"], gitDir: item.parentPath }, source, to);
    } else if (["logs", "FETCH_HEAD", "ORIG_HEAD"].includes(item.name))
      await rm(path, { recursive: true, force: true });
    // Attack: the URL of a submodule is completed by that of its repository, password and all, and then is in an image.
    else if (item.isFile() && item.name === "config") {
      await writeFile(path, withoutUrlSecrets(await readFile(path, "utf8")));
    }
  }
}

function isRepository(folder: string): boolean {
  return existsSync(join(folder, "HEAD")) && existsSync(join(folder, "objects"));
}

/** Each submodule has a file `.git` that leads to a repository which is gone soon. */
async function removeGitFiles(folder: string): Promise<void> {
  for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (item.name === ".git" && item.isFile()) await rm(join(item.parentPath, item.name));
  }
}

/** Makes a folder of the tree the whole of it. */
async function moveUp(tree: string, subdir: string, folder: string, shown: string): Promise<void> {
  const from = join(tree, subdir);
  const real = await realpath(from).catch(() => undefined);
  // Attack: `subdir` goes over a link of the repository to a folder of this host.
  if (real !== (await realpath(tree)) + from.slice(tree.length) || !(await lstat(from)).isDirectory())
    throw noFolder(shown, subdir);
  for (const name of await readdir(from)) await rename(join(from, name), join(folder, name));
}

/** git makes files by the user's umask and dates them now: neither may decide about an image. */
function settle(folder: string, time: number): void {
  const folders = [folder];
  for (const item of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name);
    if (item.isDirectory()) folders.push(path);
    else {
      if (item.isFile()) chmodSync(path, lstatSync(path).mode & 0o100 ? 0o755 : 0o644);
      lutimesSync(path, time, time);
    }
  }
  // From below, or the files' change would date the folder again.
  for (const path of folders.reverse()) {
    chmodSync(path, 0o755);
    lutimesSync(path, time, time);
  }
}
