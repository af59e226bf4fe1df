/** `--cache-from` and `--cache-to`: comma-separated attributes, as buildx spells them → CacheSource, CacheTarget. */
import { isDigest } from "../../../layerfs/store/digest.ts";
import { WbuildError } from "../../../native/error.ts";
import type { CacheForm, CacheSource, CacheTarget, GhaService } from "../../cache/spec.ts";
import { parseCompression, parseLevel } from "./output-values.ts";
import { badValue, parseBoolean, parseChoice, parseDuration, parsePair, splitCsv } from "./values.ts";

type Env = Readonly<Record<string, string | undefined>>;

const fromAttributes: Readonly<Record<string, readonly string[]>> = {
  registry: ["ref"],
  local: ["src", "tag", "digest"],
  gha: ["url", "url_v2", "token", "scope", "timeout", "repository", "ghtoken", "version"],
};

const written = ["mode", "ignore-error", "compression", "compression-level", "force-compression"];
const documents = ["image-manifest", "oci-mediatypes"];
const toAttributes: Readonly<Record<string, readonly string[]>> = {
  registry: ["ref", ...written, ...documents],
  local: ["dest", "tag", ...written, ...documents],
  inline: ["mode", "ignore-error"],
  gha: [...(fromAttributes.gha ?? []), ...written],
};

/** What BuildKit has besides. */
const elsewhere = ["s3", "azblob"];
const defaultTimeoutMs = 10 * 60_000;

/**
 * `type=registry,ref=app:cache`, `type=local,src=dir`, `type=gha,scope=main`, or a lone reference. Throws CLI_VALUE.
 * A token is handed to `keepSecret` before anything can fail.
 */
export function parseCacheFrom(flag: string, text: string, env: Env, keepSecret: (text: string) => void): CacheSource {
  const { type, given } = attributesOf(flag, text, fromAttributes, keepSecret);
  switch (type) {
    case "registry":
      return { type, ref: needed(flag, text, given, "ref") };
    case "local": {
      const digest = given.get("digest");
      if (digest !== undefined && !isDigest(digest)) throw badValue(`${flag} digest`, digest, "a sha256 digest");
      const tag = given.get("tag") ?? "latest";
      return { type, src: needed(flag, text, given, "src"), tag, ...(digest === undefined ? {} : { digest }) };
    }
    default:
      return { type: "gha", ...ghaOf(flag, given, env, keepSecret) };
  }
}

/** `type=registry,ref=app:cache,mode=max`, `type=inline` and so on, or a lone reference. Throws CLI_VALUE. */
export function parseCacheTo(flag: string, text: string, env: Env, keepSecret: (text: string) => void): CacheTarget {
  const { type, given } = attributesOf(flag, text, toAttributes, keepSecret);
  const named = given.get("compression");
  const compression = named === undefined ? undefined : parseCompression(`${flag} compression`, named);
  const level = given.get("compression-level");
  const yes = (name: string, otherwise: boolean) => {
    const value = given.get(name);
    return value === undefined ? otherwise : parseBoolean(`${flag} ${name}`, value);
  };
  // A layer that is sent in a compression is always sent so: there are no others that could stay.
  yes("force-compression", false);
  const common = {
    mode: parseChoice(`${flag} mode`, given.get("mode") ?? "min", ["min", "max"]),
    ignoreError: yes("ignore-error", false),
    ...(compression === undefined ? {} : { compression }),
    ...(level === undefined
      ? {}
      : { compressionLevel: parseLevel(`${flag} compression-level`, level, compression ?? "zstd") }),
  } as const;
  const form = (): CacheForm => {
    const ociMediaTypes = yes("oci-mediatypes", true);
    const imageManifest = yes("image-manifest", ociMediaTypes);
    if (imageManifest && !ociMediaTypes)
      throw new WbuildError("CLI_VALUE", `${flag}: image-manifest=true needs oci-mediatypes=true`, { facts: { flag } });
    return { imageManifest, ociMediaTypes };
  };
  switch (type) {
    case "registry":
      return { type, ref: needed(flag, text, given, "ref"), ...common, ...form() };
    case "local":
      return { type, dest: needed(flag, text, given, "dest"), tag: given.get("tag") ?? "latest", ...common, ...form() };
    case "inline":
      if (common.mode === "max")
        throw new WbuildError("CLI_VALUE", `${flag}: an inline cache travels with the image and holds what is in it`, {
          facts: { flag },
          hint: "leave out mode=max, or use type=registry",
        });
      return { type, ...common };
    default:
      return { type: "gha", ...common, ...ghaOf(flag, given, env, keepSecret) };
  }
}

