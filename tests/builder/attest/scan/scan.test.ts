/** Each scanner on a tree that has what its package manager leaves, and the document that comes of it. */
import test from "ava";
import { licenceExpression } from "../../../../builder/attest/licence.ts";
import type { Package } from "../../../../builder/attest/package.ts";
import { packageUrl } from "../../../../builder/attest/purl.ts";
import { readLock } from "../../../../builder/attest/scan/npm.ts";
import { readRecord } from "../../../../builder/attest/scan/python.ts";
import { scanTree } from "../../../../builder/attest/scan/scan.ts";
import { spdxDocument } from "../../../../builder/attest/spdx.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { readSpdx } from "../spdx-schema.ts";
import { treeOf } from "../trees.ts";

const never = new AbortController().signal;
const subject = {
  name: "app:1",
  sha256: "a".repeat(64),
  purpose: "CONTAINER",
  created: "2024-01-02T03:04:05.678Z",
  tool: "wbuild-1",
} as const;

async function scanned(files: Record<string, string | Uint8Array>) {
  const found = await scanTree({ tree: await treeOf(files), os: "linux" }, never);
  return { ...found, document: readSpdx(spdxDocument(found, subject)) };
}

const told = ({ name, version }: Package) => `${name} ${version}`;

const status = `Package: base-files
Status: install ok installed
Maintainer: Santiago Vila <sanvila@debian.org>
Architecture: amd64
Version: 12.4
Description: Debian base system miscellaneous files
 more of it

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-9)
Version: 2.36-9+b1

Package: gone
Status: deinstall ok config-files
Version: 1

Package: held
Status: hold ok installed
Version: 3:1.0~rc1
`;

test("deb: installed packages, their files, source and licence", async (t) => {
  const { packages, document, system } = await scanned({
    "etc/os-release": "->../usr/lib/os-release",
    "usr/lib/os-release": 'PRETTY_NAME="x"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
    bin: "->usr/bin",
    "usr/bin/tool": "#!tool",
    "usr/lib/libc.so.6": "libc",
    "var/lib/dpkg/status": status,
    "var/lib/dpkg/info/base-files.list": "/.\n/bin\n/bin/tool\n/usr/bin/away\n",
    "var/lib/dpkg/info/libc6:amd64.list": "/.\n/usr/lib/libc.so.6\n",
    "usr/share/doc/libc6/copyright":
      "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: LGPL-2.1+\n\nFiles: x\nLicense: Expat\n",
  });
  t.deepEqual(packages.map(told), ["base-files 12.4", "held 3:1.0~rc1", "libc6 2.36-9+b1"]);
  t.is(system?.name, "Debian GNU/Linux");
  const libc = document.packages.find(({ name }) => name === "libc6");
  t.is(libc?.licenseDeclared, "LGPL-2.1-or-later AND MIT");
  t.is(
    libc?.externalRefs?.[0]?.referenceLocator,
    "pkg:deb/debian/libc6@2.36-9%2Bb1?arch=amd64&distro=debian-12&upstream=glibc%402.36-9",
  );
  // Through the merged /usr, and what is not there is left out.
  t.deepEqual(
    document.files?.map(({ fileName }) => fileName),
    ["./usr/bin/tool", "./usr/lib/libc.so.6"],
  );
});

test("deb: images without dpkg, which keep one file a package", async (t) => {
  const { packages, document } = await scanned({
    "var/lib/dpkg/status.d/tzdata": "Package: tzdata\nVersion: 2024a-0\nArchitecture: all\n",
    "var/lib/dpkg/status.d/tzdata.md5sums": "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n",
    "usr/share/zoneinfo/UTC": "TZif2",
  });
  t.deepEqual(packages.map(told), ["tzdata 2024a-0"]);
  t.is(document.files?.[0]?.fileName, "./usr/share/zoneinfo/UTC");
});

