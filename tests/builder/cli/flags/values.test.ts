import test from "ava";
import fc from "fast-check";
import { parseAnnotation } from "../../../../builder/cli/flags/annotation-values.ts";
import { parseCompression, parseLevel, parseOutput } from "../../../../builder/cli/flags/output-values.ts";
import {
  parseAddHost,
  parseBoolean,
  parseCount,
  parseCpus,
  parseDuration,
  parseLabels,
  parseNamedContext,
  parsePair,
  parseSize,
  parseUlimit,
  parseUntil,
  parseVariables,
  splitCsv,
} from "../../../../builder/cli/flags/values.ts";
import { isWbuildError } from "../../../../native/error.ts";
import { holds } from "../../../doubles/holds.ts";

const now = Date.parse("2026-02-01T00:00:00Z");
type Row = readonly [what: string, parse: () => unknown, expected: unknown];

const right: readonly Row[] = [
  ["size 512m", () => parseSize("-m", "512m"), 512 * 1024 ** 2],
  ["size 1.5g", () => parseSize("-m", "1.5g"), 1.5 * 1024 ** 3],
  ["size 64KB", () => parseSize("-m", "64KB"), 64 * 1024],
  ["size 10GiB", () => parseSize("-m", "10GiB"), 10 * 1024 ** 3],
  ["size 100", () => parseSize("-m", "100"), 100],
  ["size 100b", () => parseSize("-m", "100b"), 100],
  ["duration 90s", () => parseDuration("-t", "90s"), 90_000],
  ["duration 1h30m", () => parseDuration("-t", "1h30m"), 5_400_000],
  ["duration 7d", () => parseDuration("-t", "7d"), 604_800_000],
  ["duration 0.5h", () => parseDuration("-t", "0.5h"), 1_800_000],
  ["duration 250ms", () => parseDuration("-t", "250ms"), 250],
  ["until 24h", () => parseUntil("--filter", "24h", now), now - 86_400_000],
  ["until a date", () => parseUntil("--filter", "2026-01-31", now), Date.parse("2026-01-31")],
  ["until a time", () => parseUntil("--filter", "2026-01-31T10:00:00Z", now), Date.parse("2026-01-31T10:00:00Z")],
  ["until seconds", () => parseUntil("--filter", "1700000000", now), 1_700_000_000_000],
  ["count -1", () => parseCount("--pids-limit", "-1", -1), -1],
  ["cpus 1.5", () => parseCpus("--cpus", "1.5"), 1.5],
  ["ulimit with both", () => parseUlimit("--ulimit", "nofile=1024:2048"), ["nofile", [1024, 2048]]],
  ["ulimit with one", () => parseUlimit("--ulimit", "core=0"), ["core", [0, 0]]],
  ["ulimit unlimited", () => parseUlimit("--ulimit", "memlock=-1"), ["memlock", [-1, -1]]],
  ["ulimit hard unlimited", () => parseUlimit("--ulimit", "stack=8:-1"), ["stack", [8, -1]]],
  ["host with :", () => parseAddHost("--add-host", "db:10.0.0.2"), ["db", "10.0.0.2"]],
  ["this host", () => parseAddHost("--add-host", "db:host-gateway"), ["db", "host-gateway"]],
  ["host with =", () => parseAddHost("--add-host", "db=10.0.0.2"), ["db", "10.0.0.2"]],
  ["host with IPv6", () => parseAddHost("--add-host", "db:::1"), ["db", "::1"]],
  ["host with [IPv6]", () => parseAddHost("--add-host", "db=[fe80::1]"), ["db", "fe80::1"]],
  ["pair", () => parsePair("-e", "A=b=c"), ["A", "b=c"]],
  ["pair without =", () => parsePair("-e", "A"), ["A", undefined]],
  ["pair with nothing", () => parsePair("-e", "A="), ["A", ""]],
  ["variables", () => parseVariables("-e", ["A=1", "B", "C"], { B: "2" }), { A: "1", B: "2" }],
  [
    "named image",
    () => parseNamedContext("-b", "a=docker-image://b.example/c:1"),
    { name: "a", value: "docker-image://b.example/c:1" },
  ],
  ["named image without a kind", () => parseNamedContext("-b", "a:1=b@c"), { name: "a:1", value: "b@c" }],
  ["labels", () => parseLabels("-l", ["a", "b=1"]), { a: "", b: "1" }],
  ["csv", () => splitCsv("-o", 'type=oci,"dest=a,b"'), ["type=oci", "dest=a,b"]],
  ["csv with quotes", () => splitCsv("-o", '"a ""b"""'), ['a "b"']],
  ["boolean", () => parseBoolean("-x", "TRUE"), true],
  ["compression", () => parseCompression("-c", "uncompressed"), "none"],
  ["level", () => parseLevel("-l", "19", "zstd"), 19],
  ["output folder", () => parseOutput("-o", "out"), { type: "local", dest: "out" }],
  ["output -", () => parseOutput("-o", "-"), { type: "tar", dest: "-" }],
  [
    "output oci",
    () => parseOutput("-o", "type=oci,dest=a.tar,compression=zstd,compression-level=3"),
    { type: "oci", names: [], dest: "a.tar", folder: false, compression: "zstd", compressionLevel: 3 },
  ],
  [
    "output docker on stdout",
    () => parseOutput("-o", "type=docker"),
    { type: "docker", names: [], dest: "-", folder: false },
  ],
  [
    "output oci folder",
    () => parseOutput("-o", "type=oci,dest=d,tar=false"),
    { type: "oci", names: [], dest: "d", folder: true },
  ],
  [
    "output image",
    () => parseOutput("-o", 'type=image,"name=a,b",push=true'),
    { type: "image", names: ["a", "b"], push: true },
  ],
  [
    "output image with everything",
    () =>
      parseOutput(
        "-o",
        "type=image,name=a,push=1,push-by-digest=true,registry.insecure=true,store=false,unpack=true,dangling-name-prefix=p," +
          "name-canonical=true,compression=gzip,compression-level=9,force-compression=true,oci-mediatypes=false," +
          "oci-artifact=true,rewrite-timestamp=true,annotation.k=v,annotation-manifest-descriptor[linux/arm64].k2=v=2",
      ),
    {
      ...{ type: "image", names: ["a"], push: true, pushByDigest: true, insecure: true, store: false, unpack: true },
      ...{ danglingNamePrefix: "p", nameCanonical: true, compression: "gzip", compressionLevel: 9 },
      ...{ forceCompression: true, ociMediaTypes: false, ociArtifact: true, rewriteTimestamp: true },
      annotations: [
        { on: "manifest", key: "k", value: "v" },
        { on: "manifest-descriptor", platform: { os: "linux", architecture: "arm64" }, key: "k2", value: "v=2" },
      ],
    },
  ],
  [
    "output registry that is not pushed",
    () => parseOutput("-o", "type=registry,push=false"),
    {
      type: "image",
      names: [],
      push: false,
    },
  ],
  [
    "output in parts",
    () => parseOutput("-o", "type=tar,dest=t,platform-split=false"),
    {
      type: "tar",
      dest: "t",
      platformSplit: false,
    },
  ],
  ["output cacheonly", () => parseOutput("-o", "type=cacheonly"), { type: "cacheonly" }],
  [
    "annotation",
    () => parseAnnotation("-a", "index,manifest[linux/arm/v7]:a.b/c=d:e=f"),
    [
      { on: "index", key: "a.b/c", value: "d:e=f" },
      { on: "manifest", platform: { os: "linux", architecture: "arm", variant: "v7" }, key: "a.b/c", value: "d:e=f" },
    ],
  ],
  ["annotation without a kind", () => parseAnnotation("-a", "a=b,c"), [{ on: "manifest", key: "a", value: "b,c" }]],
  ["output registry", () => parseOutput("-o", "type=registry,name=r/x"), { type: "registry", names: ["r/x"] }],
];
for (const [what, parse, expected] of right) test(`reads ${what}`, (t) => t.deepEqual(parse(), expected));

