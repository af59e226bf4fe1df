/** A list of images to keep in step with others, as `skopeo sync --src yaml` reads it: YAML to plain data, checked. */
import * as v from "valibot";
import { type Digest, isDigest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { Credentials } from "../credential-helper.ts";
import { isTag, parseReference } from "../reference.ts";
import { parseRange } from "./semver.ts";

export interface SyncRegistry {
  readonly registry: string;
  readonly credentials?: Credentials;
  /** False: its certificate is not checked. */
  readonly tlsVerify: boolean;
  /** A folder with certificates of authorities (`*.crt`). */
  readonly certDir?: string;
  readonly images: readonly SyncImage[];
}

export interface SyncImage {
  /** With `library/` where Docker Hub has it. */
  readonly repository: string;
  /** Tags and digests by name; none and no rule: all tags. */
  readonly wanted: readonly (string | Digest)[];
  /** Which tags, where they are chosen by a rule. */
  readonly rule?: (tag: string) => boolean;
}

/** Bytes. Lists of thousands of images stay far below. */
const maxBytes = 4 * 1024 * 1024;
const maxImages = 10_000;

const word = v.pipe(v.string(), v.maxLength(1024));
/** Every scalar comes as its text, so that a tag 1.0 stays 1.0; nothing at all is an empty text. */
const tags = v.union([
  v.pipe(v.array(word), v.maxLength(maxImages)),
  v.pipe(
    v.literal(""),
    v.transform((): string[] => []),
  ),
]);
const rules = v.optional(
  v.union([
    v.record(word, word),
    v.pipe(
      v.literal(""),
      v.transform(() => ({})),
    ),
  ]),
  {},
);
const entry = v.strictObject({
  images: v.optional(
    v.union([
      v.record(word, tags),
      v.pipe(
        v.literal(""),
        v.transform(() => ({})),
      ),
    ]),
    {},
  ),
  "images-by-tag-regex": rules,
  "images-by-semver": rules,
  credentials: v.optional(v.strictObject({ username: v.optional(word, ""), password: v.optional(word, "") })),
  "tls-verify": v.optional(v.picklist(["true", "false", ""]), ""),
  "cert-dir": v.optional(word),
});
const schema = v.record(word, entry);

/** Throws REG_SYNC_FILE; no message quotes a value of the file, which may hold a password. */
export async function parseSyncFile(text: string): Promise<SyncRegistry[]> {
  if (Buffer.byteLength(text) > maxBytes) throw refused(`it is larger than ${maxBytes} bytes`);
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text, { schema: "failsafe", prettyErrors: false, uniqueKeys: true });
  const [error] = document.errors;
  if (error) throw refused(`line ${lineOf(text, error.pos[0])}: ${error.code.toLowerCase().replaceAll("_", " ")}`);
  let content: unknown;
  try {
    // Attack: aliases of aliases of aliases, which become gigabytes.
    content = document.toJS({ maxAliasCount: 100 }) ?? {};
  } catch {
    throw refused("it has too many aliases, or one to nothing");
  }
  const found = v.safeParse(schema, plain(content), { abortEarly: true });
  if (!found.success) {
    const path = (found.issues[0].path ?? []).map(({ key }) => String(key).slice(0, 100)).join(" → ");
    throw refused(`it is not as expected at ${path === "" ? "the top" : path}`);
  }
  return Object.entries(found.output).map(([registry, one]) => readEntry(registry, one));
}

function readEntry(registry: string, one: v.InferOutput<typeof entry>): SyncRegistry {
  const { credentials, "cert-dir": certDir } = one;
  const images: SyncImage[] = [];
  for (const [name, wanted] of Object.entries(one.images)) {
    for (const each of wanted)
      if (!isTag(each) && !isDigest(each))
        throw refused(`${registry} → ${name.slice(0, 100)} lists what is neither tag nor digest`);
    images.push({ repository: repositoryOf(registry, name), wanted });
  }
  for (const [name, text] of Object.entries(one["images-by-tag-regex"])) {
    const pattern = goPattern(text);
    if (!pattern) throw refused(`${registry} → images-by-tag-regex → ${name.slice(0, 100)} is no regular expression`);
    images.push({ repository: repositoryOf(registry, name), wanted: [], rule: (tag) => pattern.test(tag) });
  }
  for (const [name, text] of Object.entries(one["images-by-semver"])) {
    const rule = parseRange(text);
    if (!rule) throw refused(`${registry} → images-by-semver → ${name.slice(0, 100)} is no range of versions`);
    images.push({ repository: repositoryOf(registry, name), wanted: [], rule });
  }
  if (images.length > maxImages) throw refused(`${registry} has more than ${maxImages} images`);
  const { username = "", password = "" } = credentials ?? {};
  return {
    registry: parseReference(`${registry}/x`).registry,
    tlsVerify: one["tls-verify"] !== "false",
    images,
    ...(username === "" ? {} : { credentials: { username, password } }),
    ...(certDir === undefined || certDir === "" ? {} : { certDir }),
  };
}

function repositoryOf(registry: string, name: string): string {
  try {
    const { repository, tag, digest, registry: host } = parseReference(`${registry}/${name}`);
    if ((tag === "latest" || tag === undefined) && digest === undefined && !name.includes(":") && host !== "")
      return repository;
  } catch (error) {
    if (!isWbuildError(error, "REG_REFERENCE")) throw error;
  }
  // Who writes a user and a password before the host finds them in `credentials`, and not in a log.
  throw refused(
    `${registry.replace(/^.*@/s, "").slice(0, 100)} → ${name.slice(0, 100)} is no repository of a registry`,
  );
}

/** Go's regular expressions, in the few spellings in which ours differ. */
function goPattern(text: string): RegExp | undefined {
  const [, flags = "", rest = text] = /^\(\?([ims]+)\)(.*)$/s.exec(text) ?? [];
  const pattern = rest.replaceAll("(?P<", "(?<").replace(/\\A/g, "^").replace(/\\z/g, "$");
  try {
    return new RegExp(pattern, [...new Set(`${flags}u`)].join(""));
  } catch {
    return undefined;
  }
}

/** A mapping as an object without a prototype's members; `null`, which stands for nothing, as an empty text. */
function plain(value: unknown): unknown {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object") return value;
  const pairs = Object.entries(value).map(([key, each]) => [key, plain(each)] as const);
  return Object.fromEntries(pairs.filter(([key]) => key !== "__proto__"));
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

function refused(why: string): WbuildError {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: foreign text must not steer a terminal
  const harmless = why.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
  return new WbuildError("REG_SYNC_FILE", `cannot read the list of images to sync: ${harmless}`, {
    hint: "the form is that of `skopeo sync --src yaml`, see docs/moving-images.md",
  });
}
