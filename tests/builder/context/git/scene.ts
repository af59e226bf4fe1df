/** What tests of git sources start from. */
import type { ExecutionContext } from "ava";
import { checkedOut } from "../../../../builder/context/git/checkout.ts";
import { type GitOptions, resolveGit } from "../../../../builder/context/git/repository.ts";
import { type GitSource, parseGitUrl } from "../../../../builder/context/git/url.ts";
import { gitDaemon, gitFolder, gitRepository } from "../../../doubles/git-server.ts";
import { scratchStore } from "../../../doubles/scratch.ts";

/** A store of its own, and what the rooms do with it. */
export function scene(t: ExecutionContext, access: GitOptions["access"] = {}) {
  const store = scratchStore(t);
  const options = { store, signal: new AbortController().signal, access };
  const resolve = (url: string) => resolveGit(parseGitUrl(url) as GitSource, options);
  const checkOut = async (url: string, keepGitDir = false) =>
    checkedOut(await resolve(url), { ...options, keepGitDir });
  return { store, home: store.home, resolve, checkOut };
}

/** An empty repository that a git daemon shows. */
export async function withRepository(t: ExecutionContext, name = "r") {
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, name);
  return { folder, repository, url: `${await gitDaemon(t, folder)}/${name}` };
}
