/** The door to programs of newer suites: what is there needs no network, and what is not signed does not come in. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { fetchPeers, findPeer } from "../../../native/setup/peers.mjs";
import { fileServer } from "../../doubles/file-server.ts";
import { testUnless } from "../../doubles/test-unless.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const testApt = testUnless(
  existsSync("/usr/bin/apt-get") && existsSync(keyring) ? undefined : "needs apt and Debian's keyring",
);
/** Nobody listens at port 1. */
const nobody = "http://127.0.0.1:1/debian";

function emptyCache(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-peers-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("a peer that was never fetched says how to fetch it", (t) => {
  const found = findPeer("crane", { folder: emptyCache(t) });
  t.deepEqual(found, { missing: "no crane: run `node native/setup/peers.mjs crane`" });
});

test("a name that is no peer is refused", async (t) => {
  t.throws(() => findPeer("krane"), { message: /no such peer: krane; there are crane, oras/ });
  await t.throwsAsync(() => fetchPeers(["krane"]), { message: /no such peer/ });
});

test("what is there is found, and needs no mirror", async (t) => {
  const folder = emptyCache(t);
  const program = join(folder, "crane/1.0-1/usr/bin/crane");
  mkdirSync(dirname(program), { recursive: true });
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
  await fetchPeers(["crane"], { folder, mirror: nobody });
  t.deepEqual(findPeer("crane", { folder }), { folder: join(folder, "crane/1.0-1"), program, version: "1.0-1" });
});

test("without the archive's keys nothing is asked", async (t) => {
  const folder = emptyCache(t);
  const { asked, url } = await fileServer(t);
  await fetchPeers(["crane"], { folder, mirror: url, keyring: join(folder, "none.gpg") });
  t.regex(findPeer("crane", { folder }).missing ?? "", /^no crane: (the package debian-archive-keyring|this is no)/);
  t.deepEqual(asked, []);
});

test("a cache that cannot be written is a reason, too", async (t) => {
  const folder = join(emptyCache(t), "file");
  writeFileSync(folder, "");
  await fetchPeers(["crane"], { folder, mirror: nobody });
  t.is(findPeer("crane", { folder }).missing, `no crane: ${folder} cannot be written (EEXIST)`);
});

testApt("a mirror out of reach is a reason, and leaves nothing half done", async (t) => {
  const folder = emptyCache(t);
  await fetchPeers(["crane", "oras"], { folder, mirror: nobody });
  for (const name of ["crane", "oras"]) {
    t.regex(findPeer(name, { folder }).missing ?? "", new RegExp(`^no ${name}: apt-get: .*127\\.0\\.0\\.1`));
    t.deepEqual(readdirSync(join(folder, name)), [".missing"]);
  }
  t.deepEqual(readdirSync(folder).sort(), ["crane", "oras"]);
});

testApt("a list that nobody signed is refused, and no package of it is asked for", async (t) => {
  const folder = emptyCache(t);
  const { files, asked, url } = await fileServer(t);
  const list = "Package: crane\nVersion: 9\nArchitecture: all\nFilename: evil.deb\nSize: 4\n\n";
  const release = "Origin: Debian\nSuite: unstable\nCodename: sid\nArchitectures: amd64 arm64\nComponents: main\n";
  files.set("/dists/sid/Release", { bytes: Buffer.from(release) });
  for (const arch of ["amd64", "arm64"])
    files.set(`/dists/sid/main/binary-${arch}/Packages`, { bytes: Buffer.from(list) });
  files.set("/evil.deb", { bytes: Buffer.from("evil") });
  await fetchPeers(["crane"], { folder, mirror: url });
  t.regex(findPeer("crane", { folder }).missing ?? "", /not signed/);
  t.true(asked.some(({ path }) => path === "/dists/sid/Release"));
  t.false(asked.some(({ path }) => /evil|Packages/.test(path)));
});
