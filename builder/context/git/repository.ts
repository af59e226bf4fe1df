/**
 * A git repository elsewhere: what its refs mean, and its commits as folders of the store. What was fetched is kept as a
 * bare repository, from which the next fetch goes on; each is made once and never changed, so none needs a lock.
 */
import { linkSync, mkdirSync, readdirSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { storeError } from "../../../layerfs/store/failure.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import { withoutUrlSecrets } from "../../diagnose/url-secrets.ts";
import { findFolder, keptFolder } from "../kept-folder.ts";
import { contextLimit, tooLarge } from "../limit.ts";
import { type GitAccess, type GitCall, GitFailure, git } from "./program.ts";
import { type GitSource, isCommit } from "./url.ts";

export interface ResolvedGit {
  readonly source: GitSource;
  readonly commit: string;
  /** Full name of the ref, where one was asked for. */
  readonly name?: string;
  /** An annotated tag's own digest. */
  readonly tag?: string;
}

export interface GitOptions {
  readonly store: Store;
  readonly signal: AbortSignal;
  readonly access: GitAccess;
}

/**
 * The commit that a source means now. Asks the server, unless the source names a commit in full. Throws CTX_GIT_REF for
 * what is not there, CTX_CHECKSUM for another commit than demanded, CTX_GIT, CTX_NO_GIT.
 */
export async function resolveGit(source: GitSource, options: GitOptions): Promise<ResolvedGit> {
  const wanted = source.ref ?? "HEAD";
  if (isCommit(wanted)) return checked({ source, commit: wanted });
  const said = await run({ args: ["ls-remote", "--quiet", "origin", wanted, `${wanted}^{}`] }, source, options);
  const found = new Map<string, string>();
  for (const line of said.split("\n")) {
    const [digest = "", name = ""] = line.split("\t");
    if (isCommit(digest)) found.set(name, digest);
  }
  // As git itself resolves a short name, branches before tags.
  for (const name of [wanted, `refs/${wanted}`, `refs/heads/${wanted}`, `refs/tags/${wanted}`]) {
    const digest = found.get(name);
    if (digest === undefined) continue;
    const peeled = found.get(`${name}^{}`);
    const resolved = checked({
      source,
      commit: peeled ?? digest,
      ...(name === "HEAD" ? {} : { name }),
      ...(peeled === undefined ? {} : { tag: digest }),
    });
    // Attack: a server that says of a pinned tag that it means another commit. The tag itself tells.
    if (source.checksum !== undefined && !resolved.commit.startsWith(source.checksum)) await fetched(resolved, options);
    return resolved;
  }
  throw new WbuildError("CTX_GIT_REF", `${source.shown} has no branch, tag or other ref ${JSON.stringify(wanted)}`, {
    facts: { url: source.shown, ref: wanted },
    hint: /^[0-9a-f]{7,39}$/.test(wanted) ? "a commit must be named by all of its digits" : "look at `git ls-remote`",
  });
}

function checked(found: ResolvedGit): ResolvedGit {
  const { checksum, shown, ref } = found.source;
  if (checksum === undefined || found.commit.startsWith(checksum) || found.tag?.startsWith(checksum)) return found;
  const what = ref === undefined ? shown : `${ref} of ${shown}`;
  throw new WbuildError("CTX_CHECKSUM", `${what} is the commit ${found.commit}, not ${checksum}`, {
    facts: { url: shown, found: found.commit, expected: checksum },
  });
}

/** A bare repository that has the commit. Throws CTX_GIT_REF, CTX_CHECKSUM, CTX_TOO_LARGE, CTX_GIT, CTX_NO_GIT, STORE_FULL. */
export async function fetched(found: ResolvedGit, options: GitOptions): Promise<string> {
  const repository = await brought(found, options);
  const { source, commit, tag } = found;
  if (tag === undefined) return repository;
  const meant = await run({ args: ["rev-parse", "--verify", `${tag}^{commit}`], gitDir: repository }, source, options);
  if (meant.trim() === commit) return repository;
  throw new WbuildError(
    "CTX_CHECKSUM",
    `the tag ${tag} of ${source.shown} is the commit ${meant.trim()}, not ${commit}`,
    {
      facts: { url: source.shown, found: meant.trim(), expected: commit },
    },
  );
}

async function brought(found: ResolvedGit, options: GitOptions): Promise<string> {
  const { store } = options;
  const { source, commit, tag } = found;
  const latest = `git latest ${source.shown}`;
  const nameOf = (id: string) => `git repository ${source.shown} ${id}`;
  const wanted = tag ?? commit;
  const known = findFolder(store, nameOf(wanted));
  if (known !== undefined) return known;
  const before = store.facts.get(latest);
  const base = typeof before === "string" ? findFolder(store, nameOf(before)) : undefined;
  const folder = await keptFolder(store, nameOf(wanted), async (gitDir) => {
    const format = wanted.length === 64 ? ["--object-format=sha256"] : [];
    await run({ args: ["init", "--quiet", "--bare", "--template=", ...format, gitDir] }, source, options);
    if (base !== undefined) await continueFrom(base, gitDir);
    await fetchInto(gitDir, found, options);
    const mark = ["update-ref", `refs/wbuild/${wanted}`, wanted];
    await run({ args: mark, gitDir }, source, options);
  });
  store.facts.set(latest, wanted);
  return folder;
}

/** git never changes a file of objects, so a repository may share them with the one before. */
async function continueFrom(base: string, gitDir: string): Promise<void> {
  for (const name of ["refs", "packed-refs", "shallow"]) {
    await cp(join(base, name), join(gitDir, name), { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "ENOENT") throw cause;
    });
  }
  for (const item of readdirSync(join(base, "objects"), { recursive: true, withFileTypes: true })) {
    const from = join(item.parentPath, item.name);
    const to = join(gitDir, from.slice(base.length));
    if (item.isDirectory()) mkdirSync(to, { recursive: true });
    else if (item.isFile()) linkSync(from, to);
  }
}

