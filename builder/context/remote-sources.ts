/**
 * RemoteSources: what a build takes from elsewhere, by label. A source is identified (a commit, a digest) when somebody
 * asks for its key, and brought here only when somebody needs its files; what is known of it from before saves both.
 */
import { rename, utimes } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { WbuildError } from "../../native/error.ts";
import { withoutUrlSecrets } from "../diagnose/url-secrets.ts";
import type { BuildContext } from "./context.ts";
import { openFolder } from "./folder/folder.ts";
import type { GitAccess } from "./git/program.ts";
import type { GitOptions, ResolvedGit } from "./git/repository.ts";
import type { GitSource } from "./git/url.ts";
import { type Checksum, type FetchedFile, shownUrl } from "./http-fetch.ts";
import { findFolder, keptFolder } from "./kept-folder.ts";
import { LazyContext } from "./lazy-context.ts";
import { contextLimit } from "./limit.ts";
import type { ArrivedFile } from "./unpacked-tar.ts";

export interface RemoteOptions {
  readonly store: Store;
  readonly signal: AbortSignal;
  /** A secret of the build by its id; undefined when nobody gave it. */
  readonly secret?: (id: string) => Promise<Uint8Array | undefined>;
  /** An ssh agent that the build may use, by its id: its socket, until it is disposed. */
  readonly agent?: (id: string) => Promise<AgentSocket | undefined>;
}

export interface AgentSocket extends AsyncDisposable {
  readonly path: string;
}

export interface GitChoice {
  readonly keepGitDir: boolean;
}

export interface HttpChoice {
  readonly checksum?: Checksum;
}

/** What a build was made of: a URL without credentials, and the digest of what was there. */
export interface Material {
  readonly uri: string;
  readonly digest: Readonly<Record<string, string>>;
}

export class RemoteSources {
  readonly #options: RemoteOptions;
  readonly #contexts = new Map<string, LazyContext>();
  /** What each label stands for, credentials included: two that differ only there get labels of their own. */
  readonly #exact = new Map<string, string>();
  readonly #materials = new Map<string, Material>();

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  /** The source of that label. It was made by one of the functions below. */
  get(label: string): BuildContext {
    const found = this.#contexts.get(label);
    if (!found) throw new Error(`no source is called ${label}`);
    return found;
  }

  /** All that was identified so far. */
  materials(): Material[] {
    return [...this.#materials.values()];
  }

  /** A context that something else opens, such as a folder with a name. */
  folder(label: string, open: () => Promise<BuildContext>): string {
    return this.#once(label, label, () => new LazyContext({ facts: this.#options.store.facts, open }));
  }

  /** A repository's files. Gives the label. */
  git(source: GitSource, choice: GitChoice): string {
    const { shown, ref, subdir, checksum, submodules } = source;
    const said = JSON.stringify([shown, ref, subdir, checksum, submodules, choice.keepGitDir]);
    return this.#once(`git ${said}`, source.remote, () => {
      const resolved = once(() => this.#resolve(source));
      return new LazyContext({
        facts: this.#options.store.facts,
        identify: async () => {
          const { checkoutName } = await import("./git/checkout.ts");
          return checkoutName(await resolved(), choice.keepGitDir);
        },
        open: async () => {
          const folder = await this.#checkedOut(source, await resolved(), choice);
          return openFolder(folder, undefined, this.#options.store.facts);
        },
      });
    });
  }

  /** A lone file in a folder, under the name that its URL gives it. */
  http(url: URL, choice: HttpChoice): { label: string; name: string } {
    const name = fileNameOf(url);
    const query = url.search === "" ? "" : ` ${digestOf(url.search).slice(7, 23)}`;
    const label = `http ${url.origin}${url.pathname}${query} ${JSON.stringify(choice.checksum ?? null)}`;
    const made = this.#once(label, url.href, () => {
      const arrived = once(() => this.#download(url, name, choice));
      const { checksum } = choice;
      const facts = this.#options.store.facts;
      // Content that is named by its digest is what it is, whatever the server would say today.
      const identify =
        checksum?.algorithm === "sha256"
          ? async () => {
              this.#note(shownUrl(url), "sha256", checksum.hex);
              return `http sha256:${checksum.hex} ${name}`;
            }
          : async () => `http ${(await arrived()).digest} ${name}`;
      return new LazyContext({
        facts,
        identify,
        open: async () => openFolder((await arrived()).folder, undefined, facts),
      });
    });
    return { label: made, name };
  }

