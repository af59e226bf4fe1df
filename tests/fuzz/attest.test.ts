/** What scanners read of an image, damaged or made up: each parser ends with a list or with nothing, never with an error. */
import test from "ava";
import fc from "fast-check";
import { licenceExpression } from "../../builder/attest/licence.ts";
import { packageUrl } from "../../builder/attest/purl.ts";
import { readApk } from "../../builder/attest/scan/apk.ts";
import { licenceOf, readDpkg } from "../../builder/attest/scan/deb.ts";
import { readGoBuildInfo } from "../../builder/attest/scan/go-build-info.ts";
import { readLock, readManifest } from "../../builder/attest/scan/npm.ts";
import { readPeVersion } from "../../builder/attest/scan/pe-version.ts";
import { readMetadata, readRecord } from "../../builder/attest/scan/python.ts";
import { readRpmHeader } from "../../builder/attest/scan/rpm-header.ts";
import { bdbHeaders, ndbHeaders, sqliteHeaders } from "../../builder/attest/scan/rpm-stores.ts";
import { scanTree } from "../../builder/attest/scan/scan.ts";
import { spdxDocument } from "../../builder/attest/spdx.ts";
import { goProgram } from "../builder/attest/scan/go-program.ts";
import { bdbFile, headerOf, ndbFile } from "../builder/attest/scan/rpm-files.ts";
import { makeVersionDll } from "../builder/attest/scan/version-dll.ts";
import { readSpdx } from "../builder/attest/spdx-schema.ts";
import { treeOf } from "../builder/attest/trees.ts";
import { holds } from "../doubles/holds.ts";

const numRuns = process.env.WBUILD_FUZZ ? 20_000 : 1_000;
const numbers = [0, 1, 2, 8, 0x7f, 0xff, 0x1000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** Some words changed, perhaps the end cut off. */
function damaged(files: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(...numbers), fc.nat())), { maxLength: 6 });
  return fc.tuple(fc.constantFrom(...files), changes, fc.option(fc.nat(), { freq: 3 })).map(([file, words, cut]) => {
    const bytes = Buffer.from(file);
    for (const [place, value] of words) bytes.writeUInt32LE(value >>> 0, place % (bytes.length - 4));
    return cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
  });
}

const words = fc.constantFrom(
  ...'Package:,Version:,Status: install ok installed,License: MIT,Name:,P:,V:1,F:a,R:b,L:,\n,\n\n, ,\t,:,1.0,x,é,\u2028,\ud800,\0,../,/,",&,(,),AND,WITH,{,},Format: x,'.split(
    ",",
  ),
);
const text = fc
  .array(fc.oneof({ weight: 4, arbitrary: words }, { weight: 1, arbitrary: fc.string() }))
  .map((all) => all.join(""));

const header = headerOf({
  name: "a",
  version: "1",
  release: "2",
  licence: "MIT",
  source: "a-1-2.src.rpm",
  files: ["/a/b", "/c"],
});
const long = headerOf({
  name: "a",
  version: "1",
  release: "2",
  licence: "MIT",
  source: "",
  summary: "x".repeat(9000),
  files: [],
});

test("texts of dpkg, apk, npm and Python", (t) => {
  holds(
    t,
    fc.property(text, (one) => {
      for (const found of [readDpkg(one, "x"), readApk(one, "x"), readLock(one, "x")])
        for (const each of found) if (each.name === "" || !packageUrl(each, undefined).startsWith("pkg:")) return false;
      readManifest(one, "x");
      readMetadata(one, "x");
      licenceOf(one);
      return readRecord(one, "a/b/").every((path) => !path.split("/").includes("..") && !path.startsWith("/"));
    }),
    { numRuns },
  );
});

test("JSON of npm with anything where text is expected", (t) => {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom("1.0", "a", "__proto__"));
  const manifest = fc.record(
    { name: value, version: value, license: value, author: value, description: value },
    { requiredKeys: [] },
  );
  const lock = fc.record(
    { packages: value, dependencies: fc.dictionary(fc.string(), fc.oneof(value, manifest)) },
    { requiredKeys: [] },
  );
  holds(
    t,
    fc.property(manifest, lock, (one, two) => {
      readManifest(JSON.stringify(one), "x");
      readLock(JSON.stringify(two), "x");
    }),
    { numRuns },
  );
});

test("headers of rpm", (t) => {
  holds(
    t,
    fc.property(damaged([header, long]), (bytes) => {
      const found = readRpmHeader(bytes, "x");
      return found === undefined || found.name !== "";
    }),
    { numRuns: numRuns * 3 },
  );
});

test("databases of rpm", async (t) => {
  fc.assert(
    fc.property(damaged([bdbFile([header, long]), ndbFile([header, long])]), (bytes) => {
      for (const one of [...bdbHeaders(bytes), ...ndbHeaders(bytes)]) if (one.length > bytes.length) return false;
      return true;
    }),
    { numRuns },
  );
  await holds(
    t,
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), async (one, two) => {
      try {
        for await (const each of sqliteHeaders(Buffer.from(one), Buffer.from(two))) if (each.length > 300) return false;
      } catch (error) {
        // SQLite's own refusal.
        return (error as { code?: string }).code?.startsWith("SQLITE_") === true;
      }
      return true;
    }),
    { numRuns: 200 },
  );
});

test("version resources", (t) => {
  fc.assert(
    fc.property(damaged([makeVersionDll()]), (bytes) => {
      readPeVersion(bytes);
    }),
    { numRuns: numRuns * 3 },
  );
  t.is(readPeVersion(makeVersionDll())?.strings.get("ProductName"), "P");
});

test("programs of Go", (t) => {
  const program = goProgram("go1.22.1", ["mod\ta\tv1", "dep\tb\tv2", "=>\tc\tv3"]);
  // The head of the file is not looked at.
  const cut = program.subarray(4096 - 16);
  fc.assert(
    fc.property(damaged([cut]), (bytes) => {
      readGoBuildInfo(bytes);
    }),
    { numRuns: numRuns * 3 },
  );
  t.is(readGoBuildInfo(cut)?.dependencies.length, 1);
});

test("licences always become expressions", (t) => {
  const shape = /^[A-Za-z0-9.+()-]+(?: [A-Za-z0-9.+()-]+)*$/;
  holds(
    t,
    fc.property(
      fc.oneof(text, fc.string({ minLength: 1 })),
      (one) => one === "" || shape.test(licenceExpression(one).expression),
    ),
    { numRuns },
  );
});

test("a tree of such files always gives a document that SPDX allows", async (t) => {
  const places = [
    "var/lib/dpkg/status",
    "lib/apk/db/installed",
    "node_modules/a/package.json",
    "package-lock.json",
    "x.dist-info/METADATA",
    "x.dist-info/RECORD",
    "etc/os-release",
    "var/lib/dpkg/info/x.list",
  ];
  const files = fc.dictionary(
    fc.constantFrom(...places),
    text.map((one) => (one.startsWith("->") ? "" : one)),
  );
  await holds(
    t,
    fc.asyncProperty(files, async (all) => {
      const found = await scanTree({ tree: await treeOf(all), os: "linux" }, new AbortController().signal);
      readSpdx(spdxDocument(found, { name: "x", purpose: "CONTAINER", created: "?", tool: "t" }));
    }),
    { numRuns: Math.ceil(numRuns / 5) },
  );
});
