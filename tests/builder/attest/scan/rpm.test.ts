/** Databases of rpm: one that rpm itself made, with rpm as judge, and those of older kinds, made here byte by byte. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import BetterSqlite from "better-sqlite3";
import type { Package } from "../../../../builder/attest/package.ts";
import { packageUrl } from "../../../../builder/attest/purl.ts";
import { scanTree } from "../../../../builder/attest/scan/scan.ts";
import { testUnless } from "../../../doubles/test-unless.ts";
import { treeOf } from "../trees.ts";
import { bdbFile, headerOf, ndbFile } from "./rpm-files.ts";

const never = new AbortController().signal;
const noRpm = spawnSync("rpmbuild", ["--version"]).status === 0 ? undefined : "this host has no rpmbuild";

async function packagesOf(files: Record<string, Uint8Array>): Promise<readonly Package[]> {
  return (await scanTree({ tree: await treeOf(files), os: "linux" }, never)).packages;
}

const spec = (name: string, more: string) => `Name: ${name}
Version: 1.2
Release: 3
${more}
Summary: A tiny thing
License: GPLv2+ and MIT
URL: https://example.org/tiny
BuildArch: noarch
%description
x
%install
mkdir -p %{buildroot}/opt/${name}
echo hello > %{buildroot}/opt/${name}/file
%files
/opt/${name}/file
`;

testUnless(noRpm)("what rpm wrote is what rpm lists, from its database", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-rpm-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const root = join(folder, "root");
  const rpm = (...args: string[]) =>
    execFileSync("rpm", ["--root", root, "--dbpath", "/var/lib/rpm", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  for (const [name, more] of [
    ["tiny", "Epoch: 4\nVendor: Example Co"],
    ["other", "Vendor: Somebody"],
  ] as const) {
    writeFileSync(join(folder, `${name}.spec`), spec(name, more));
    execFileSync("rpmbuild", ["-bb", "--define", `_topdir ${folder}/top`, join(folder, `${name}.spec`)], {
      stdio: "ignore",
    });
    execFileSync("mkdir", ["-p", root]);
    rpm("-i", "--nodeps", "--noscripts", join(folder, "top/RPMS/noarch", `${name}-1.2-3.noarch.rpm`));
  }
  const listed = rpm("-qa", "--qf", "%{NAME} %{VERSION}-%{RELEASE} %{EPOCHNUM} %{ARCH} %{VENDOR} [%{FILENAMES} ]\n")
    .trim()
    .split("\n")
    .sort();
  const place = join(root, "var/lib/rpm");
  const files = Object.fromEntries(
    readdirSync(place).map((name) => [`var/lib/rpm/${name}`, readFileSync(join(place, name))]),
  );
  const found = (await packagesOf(files)).map((one) =>
    `${one.name} ${one.version} ${one.epoch ?? 0} ${one.architecture} ${one.supplier} ${one.files.map((path) => `/${path} `).join("")}`.trim(),
  );
  t.deepEqual(
    found.sort(),
    listed.map((line) => line.trim()),
  );
});

const told = ({ name, version, licence, files, source }: Package) => [name, version, licence, files, source?.name];
const sample = {
  name: "bash",
  version: "4.4",
  release: "20.el8",
  licence: "GPLv3+",
  files: ["/usr/bin/bash", "/etc/skel/.bashrc"],
  source: "bash-4.4-20.el8.src.rpm",
};
const expected = ["bash", "4.4-20.el8", "GPLv3+", ["usr/bin/bash", "etc/skel/.bashrc"], "bash"];

test("sqlite with a write-ahead log: finished transactions count, others do not", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-rpm-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "rpmdb.sqlite");
  const db = new BetterSqlite(path);
  t.teardown(() => db.close());
  db.pragma("journal_mode = WAL");
  db.exec("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)");
  const insert = db.prepare("INSERT INTO Packages (blob) VALUES (?)");
  insert.run(headerOf(sample));
  db.pragma("wal_checkpoint(TRUNCATE)");
  insert.run(headerOf({ ...sample, name: "late", summary: "x".repeat(20_000) }));
  const whole = readFileSync(`${path}-wal`);
  t.true(whole.length > 0, "the log is what is to be tried");
  const names = async (log: Uint8Array) =>
    (await packagesOf({ "var/lib/rpm/rpmdb.sqlite": readFileSync(path), "var/lib/rpm/rpmdb.sqlite-wal": log })).map(
      ({ name }) => name,
    );
  t.deepEqual(await names(whole), ["bash", "late"]);
  // Without its last frame the transaction has no end.
  t.deepEqual(await names(whole.subarray(0, whole.length - 100)), ["bash"]);
});

test("ndb, as SUSE has it", async (t) => {
  const found = await packagesOf({
    "usr/lib/sysimage/rpm/Packages.db": ndbFile([headerOf(sample), headerOf({ ...sample, name: "gpg-pubkey" })]),
  });
  t.deepEqual(found.map(told), [expected]);
  t.is(
    found[0] && packageUrl(found[0], undefined),
    "pkg:rpm/redhat/bash@4.4-20.el8?arch=x86_64&upstream=bash-4.4-20.el8.src.rpm",
  );
});

for (const [how, filler] of [
  ["on its page", 0],
  ["on pages of its own", 10_000],
] as const)
  test(`Berkeley DB, as Red Hat 8 has it, with a value ${how}`, async (t) => {
    const header = headerOf({ ...sample, summary: "x".repeat(filler) });
    t.deepEqual((await packagesOf({ "var/lib/rpm/Packages": bdbFile([header]) })).map(told), [expected]);
  });

test("a damaged database is told, and ends no build", async (t) => {
  const tree = await treeOf({ "var/lib/rpm/rpmdb.sqlite": Buffer.alloc(5000, 7) });
  const { packages, notes } = await scanTree({ tree, os: "linux" }, never);
  t.deepEqual(packages, []);
  t.regex(notes.join(), /rpmdb.sqlite is damaged/);
});
