/**
 * Image references: text such as `alpine`, `localhost:5000/team/app:1.2` or `name@sha256:…` and its normal form.
 * Grammar and defaults are those that docker users know; nothing here speaks to a network.
 */
import { type Digest, isDigest } from "../layerfs/store/digest.ts";
import { WbuildError } from "../native/error.ts";

export interface Reference {
  /** Host, with port when one was given; `docker.io` when none was named. */
  readonly registry: string;
  readonly repository: string;
  /** `latest` when the text has neither tag nor digest. */
  readonly tag?: string;
  readonly digest?: Digest;
}

/** Images made on this host (`wbuild base …`) live under this name. No registry of that name is ever contacted. */
export const localRegistry = "wbuild.local";

const defaultRegistry = "docker.io";
// Every pattern is linear: character classes that follow one another never overlap, so no text makes them slow.
const hostPattern = /^(?:\[[0-9A-Fa-f:]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?$/;
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Bytes of host and repository together, as docker bounds them; the text around them has its own bounds. */
const maxNameLength = 255;
const maxTextLength = 512;

/**
 * Foreign text to a reference with all defaults filled in. Throws REG_REFERENCE.
 * `index.docker.io` is `docker.io`, and a name without a slash there lives in `library/`.
 */
export function parseReference(text: string): Reference {
  if (text === "") throw refused(text, "it is empty");
  if (text.length > maxTextLength) throw refused(text, `it is longer than ${maxTextLength} characters`);
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  if (digest !== undefined && !isDigest(digest))
    throw refused(text, "what follows @ is not sha256: and 64 lower-case hexadecimal digits");

  const slash = named.indexOf("/");
  const first = slash < 0 ? "" : named.slice(0, slash);
  const hasHost = looksLikeHost(first);
  let registry = hasHost ? first : defaultRegistry;
  const rest = hasHost ? named.slice(slash + 1) : named;
  if (!isHost(registry)) throw refused(text, `"${registry}" is not a host name with an optional port`);
  if (registry === "index.docker.io") registry = defaultRegistry;

  const colon = rest.lastIndexOf(":");
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  let repository = colon < 0 ? rest : rest.slice(0, colon);
  if (tag !== undefined && !isTag(tag))
    throw refused(
      text,
      `"${tag}" is not a tag`,
      "a tag has up to 128 letters, digits and _ . - and starts with none of . -",
    );
  checkRepository(text, repository);
  if (!hasHost && digest === undefined && /^[0-9a-f]{64}$/.test(repository))
    throw refused(text, "64 hexadecimal digits are an image id, not a name", "name a digest as NAME@sha256:…");
  if (registry === defaultRegistry && !repository.includes("/")) repository = `library/${repository}`;
  if (registry.length + 1 + repository.length > maxNameLength)
    throw refused(text, `host and repository are longer than ${maxNameLength} characters`);

  return {
    registry,
    repository,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: "latest" } : {}),
    ...(digest !== undefined ? { digest } : {}),
  };
}

/** The normal text of a reference; `familiar` leaves out `docker.io/` and `library/`, as docker prints names. */
export function formatReference(reference: Reference, options: { familiar?: boolean } = {}): string {
  const suffix =
    (reference.tag === undefined ? "" : `:${reference.tag}`) +
    (reference.digest === undefined ? "" : `@${reference.digest}`);
  return `${formatName(reference, options)}${suffix}`;
}

/** Registry and repository without tag and digest. */
export function formatName(reference: Reference, options: { familiar?: boolean } = {}): string {
  const { registry, repository } = reference;
  if (options.familiar !== true || registry !== defaultRegistry) return `${registry}/${repository}`;
  const short = repository.startsWith("library/") ? repository.slice("library/".length) : repository;
  // `library/localhost` and the like must keep what says that they are no host.
  return short.includes("/") && looksLikeHost(short.slice(0, short.indexOf("/"))) ? `${registry}/${repository}` : short;
}

/** True for images that only this host's store can have. */
export function isLocalOnly(reference: Pick<Reference, "registry">): boolean {
  return reference.registry === localRegistry;
}

/** True when the text may stand behind the colon of a reference. */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/** Docker's rule: a first part is a host when it has a dot, a colon or an upper-case letter, or is `localhost`. */
function looksLikeHost(first: string): boolean {
  return first === "localhost" || /[.:A-Z]/.test(first);
}

function isHost(text: string): boolean {
  if (!hostPattern.test(text) || text.includes("..")) return false;
  const port = /:(\d+)$/.exec(text.replace(/^\[[^\]]*\]/, ""))?.[1];
  return port === undefined || Number(port) <= 65535;
}

function checkRepository(text: string, repository: string): void {
  if (repository === "") throw refused(text, "it names no repository");
  if (/[A-Z]/.test(repository))
    throw refused(text, "repository names are lower case", `write ${printable(text.toLowerCase())}`);
  // Components become parts of URLs and of files: none may be empty, `.` or `..`.
  for (const component of repository.split("/"))
    if (!componentPattern.test(component))
      throw refused(
        text,
        component === "" ? "it has an empty part between slashes" : `"${component}" is not part of a repository name`,
        "repository names have lower-case letters and digits with single . _ or - between them",
      );
}

function refused(text: string, why: string, hint?: string): WbuildError {
  return new WbuildError("REG_REFERENCE", `image reference ${printable(text)} is not valid: ${printableText(why)}`, {
    facts: { reference: text.slice(0, maxTextLength) },
    ...(hint === undefined ? {} : { hint }),
  });
}

function printable(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** Foreign parts inside a reason are shortened, and control characters cannot reach a terminal. */
function printableText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.slice(0, 300).replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
}
