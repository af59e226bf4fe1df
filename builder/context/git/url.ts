/**
 * URLs of git repositories, as BuildKit reads them: `https://…/x.git`, `git://`, `ssh://`, `user@host:path`, and for
 * contexts `github.com/…`; `#ref:subdir` behind, or `?ref=&subdir=&…`. What they say is hostile: git gets it as words.
 */
import { posix } from "node:path";
import { WbuildError } from "../../../native/error.ts";
import { withoutUrlSecrets } from "../../diagnose/url-secrets.ts";

export interface GitSource {
  /** As git takes it; may hold a password. */
  readonly remote: string;
  /** The same for people, keys and files: without what comes before the @ of a URL. */
  readonly shown: string;
  /** Branch, tag, full ref name or commit; absent: what the repository's HEAD says. */
  readonly ref?: string;
  /** Clean, relative to the repository's root; absent: all of it. */
  readonly subdir?: string;
  /** The commit (or tag object) that must be found, in full or its beginning, lower case. */
  readonly checksum?: string;
  readonly keepGitDir?: boolean;
  readonly submodules?: boolean;
}

const longest = 8192;
const scpShape = /^([a-zA-Z0-9_-]+)@([a-zA-Z0-9.-]+):([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/;

/**
 * A git URL, or undefined for a text that is none (an http URL counts only with `.git` at its path's end). `bare`: also
 * `github.com/…`, which only a context may be. Throws CTX_GIT_URL for one with parts that are not known or not safe.
 */
export function parseGitUrl(text: string, options: { readonly bare?: boolean } = {}): GitSource | undefined {
  if (text.length > longest) return undefined;
  if (options.bare === true && text.startsWith("github.com/")) return fromUrl(`https://${text}`);
  const scheme = /^([a-zA-Z0-9]+):\/\//.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    const scp = scpShape.exec(text);
    if (!scp) return undefined;
    const [, user = "", host = "", path = "", query, fragment] = scp;
    const remote = `${user}@${host}:${path}`;
    return source(text, { remote, shown: remote, words: [user, host, path], query, fragment });
  }
  if (!["http", "https", "ssh", "git"].includes(scheme)) return undefined;
  if (scheme.startsWith("http") && !/^[^?#]*\.git(?:[?#]|$)/.test(text)) return undefined;
  return fromUrl(text);
}

function fromUrl(text: string): GitSource {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw bad(text, "it is no valid URL");
  }
  const fragment = decoded(url.hash.slice(1));
  const query = url.search.slice(1);
  url.hash = "";
  url.search = "";
  const remote = url.href;
  const words = [url.hostname, decoded(url.username), decoded(url.pathname)];
  // Of ssh the user is part of the address, not a credential.
  const user = url.protocol === "ssh:" ? url.username : "";
  url.password = "";
  url.username = user;
  return source(text, { remote, shown: url.href, words, query, fragment });
}

interface Parts {
  readonly remote: string;
  readonly shown: string;
  readonly words: readonly string[];
  readonly query: string | undefined;
  readonly fragment: string | undefined;
}

function source(text: string, { remote, shown, words, query, fragment = "" }: Parts): GitSource {
  const [host = ""] = words;
  // Attack: ssh://-oProxyCommand=… makes of a host name an option of ssh, which runs a program.
  if (words.some((word) => word.startsWith("-"))) throw bad(text, "a part of it begins with -");
  if (host === "" || words.some(hasControl)) throw bad(text, "it is no valid URL");
  const colon = fragment.indexOf(":");
  const told: Told = { ref: colon < 0 ? fragment : fragment.slice(0, colon), subdir: "" };
  if (colon >= 0) told.subdir = fragment.slice(colon + 1);
  if (query) readQuery(text, query, told);
  if (told.ref !== "") checkRef(text, told.ref);
  const subdir = cleanSubdir(text, told.subdir);
  return {
    remote,
    shown,
    ...(told.ref === "" ? {} : { ref: told.ref }),
    ...(subdir === "" ? {} : { subdir }),
    ...(told.checksum === undefined ? {} : { checksum: told.checksum }),
    ...(told.keepGitDir === undefined ? {} : { keepGitDir: told.keepGitDir }),
    ...(told.submodules === undefined ? {} : { submodules: told.submodules }),
  };
}

interface Told {
  ref: string;
  subdir: string;
  checksum?: string;
  keepGitDir?: boolean;
  submodules?: boolean;
}

/** `ref`, `tag`, `branch`, `subdir`, `checksum` or `commit`, `keep-git-dir`, `submodules`; `mtime` is what it is. */
function readQuery(text: string, query: string, told: Told): void {
  const values = new URLSearchParams(query);
  const agree = (name: "ref" | "subdir", value: string) => {
    if (told[name] !== "" && told[name] !== value) throw bad(text, `it names two different values of ${name}`);
    told[name] = value;
  };
  for (const name of new Set(values.keys())) {
    const [value = "", ...more] = values.getAll(name);
    if (more.length > 0) throw bad(text, `its query has ${name} more than once`);
    if (value === "" && !switches.has(name) && known.has(name)) throw bad(text, `its query has no value for ${name}`);
    if (name === "ref") agree("ref", value);
    else if (name === "tag") agree("ref", value.startsWith("refs/tags/") ? value : `refs/tags/${value}`);
    else if (name === "branch") agree("ref", value.startsWith("refs/heads/") ? value : `refs/heads/${value}`);
    else if (name === "subdir") agree("subdir", value);
    else if (name === "checksum" || name === "commit") told.checksum = parseGitChecksum(value);
    else if (name === "keep-git-dir") told.keepGitDir = isTrue(text, name, value);
    else if (name === "submodules") told.submodules = isTrue(text, name, value);
    // Files have the commit's time here anyway, and a commit is always fetched by its digest.
    else if (!known.has(name))
      throw bad(text, `its query has ${JSON.stringify(name.slice(0, 40))}, which is not known`);
  }
  if (told.checksum !== undefined && told.ref === "") told.ref = told.checksum;
}

const switches = new Set(["keep-git-dir", "submodules", "fetch-by-commit"]);
const known = new Set([
  "ref",
  "tag",
  "branch",
  "subdir",
  "checksum",
  "commit",
  "keep-git-dir",
  "submodules",
  "mtime",
  "fetch-by-commit",
]);

function isTrue(text: string, name: string, value: string): boolean {
  if (/^(1|t|true|)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw bad(text, `${name} of its query is neither true nor false`);
}

/** A commit as `--checksum` names it: its whole digest or at least 7 digits of it. Throws CTX_GIT_URL. */
export function parseGitChecksum(text: string): string {
  if (/^[0-9a-f]{7,64}$/i.test(text)) return text.toLowerCase();
  throw new WbuildError("CTX_GIT_URL", `${JSON.stringify(text.slice(0, 100))} is no commit`, {
    facts: { value: text.slice(0, 100) },
    hint: "write the commit's digest, such as git log shows it",
  });
}

/** True for a commit's whole digest, in SHA-1 or SHA-256. */
export function isCommit(ref: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref);
}

/** git-check-ref-format(1), and no patterns. */
function checkRef(text: string, ref: string): void {
  const isSound =
    !hasControl(ref) &&
    !/[\s~^:?*[\\]|\.\.|@\{|\/\/|^\/|\/$|\.$|\.lock(?:\/|$)|(?:^|\/)\./.test(ref) &&
    ref.length <= 1024;
  // Attack: `#--upload-pack=program` would be an option of git fetch.
  if (!isSound || ref.startsWith("-")) throw bad(text, `${JSON.stringify(ref.slice(0, 100))} cannot be a ref`);
}

function cleanSubdir(text: string, subdir: string): string {
  if (hasControl(subdir)) throw bad(text, "its folder has characters that no name may have");
  // `..` stops at the repository's root, as a path in a chroot does.
  return posix.resolve("/", subdir).slice(1);
}

function hasControl(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return /[\u0000-\u001f\u007f]/.test(text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function bad(text: string, why: string): WbuildError {
  const shown = withoutUrlSecrets(text).slice(0, 200);
  return new WbuildError("CTX_GIT_URL", `cannot use ${JSON.stringify(shown)} as a git repository: ${why}`, {
    facts: { url: shown },
    hint: "write https://HOST/PATH.git#REF:FOLDER",
  });
}