async function fetchInto(gitDir: string, found: ResolvedGit, options: GitOptions): Promise<void> {
  const { source, commit, tag, name } = found;
  const wanted = tag ?? commit;
  const fetch = (...args: string[]) =>
    run(
      { args: ["fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head", ...args], gitDir },
      source,
      options,
    );
  const isThere = () =>
    run({ args: ["cat-file", "-e", `${wanted}^{commit}`], gitDir }, source, options).then(
      () => true,
      () => false,
    );
  // By its digest, so that nobody can move the ref meanwhile. Servers may refuse that: then by name, then all there is.
  const ways = [
    ["--depth=1", "origin", wanted],
    ...(name === undefined ? [] : [["--depth=1", "origin", name]]),
    ["origin", "+refs/heads/*:refs/wbuild/heads/*", "+refs/tags/*:refs/wbuild/tags/*"],
  ];
  for (const [i, way] of ways.entries()) {
    if (await isThere()) return;
    // A shallow repository would stay one.
    const isLast = i === ways.length - 1;
    const shallow = isLast && (await run({ args: ["rev-parse", "--is-shallow-repository"], gitDir }, source, options));
    try {
      await fetch(...(shallow && shallow.trim() === "true" ? ["--unshallow"] : []), ...way);
    } catch (error) {
      if (isLast || !isWbuildError(error) || error.code !== "CTX_GIT") throw error;
    }
  }
  if (await isThere()) return;
  throw new WbuildError("CTX_GIT_REF", `${source.shown} has no commit ${wanted}`, {
    facts: { url: source.shown, commit: wanted },
  });
}

/** One run of git for a source; its failure is told as CTX_GIT. */
export async function run(
  call: Omit<GitCall, "signal" | "origin"> & { readonly origin?: string },
  source: GitSource,
  { signal, access }: GitOptions,
): Promise<string> {
  try {
    // Attack: a pack without end.
    return await git({ ...access, origin: source.remote, fileBytes: contextLimit(), ...call, signal });
  } catch (cause) {
    throw complaint(cause, source);
  }
}

/** What went wrong with a repository, in our words. */
export function complaint(cause: unknown, source: GitSource): unknown {
  if (!(cause instanceof GitFailure)) {
    return isWbuildError(cause) ? cause : storeError(cause, "check out a git repository", source.shown);
  }
  const said = clean(cause.said, source);
  if (/No space left on device/.test(said)) {
    return new WbuildError("STORE_FULL", `no space left to fetch ${source.shown}`, {
      hint: "free some space, or run `wbuild prune` to drop build cache and unpacked layers",
    });
  }
  if (/File too large/.test(said)) return tooLarge(source.shown, contextLimit(), cause);
  const needsLogin = /could not read (Username|Password)|Authentication failed|HTTP 40[13]|error: 40[13]/i.test(said);
  const isElsewhere = /returned error: 30[12378]/.test(said);
  const isSsh = /Permission denied \(|Host key verification failed/.test(said);
  return new WbuildError("CTX_GIT", `git cannot fetch ${source.shown}${said === "" ? "" : `: ${said}`}`, {
    facts: { url: source.shown },
    ...(needsLogin ? { hint: "give a token: --secret id=GIT_AUTH_TOKEN,env=NAME" } : {}),
    ...(isElsewhere ? { hint: "the server sends to another address, and no login goes there: name that address" } : {}),
    ...(isSsh ? { hint: "give an agent that has the key: --ssh default" } : {}),
  });
}

/** git's last lines, without the URL's credentials and without what could rewrite a terminal. */
function clean(said: string, { remote, shown }: GitSource): string {
  const lines = said.replaceAll(remote, shown).split("\n").slice(-4).join("; ");
  return (
    withoutUrlSecrets(lines)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ")
      .slice(0, 400)
  );
}
