/** ADD of URLs and git repositories: which sources come from elsewhere, and the labels by which a step finds them. */
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { type GitSource, parseGitChecksum, parseGitUrl } from "../context/git/url.ts";
import type { Checksum } from "../context/http-fetch.ts";
import { parseHttpUrl } from "../context/remote-sources.ts";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import type { Copy, Word } from "../dockerfile/instruction.ts";
import type { CopyOp } from "./graph.ts";
import type { StageView } from "./plan-world.ts";

/** `local`: the instruction with the sources that lie in the context. Throws DF_REMOTE_SOURCE, CTX_GIT_URL, CTX_FETCH. */
export function fetchedBy(step: Copy, view: StageView): { local: Copy; fetched: NonNullable<CopyOp["fetched"]> } {
  const { source, options } = view.world;
  const refuse = (span: Word["span"], text: string, hint: string): never => {
    throw dockerfileError("DF_REMOTE_SOURCE", text, { span, source }, { hint });
  };
  const local: Word[] = [];
  const fetched: { context: string; source: string }[] = [];
  for (const word of step.sources) {
    const found = at(word, view, () => remoteOf(word.text));
    if (found === undefined || step.from !== undefined) {
      local.push(word);
      continue;
    }
    if (step.kind === "COPY") refuse(word.span, "COPY cannot fetch what lies elsewhere", "write ADD");
    const { remote } = options;
    if (!remote) return refuse(word.span, "this plan fetches nothing", "build it");
    if ("git" in found) {
      const git = at(word, view, () => withChecksum(found.git, step.checksum?.text));
      const keepGitDir = step.keepGitDir ?? git.keepGitDir ?? false;
      fetched.push({ context: remote.git(git, { keepGitDir }), source: "." });
    } else {
      const checksum = step.checksum && readChecksum(step.checksum, view);
      const { label, name } = remote.http(found.http, checksum === undefined ? {} : { checksum });
      fetched.push({ context: label, source: literal(name) });
    }
  }
  if (step.checksum !== undefined && (fetched.length !== 1 || step.sources.length !== 1))
    refuse(step.checksum.span, "--checksum needs exactly one source, and that from elsewhere", "give each its own ADD");
  return { local: { ...step, sources: local }, fetched };
}

function remoteOf(text: string): { readonly git: GitSource } | { readonly http: URL } | undefined {
  const git = parseGitUrl(text);
  if (git) return { git };
  const http = parseHttpUrl(text);
  return http && { http };
}

function withChecksum(git: GitSource, text: string | undefined): GitSource {
  if (text === undefined) return git;
  const checksum = parseGitChecksum(text);
  if (git.checksum !== undefined && git.checksum !== checksum) {
    throw new WbuildError("CTX_GIT_URL", `--checksum is ${checksum}, but the URL says ${git.checksum}`, {
      hint: "leave one of them out",
    });
  }
  return { ...git, checksum };
}

/** `sha256:…`, `sha384:…`, `sha512:…`. */
function readChecksum({ text, span }: Word, view: StageView): Checksum {
  const [, algorithm = "", hex = ""] = /^(sha256|sha384|sha512):([0-9a-f]+)$/.exec(text) ?? [];
  const name = algorithm as Checksum["algorithm"];
  if (hex.length > 0 && hex.length * 4 === Number(name.slice(3))) return { algorithm: name, hex };
  throw dockerfileError(
    "DF_REMOTE_SOURCE",
    `${quoted(text)} is no checksum`,
    { span, source: view.world.source },
    { facts: { found: text }, hint: "write --checksum=sha256: and 64 digits from 0 to f" },
  );
}

/** The name is one, whatever signs of patterns are in it. */
function literal(name: string): string {
  return name.replace(/[*?[\]\\]/g, "\\$&");
}

/** Runs `read`; what it throws is blamed on the word. */
function at<T>({ span }: Word, view: StageView, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isWbuildError(error) || error.facts.span !== undefined) throw error;
    throw new WbuildError(error.code, error.message, {
      facts: { ...error.facts, file: view.world.source.name, span },
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}
