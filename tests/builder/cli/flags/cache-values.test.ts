import test from "ava";
import { parseCacheFrom, parseCacheTo } from "../../../../builder/cli/flags/cache-values.ts";
import { isWbuildError } from "../../../../native/error.ts";

const env = {
  ACTIONS_CACHE_URL: "https://one.test/x/",
  ACTIONS_RESULTS_URL: "https://two.test/",
  ACTIONS_RUNTIME_TOKEN: "from-env",
};
const digest = `sha256:${"0".repeat(64)}`;
const min = { mode: "min", ignoreError: false };
const form = { imageManifest: true, ociMediaTypes: true };
const gha = {
  type: "gha",
  url: env.ACTIONS_CACHE_URL,
  urlV2: env.ACTIONS_RESULTS_URL,
  scope: "buildkit",
  timeoutMs: 600_000,
};

const from: readonly (readonly [text: string, found: object])[] = [
  ["app:cache", { type: "registry", ref: "app:cache" }],
  ["type=registry,ref=a/b@x", { type: "registry", ref: "a/b@x" }],
  ["ref=app", { type: "registry", ref: "app" }],
  ["type=local,src=dir", { type: "local", src: "dir", tag: "latest" }],
  [`type=local,src=dir,tag=x,digest=${digest}`, { type: "local", src: "dir", tag: "x", digest }],
  ["type=gha", { ...gha, version: 1, token: "from-env" }],
  [
    "type=gha,version=2,scope=main,timeout=90s",
    { ...gha, version: 2, token: "from-env", scope: "main", timeoutMs: 90_000 },
  ],
  ["type=gha,url_v2=https://x.test/,token=abc", { ...gha, version: 2, urlV2: "https://x.test/", token: "abc" }],
];
for (const [text, found] of from)
  test(`--cache-from ${text}`, (t) =>
    t.deepEqual<object, object>(
      parseCacheFrom("--cache-from", text, env, () => undefined),
      found,
    ));

const to: readonly (readonly [text: string, found: object])[] = [
  ["app:cache", { type: "registry", ref: "app:cache", ...min, ...form }],
  [
    "type=registry,ref=a,mode=max,ignore-error=true",
    { type: "registry", ref: "a", mode: "max", ignoreError: true, ...form },
  ],
  [
    "type=registry,ref=a,image-manifest=false",
    { type: "registry", ref: "a", ...min, imageManifest: false, ociMediaTypes: true },
  ],
  [
    "type=registry,ref=a,oci-mediatypes=false",
    { type: "registry", ref: "a", ...min, imageManifest: false, ociMediaTypes: false },
  ],
  [
    "type=local,dest=d,compression=zstd,compression-level=19,force-compression=true",
    { type: "local", dest: "d", tag: "latest", ...min, compression: "zstd", compressionLevel: 19, ...form },
  ],
  ["type=inline", { type: "inline", ...min }],
  ["type=gha,mode=max", { ...gha, version: 1, token: "from-env", mode: "max", ignoreError: false }],
];
for (const [text, found] of to)
  test(`--cache-to ${text}`, (t) =>
    t.deepEqual<object, object>(
      parseCacheTo("--cache-to", text, env, () => undefined),
      found,
    ));

const refused: readonly (readonly [
  parse: typeof parseCacheFrom | typeof parseCacheTo,
  text: string,
  message: RegExp,
])[] = [
  [parseCacheFrom, "", /is not a cache such as/],
  [parseCacheFrom, "type=inline", /an inline cache is read from its image/],
  [parseCacheFrom, "type=s3,bucket=b", /type s3 are not supported, only registry, local, gha/],
  [parseCacheTo, "type=azblob", /type azblob are not supported, only registry, local, inline, gha/],
  [parseCacheTo, "type=ftp", /one of registry, local, inline, gha/],
  [parseCacheFrom, "type=registry", /ref=… is missing/],
  [parseCacheFrom, "type=local", /src=… is missing/],
  [parseCacheTo, "type=local,src=x", /"src" is not an attribute of a cache of type local/],
  [parseCacheFrom, "type=local,src=x,digest=md5:1", /a sha256 digest/],
  [parseCacheTo, "type=registry,ref=a,mode=most", /one of min, max/],
  [parseCacheTo, "type=inline,mode=max", /holds what is in it/],
  [parseCacheTo, "type=registry,ref=a,image-manifest=true,oci-mediatypes=false", /needs oci-mediatypes=true/],
  [parseCacheTo, "type=registry,ref=a,compression=lzma", /one of zstd, gzip, none/],
  [parseCacheTo, "type=registry,nonsense", /"nonsense" is not of the form NAME=VALUE/],
];
for (const [parse, text, message] of refused)
  test(`${parse === parseCacheTo ? "--cache-to" : "--cache-from"} ${text} is refused`, (t) => {
    const error = t.throws(() => parse("--flag", text, env, () => undefined));
    t.true(isWbuildError(error, "CLI_VALUE"));
    t.regex(error?.message ?? "", message);
  });

test("gha needs an address and a token, and says where they come from", (t) => {
  const error = t.throws(() => parseCacheFrom("--cache-from", "type=gha", {}, () => undefined));
  t.true(isWbuildError(error, "CLI_VALUE") && /ACTIONS_RUNTIME_TOKEN/.test(error.hint ?? ""));
});

test("tokens are known as secrets before anything can be said about them", (t) => {
  const secrets: string[] = [];
  const keep = (text: string) => void secrets.push(text);
  const error = t.throws(() => parseCacheFrom("--cache-from", "type=gha,token=one,two,ghtoken=three", env, keep));
  t.deepEqual(secrets, ["one", "three"]);
  t.false(/one|two|three/.test(error?.message ?? ""));
  parseCacheFrom("--cache-from", "type=gha", env, keep);
  t.true(secrets.includes("from-env"));
});