test("apk: packages with licences and files", async (t) => {
  const { packages, document } = await scanned({
    "etc/os-release": 'ID=alpine\nVERSION_ID="3.20.1"\n',
    "lib/apk/db/installed":
      "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nT:the musl c library\nU:https://musl.libc.org/\nL:MIT\no:musl\nm:T <t@example.org>\nF:lib\nR:ld-musl-x86_64.so.1\nZ:Q1x=\n\nP:busybox-binsh\nV:1.36.1-r29\no:busybox\nL:GPL-2.0-only\n\nP:nothing\n",
    "lib/ld-musl-x86_64.so.1": "elf",
  });
  t.deepEqual(packages.map(told), ["busybox-binsh 1.36.1-r29", "musl 1.2.5-r0"]);
  t.deepEqual(
    document.packages.flatMap(({ externalRefs }) => externalRefs?.map((one) => one.referenceLocator) ?? []),
    [
      "pkg:apk/alpine/busybox-binsh@1.36.1-r29?distro=alpine-3.20.1&upstream=busybox",
      "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1",
    ],
  );
  t.is(document.files?.[0]?.fileName, "./lib/ld-musl-x86_64.so.1");
});

test("npm: what is installed, scoped and nested; a lock file only where nothing is", async (t) => {
  const lock = JSON.stringify({
    lockfileVersion: 3,
    packages: {
      "": { name: "site", version: "1.0.0" },
      "node_modules/left": { version: "1.1.0", license: "MIT" },
      "node_modules/left/node_modules/@s/right": { version: "2.0.0" },
      "node_modules/tester": { version: "9.0.0", dev: true },
      "node_modules/sibling": { resolved: "../sibling", link: true },
    },
  });
  const { packages, document } = await scanned({
    "app/package.json": '{"name":"app","version":"1.0.0"}',
    "app/package-lock.json": lock,
    "app/node_modules/a/package.json":
      '{"name":"a","version":"1.2.3","license":"(MIT OR Apache-2.0)","author":{"name":"A"}}',
    "app/node_modules/a/lib/package.json": '{"type":"module"}',
    "app/node_modules/@s/b/package.json": '{"name":"@s/b","version":"0.1.0","license":{"type":"ISC"}}',
    "app/node_modules/a/node_modules/c/package.json":
      '{"name":"c","version":"3.0.0","license":"SEE LICENSE IN LICENSE"}',
    "app/node_modules/broken/package.json": "{",
    "site/package-lock.json": lock,
  });
  t.deepEqual(packages.map(told), ["@s/b 0.1.0", "@s/right 2.0.0", "a 1.2.3", "c 3.0.0", "left 1.1.0"]);
  const purls = document.packages.flatMap(({ externalRefs }) => externalRefs?.map((one) => one.referenceLocator) ?? []);
  t.is(purls[0], "pkg:npm/%40s/b@0.1.0");
  t.is(document.packages.find(({ name }) => name === "a")?.licenseDeclared, "(MIT OR Apache-2.0)");
  t.true(
    document.packages.find(({ name }) => name === "c")?.licenseDeclared.startsWith("LicenseRef-SEE-LICENSE-IN-LICENSE"),
  );
});

test("npm: lock files of version 1 are trees", (t) => {
  const text = JSON.stringify({
    dependencies: { a: { version: "1", dependencies: { b: { version: "2" } } }, c: { version: "3", dev: true } },
  });
  t.deepEqual(readLock(text, "x").map(told).sort(), ["a 1", "b 2"]);
});

test("Python: wheels and eggs, with the files of their records", async (t) => {
  const site = "usr/lib/python3/dist-packages";
  const { packages, document } = await scanned({
    [`${site}/Foo_Bar-1.0.dist-info/METADATA`]:
      "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.0\nLicense-Expression: MIT\nSummary: x\n\nbody\nName: no\n",
    [`${site}/Foo_Bar-1.0.dist-info/RECORD`]:
      "foo/__init__.py,sha256=x,1\n../../../bin/foo,,\n/etc/passwd,,\n../../../../../../../etc/shadow,,\n",
    [`${site}/foo/__init__.py`]: "x",
    "usr/bin/foo": "#!",
    [`${site}/old.egg-info/PKG-INFO`]: "Name: old\nVersion: 0.1\nLicense: UNKNOWN\n",
    [`${site}/flat-2.egg-info`]: "Name: flat\nVersion: 2\nLicense: BSD License\n",
  });
  t.deepEqual(packages.map(told), ["Foo_Bar 1.0", "flat 2", "old 0.1"]);
  t.is(packages[0] && packageUrl(packages[0], undefined), "pkg:pypi/foo-bar@1.0");
  t.deepEqual(document.files?.map(({ fileName }) => fileName).slice(0, 1), ["./usr/bin/foo"]);
  t.is(document.packages.find(({ name }) => name === "old")?.licenseDeclared, "NOASSERTION");
});