  /** Brings a file here (a tar, a Dockerfile). */
  async file(url: URL): Promise<ArrivedFile & { readonly shown: string }> {
    const { folder, digest, size } = await this.#download(url, contextName, {});
    return { path: join(folder, contextName), digest, size, shown: shownUrl(url) };
  }

  /** What a tar holds; a file that is none lies alone in its folder. */
  tar(url: URL): string {
    const query = url.search === "" ? "" : ` ${digestOf(url.search).slice(7, 23)}`;
    return this.#once(`tar ${url.origin}${url.pathname}${query}`, url.href, () => {
      const { store } = this.#options;
      const arrived = once(() => this.file(url));
      return new LazyContext({
        facts: store.facts,
        identify: async () => `tar ${(await arrived()).digest}`,
        open: async () => {
          const file = await arrived();
          const { isTarFile, unpackedTar } = await import("./unpacked-tar.ts");
          const isTar = await isTarFile(file.path);
          const folder = isTar ? await unpackedTar(store, file, file.shown) : dirname(file.path);
          return openFolder(folder, undefined, store.facts);
        },
      });
    });
  }

  /** The folder of a repository's files. */
  async gitFolder(source: GitSource, choice: GitChoice): Promise<string> {
    return this.#checkedOut(source, await this.#resolve(source), choice);
  }

  async #checkedOut(source: GitSource, found: ResolvedGit, { keepGitDir }: GitChoice): Promise<string> {
    const { checkedOut } = await import("./git/checkout.ts");
    return this.#withAccess(source, (options) => checkedOut(found, { ...options, keepGitDir }));
  }

  async #resolve(source: GitSource): Promise<ResolvedGit> {
    const { resolveGit } = await import("./git/repository.ts");
    const found = await this.#withAccess(source, (options) => resolveGit(source, options));
    const uri = `${source.shown}${source.ref === undefined ? "" : `#${source.ref}`}`;
    this.#note(uri, found.commit.length === 64 ? "sha256" : "sha1", found.commit);
    return found;
  }

  #note(uri: string, algorithm: string, hex: string): void {
    this.#materials.set(uri, { uri, digest: { [algorithm]: hex } });
  }

  #once(label: string, exact: string, make: () => LazyContext): string {
    for (let at = 1; ; at++) {
      const name = at === 1 ? label : `${label} (${at})`;
      const known = this.#exact.get(name);
      if (known === exact) return name;
      if (known !== undefined) continue;
      this.#exact.set(name, exact);
      this.#contexts.set(name, make());
      return name;
    }
  }

  /** Runs `use` with what git may know: a token, or an agent for as long as it takes. */
  async #withAccess<T>(source: GitSource, use: (options: GitOptions) => Promise<T>): Promise<T> {
    const { store, signal, agent } = this.#options;
    if (/^https?:/.test(source.remote)) return use({ store, signal, access: await this.#httpAccess(source) });
    const isSsh = !source.remote.startsWith("git:");
    await using given = isSsh ? await agent?.("default") : undefined;
    const socket = given === undefined ? {} : { agent: given.path };
    return await use({ store, signal, access: { knownHosts: join(store.home, "known_hosts"), ...socket } });
  }

  /** BuildKit's names: `GIT_AUTH_TOKEN.HOST` before `GIT_AUTH_TOKEN`, headers before tokens. */
  async #httpAccess({ remote }: GitSource): Promise<GitAccess> {
    const { secret } = this.#options;
    const { host, origin } = new URL(remote);
    for (const id of [`GIT_AUTH_HEADER.${host}`, `GIT_AUTH_TOKEN.${host}`, "GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"]) {
      const value = await this.#secret(secret, id);
      if (value === undefined) continue;
      const isToken = id.startsWith("GIT_AUTH_TOKEN");
      const header = isToken ? `basic ${Buffer.from(`x-access-token:${value}`).toString("base64")}` : value;
      return { header: { origin: `${origin}/`, value: header } };
    }
    return {};
  }

  async #secret(secret: RemoteOptions["secret"], id: string): Promise<string | undefined> {
    const bytes = await secret?.(id);
    if (bytes === undefined) return undefined;
    const text = Buffer.from(bytes).toString("utf8").trim();
    // Attack: a line break would add headers of its own.
    if (!/^[\x20-\x7e]+$/.test(text)) {
      throw new WbuildError("CTX_FETCH", `the secret ${id} is no text that a header may hold`, { facts: { id } });
    }
    return text;
  }

  async #authorization(url: URL): Promise<string | undefined> {
    const { secret } = this.#options;
    const header = await this.#secret(secret, `HTTP_AUTH_HEADER_${url.host}`);
    if (header !== undefined) return header;
    const token = await this.#secret(secret, `HTTP_AUTH_TOKEN_${url.host}`);
    return token === undefined ? undefined : `Bearer ${token}`;
  }

  /** The file in a folder of its own, fetched unless the server says that it is what is here already. */
  async #download(url: URL, name: string, { checksum }: HttpChoice): Promise<Download> {
    const { store, signal } = this.#options;
    const { fetchFile } = await import("./http-fetch.ts");
    const folderName = (digest: string, modified: string | undefined) => `http ${digest} ${name} ${modified ?? ""}`;
    // The exact URL, password and all, only as a digest of itself.
    const fact = `http ${digestOf(`${url.href} ${checksum?.algorithm ?? ""}:${checksum?.hex ?? ""}`)}`;
    const row = readRow(store.facts.get(fact));
    const known = row && findFolder(store, folderName(row.digest, row.lastModified));
    const told = (download: Download): Download => {
      this.#note(shownUrl(url), "sha256", download.digest.slice("sha256:".length));
      return download;
    };
    if (known && checksum) return told({ ...row, folder: known });
    await using place = await store.snapshots.reserve();
    const path = join(place.scratch, "file");
    const authorization = await this.#authorization(url);
    const fetched = await fetchFile(url, {
      path,
      signal,
      maxBytes: contextLimit(),
      ...(known && row ? { known: row } : {}),
      ...(checksum === undefined ? {} : { checksum }),
      ...(authorization === undefined ? {} : { authorization }),
    });
    if (!fetched) return told({ ...(row as FetchedFile), folder: known as string });
    const modified = Date.parse(fetched.lastModified ?? "");
    const seconds = Number.isFinite(modified) ? Math.max(0, modified / 1000) : 0;
    const folder = await keptFolder(store, folderName(fetched.digest, fetched.lastModified), async (empty) => {
      const to = join(empty, name);
      await rename(path, to);
      await utimes(to, seconds, seconds);
    });
    store.facts.set(fact, JSON.stringify(fetched));
    return told({ ...fetched, folder });
  }
}