const wrong: readonly (readonly [what: string, parse: () => unknown, code?: string])[] = [
  ["named image: nothing", () => parseNamedContext("-b", "a=")],
  ["named image without a name", () => parseNamedContext("-b", "=b")],
  ["size 1x", () => parseSize("-m", "1x")],
  ["size empty", () => parseSize("-m", "")],
  ["size -1", () => parseSize("-m", "-1")],
  ["size too large", () => parseSize("-m", "9999999p")],
  ["duration 5", () => parseDuration("-t", "5")],
  ["duration empty", () => parseDuration("-t", "")],
  ["duration 1h x", () => parseDuration("-t", "1h x")],
  ["until nonsense", () => parseUntil("--filter", "yesterday", now)],
  ["count 1.5", () => parseCount("-j", "1.5", 1)],
  ["count 0", () => parseCount("-j", "0", 1)],
  ["cpus 0", () => parseCpus("--cpus", "0")],
  ["ulimit of an unknown name", () => parseUlimit("--ulimit", "files=1")],
  ["ulimit with soft over hard", () => parseUlimit("--ulimit", "nofile=2:1")],
  ["ulimit with soft unlimited", () => parseUlimit("--ulimit", "nofile=-1:1")],
  ["host without address", () => parseAddHost("--add-host", "db")],
  ["host with a name for an address", () => parseAddHost("--add-host", "db:gateway")],
  ["host with a line break", () => parseAddHost("--add-host", "a\nb:1.2.3.4")],
  ["pair without a name", () => parsePair("-e", "=x")],
  ["csv with a lone quote", () => splitCsv("-o", 'a"b')],
  ["boolean maybe", () => parseBoolean("-x", "maybe")],
  ["compression lz4", () => parseCompression("-c", "lz4")],
  ["gzip level 19", () => parseLevel("-l", "19", "gzip")],
  ["annotation without a value", () => parseAnnotation("-a", "index:a")],
  ["annotation of an unknown kind", () => parseAnnotation("-a", "layer:a=b")],
  ["annotation of an index for a platform", () => parseAnnotation("-a", "index[linux/amd64]:a=b")],
  ["output of an unknown type", () => parseOutput("-o", "type=zip,dest=x")],
  ["output with an unknown attribute", () => parseOutput("-o", "type=oci,destination=x")],
  ["output empty", () => parseOutput("-o", "")],
  ["local output without dest", () => parseOutput("-o", "type=local"), "CLI_OUTPUT"],
  ["local output on stdout", () => parseOutput("-o", "type=local,dest=-"), "CLI_OUTPUT"],
  ["layout folder on stdout", () => parseOutput("-o", "type=oci,tar=false"), "CLI_OUTPUT"],
];
for (const [what, parse, code = "CLI_VALUE"] of wrong)
  test(`refuses ${what}`, (t) => {
    const error = t.throws(parse);
    t.true(isWbuildError(error) && error.code === code, String(error));
  });

test("no flag's value makes a parser throw anything but its own error", (t) => {
  const parsers = [
    (text: string) => parseSize("-x", text),
    (text: string) => parseDuration("-x", text),
    (text: string) => parseUntil("-x", text, now),
    (text: string) => parseUlimit("-x", text),
    (text: string) => parseAddHost("-x", text),
    (text: string) => parsePair("-x", text),
    (text: string) => splitCsv("-x", text),
    (text: string) => parseOutput("-x", text),
    (text: string) => parseAnnotation("-x", text),
    (text: string) => parseOutput("-x", `type=image,annotation${text}`),
    (text: string) => parseVariables("-x", [text], {}),
  ];
  const words = fc.constantFrom(
    "type=",
    "oci",
    "dest=",
    ",",
    '"',
    "=",
    ":",
    "1",
    "m",
    "-",
    "[::1]",
    "__proto__",
    "nofile",
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  holds(
    t,
    fc.property(text, fc.constantFrom(...parsers), (value, parse) => {
      try {
        parse(value);
        return true;
      } catch (error) {
        return isWbuildError(error) && /^CLI_/.test(error.code);
      }
    }),
    { numRuns: 2000 },
  );
});