test("Python: no record leads out of the image", (t) => {
  t.deepEqual(readRecord('../../../x,,\n"a,""b"".py",,\n./c\n/d/e\n', "p/q/"), ['p/q/a,"b".py', "p/q/c", "d/e"]);
});

test("Windows: Uninstall keys of both kinds, the system, and programs by product", async (t) => {
  const key = (name: string, values: Record<string, string>) => {
    const made = new KeyTree(name);
    for (const [each, text] of Object.entries(values))
      made.setValue({ name: each, type: 1, data: Buffer.from(`${text}\0`, "utf16le") });
    return made;
  };
  const at = (root: KeyTree, path: string) =>
    path.split("\\").reduce((parent, name) => {
      const there = parent.subkey(name);
      return there instanceof KeyTree ? there : parent.setSubkey(new KeyTree(name));
    }, root);
  const root = new KeyTree("ROOT");
  const place = "Microsoft\\Windows\\CurrentVersion\\Uninstall";
  at(root, place).setSubkey(key("{0001}", { DisplayName: "Big Tool", DisplayVersion: "4.2", Publisher: "Big Co" }));
  at(root, place).setSubkey(key("{0002}", { NoName: "x" }));
  at(root, `WOW6432Node\\${place}`).setSubkey(key("old", { DisplayName: "Old Tool" }));
  at(root, "Microsoft\\Windows NT").setSubkey(
    key("CurrentVersion", { ProductName: "Windows Server 2022", CurrentBuild: "20348" }),
  );
  const tree = await treeOf({ "Program Files/x/readme.txt": "x" }, "windows");
  const software = async () => hiveOf(root).root;
  const found = await scanTree({ tree, os: "windows", osVersion: "10.0.20348.1", software }, never);
  t.deepEqual(found.packages.map(told), ["Big Tool 4.2", "Old Tool "]);
  const document = readSpdx(spdxDocument(found, subject));
  t.is(document.packages[1]?.versionInfo, "10.0.20348.1");
  t.is(document.packages[2]?.supplier, "Organization: Big Co");
  t.is(document.packages[3]?.externalRefs?.[0]?.referenceLocator, "pkg:generic/Old%20Tool?arch=x86");
});

test("the same files give the same document, whatever order they are in", async (t) => {
  const files = { "a/node_modules/x/package.json": '{"name":"x","version":"1"}', "var/lib/dpkg/status": status };
  const [one, two] = [await scanned(files), await scanned(Object.fromEntries(Object.entries(files).reverse()))];
  t.deepEqual(one.document, two.document);
  t.is(one.document.creationInfo.created, "2024-01-02T03:04:05Z");
});

test("what is too large to read is told in the document", async (t) => {
  const { document } = await scanned({ "a/node_modules/x/package.json": " ".repeat(5 * 1024 * 1024) });
  t.regex(document.comment ?? "", /a\/node_modules\/x\/package.json is larger than/);
});

test("links that lead nowhere or in a ring end the scan of nothing", async (t) => {
  const { packages } = await scanned({
    "var/lib/dpkg/status": "->status",
    "lib/apk/db/installed": "->/nowhere",
    "etc/os-release": "->../../../../x",
  });
  t.deepEqual(packages, []);
});

const licences: readonly (readonly [said: string, expression: RegExp, texts: number])[] = [
  ["MIT", /^MIT$/, 0],
  ["mit", /^MIT$/, 0],
  ["GPL-2.0+", /^GPL-2.0\+$/, 0],
  [
    "(MIT and ISC) OR GPL-2.0-only WITH Classpath-exception-2.0",
    /^\(MIT AND ISC\) OR GPL-2.0-only WITH Classpath-exception-2.0$/,
    0,
  ],
  ["GPLv2+ and BSD", /^LicenseRef-GPLv2--[0-9a-f]{8} AND LicenseRef-BSD$/, 2],
  ["MIT BSD", /^LicenseRef-MIT-BSD-[0-9a-f]{8}$/, 1],
  ["MIT WITH my-exception", /^LicenseRef-MIT-WITH-my-exception-[0-9a-f]{8}$/, 1],
  ["(MIT", /^LicenseRef-/, 1],
  ["MIT AND", /^LicenseRef-/, 1],
  ["AND", /^LicenseRef-AND$/, 1],
];
for (const [said, expression, texts] of licences)
  test(`licence: ${said}`, (t) => {
    const found = licenceExpression(said);
    t.regex(found.expression, expression);
    t.is(found.extracted.length, texts);
  });