interface Download extends FetchedFile {
  readonly folder: string;
}

/** As BuildKit calls a context that is a lone file. */
const contextName = "context";

function readRow(fact: Uint8Array | string | undefined): FetchedFile | undefined {
  return typeof fact === "string" ? JSON.parse(fact) : undefined;
}

/** An http(s) URL, or undefined for a text that is none. Throws CTX_FETCH for one that cannot be read. */
export function parseHttpUrl(text: string): URL | undefined {
  if (!/^https?:\/\//i.test(text)) return undefined;
  try {
    return new URL(text);
  } catch {
    const shown = withoutUrlSecrets(text).slice(0, 200);
    throw new WbuildError("CTX_FETCH", `${JSON.stringify(shown)} is no valid URL`, { facts: { url: shown } });
  }
}

/** The last part of the URL's path, as BuildKit calls a file whose URL says no more. */
export function fileNameOf(url: URL): string {
  let path = url.pathname;
  try {
    path = decodeURIComponent(path);
  } catch {
    // Then it is called as it is written.
  }
  const name = posix.basename(path);
  // Attack: a name such as `..` or one with a slash in it (%2F) would be a place, not a name.
  const isName = name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name) && Buffer.byteLength(name) <= 255;
  return isName ? name : "__unnamed__";
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
