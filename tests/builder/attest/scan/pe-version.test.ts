/** Version resources that the mingw tools compiled, of 32 and 64 bits, and the products that a scan makes of them. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { readPeVersion } from "../../../../builder/attest/scan/pe-version.ts";
import { scanTree } from "../../../../builder/attest/scan/scan.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { treeOf } from "../trees.ts";

const tools = "x86_64-w64-mingw32-";
const none = spawnSync(`${tools}windres`, ["--version"]).status === 0 ? undefined : "this host has no mingw";

const resource = (product: string) => `1 VERSIONINFO
FILEVERSION 1,2,3,4
PRODUCTVERSION 5,6,7,8
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904b0"
    BEGIN
      VALUE "CompanyName", "Example Co"
      VALUE "FileDescription", "A library"
      VALUE "ProductName", "${product}"
      VALUE "ProductVersion", "5.6 beta"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
`;

function compile(folder: string, product: string): Buffer {
  writeFileSync(join(folder, "v.rc"), resource(product));
  execFileSync(`${tools}windres`, ["v.rc", "-O", "coff", "v.o"], { cwd: folder });
  execFileSync(`${tools}ld`, ["-shared", "--entry", "0", "-o", "v.dll", "v.o"], { cwd: folder });
  return readFileSync(join(folder, "v.dll"));
}

testUnless(none)("numbers and strings of a version resource, and products of files", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-pe-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [one, two] = [compile(folder, "Big Tool"), compile(folder, "Other")];
  const info = readPeVersion(one);
  t.is(info?.fileVersion, "1.2.3.4");
  t.is(info?.productVersion, "5.6.7.8");
  t.is(info?.strings.get("CompanyName"), "Example Co");
  t.is(info?.strings.get("ProductVersion"), "5.6 beta");
  const tree = await treeOf(
    {
      "Program Files/Big/a.dll": one,
      "Program Files/Big/sub/B.EXE": one,
      "other/c.dll": two,
      "Windows/System32/kernel32.dll": one,
      "other/readme.txt": one,
      "other/empty.exe": "",
    },
    "windows",
  );
  const { packages, files } = await scanTree({ tree, os: "windows" }, new AbortController().signal);
  t.deepEqual(
    packages.map(({ name, version, supplier, files: own }) => [name, version, supplier, own]),
    [
      ["Big Tool", "5.6 beta", "Example Co", ["Program Files/Big/a.dll", "Program Files/Big/sub/B.EXE"]],
      ["Other", "5.6 beta", "Example Co", ["other/c.dll"]],
    ],
  );
  t.is(files.size, 3);
});

test("what is no program has no version", (t) => {
  for (const bytes of ["", "MZ", `MZ${"\0".repeat(100)}`, "x".repeat(500)])
    t.is(readPeVersion(Buffer.from(bytes)), undefined);
});