function attributesOf(
  flag: string,
  text: string,
  known: Readonly<Record<string, readonly string[]>>,
  keepSecret: (text: string) => void,
): { type: string; given: ReadonlyMap<string, string> } {
  if (text === "") throw badValue(flag, text, "a cache such as type=registry,ref=registry.example.com/app:cache");
  if (!text.includes("=")) return { type: "registry", given: new Map([["ref", text]]) };
  const pairs = splitCsv(flag, text).map((field) => /^\s*([^=]*)=([\s\S]*)$/.exec(field) ?? [field, field]);
  for (const [, name = "", value] of pairs) if (/token/i.test(name) && value) keepSecret(value);
  const hasToken = pairs.some(([, name = ""]) => /token/i.test(name));
  const given = new Map<string, string>();
  for (const [, name = "", value] of pairs) {
    // Not quoted beside a token: it may be the half of one that holds a comma.
    if (value === undefined) throw badValue(flag, hasToken ? "…" : name, "of the form NAME=VALUE");
    given.set(parsePair(flag, name.toLowerCase())[0], value);
  }
  const type = given.get("type") ?? "registry";
  const names = known[type];
  if (!names) throw unknownType(flag, type, Object.keys(known));
  for (const name of given.keys())
    if (name !== "type" && !names.includes(name))
      throw badValue(flag, name, `an attribute of a cache of type ${type} (${names.join(", ")})`);
  return { type, given };
}

function unknownType(flag: string, type: string, types: readonly string[]): WbuildError {
  const list = types.join(", ");
  if (type === "inline")
    return new WbuildError("CLI_VALUE", `${flag}: an inline cache is read from its image`, {
      facts: { flag, value: type },
      hint: `${flag} type=registry,ref=IMAGE`,
    });
  if (!elsewhere.includes(type)) return badValue(`${flag} type`, type, `one of ${list}`);
  return new WbuildError("CLI_VALUE", `${flag}: caches of type ${type} are not supported, only ${list}`, {
    facts: { flag, value: type, expected: types },
    hint: "a registry can hold a cache, too: type=registry,ref=…",
  });
}

function needed(flag: string, text: string, given: ReadonlyMap<string, string>, name: string): string {
  const value = given.get(name);
  if (value) return value;
  throw new WbuildError("CLI_VALUE", `${flag} ${text.slice(0, 200)}: ${name}=… is missing`, { facts: { flag, name } });
}

/** What is not given comes from the environment that GitHub Actions make for a step that asks for it. */
function ghaOf(
  flag: string,
  given: ReadonlyMap<string, string>,
  env: Env,
  keepSecret: (text: string) => void,
): GhaService {
  const token = given.get("token") ?? env.ACTIONS_RUNTIME_TOKEN ?? "";
  if (token !== "") keepSecret(token);
  const url = given.get("url") ?? env.ACTIONS_CACHE_URL;
  const urlV2 = given.get("url_v2") ?? env.ACTIONS_RESULTS_URL;
  const isV2 = /^(1|true|yes)$/i.test(env.ACTIONS_CACHE_SERVICE_V2 ?? "") || (!url && Boolean(urlV2));
  const version = given.get("version") ?? (given.has("url_v2") || isV2 ? "2" : "1");
  const timeout = given.get("timeout");
  if (token === "" || !(version === "2" ? urlV2 : url))
    throw new WbuildError("CLI_VALUE", `${flag}: the cache service of GitHub Actions needs an address and a token`, {
      facts: { flag },
      hint: "give url_v2=… (or url=…) and token=…; in a workflow an action must pass on ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN",
    });
  return {
    version: parseChoice(`${flag} version`, version, ["1", "2"]) === "2" ? 2 : 1,
    ...(url ? { url } : {}),
    ...(urlV2 ? { urlV2 } : {}),
    token,
    scope: given.get("scope") || "buildkit",
    timeoutMs: timeout === undefined ? defaultTimeoutMs : parseDuration(`${flag} timeout`, timeout),
  };
}
