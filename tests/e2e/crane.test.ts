/** crane as judge of what we push, save and copy, and as the maker of what we read: archives, layouts, indexes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { peer, testWithPeers } from "../doubles/peers.ts";
import { type Scene, scene } from "./scene.ts";

const crane = peer("crane").program ?? "crane";
const testCrane = testWithPeers("crane");

let registry: RunningRegistry;
test.before(async () => {
  registry = await startRegistry();
});
test.after.always(() => registry?.close());

const files = { Dockerfile: "FROM scratch\nCOPY a /a\nCOPY --link b /b\nENV A=1\n", a: "a", b: "b" };

/** An image of two layers in the registry, and in the scene's store. Each test has a repository of its own. */
async function pushed(t: ExecutionContext, repository: string, ...flags: string[]) {
  const s = await scene(t, { base: false });
  const name = `${registry.host}/${repository}:1`;
  const built = await s.build(await s.files("context", files), "-t", name, "--push", ...flags);
  t.is(built.code, 0, built.stderr);
  return { s, name, repository: name.slice(0, -2), digest: (await s.tool(crane, "digest", name)).trim() };
}

async function done(t: ExecutionContext, s: Scene, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await s.wbuild(...args);
  t.is(code, 0, `wbuild ${args.join(" ")}: ${stderr}`);
  return stdout;
}

for (const compression of ["gzip", "zstd"])
  testCrane(`crane finds whole what we push with ${compression}, reads its manifest and configuration`, async (t) => {
    const { s, name, digest } = await pushed(t, `validated-${compression}`, "--compression", compression);
    // Layers are only looked into where they are gzip: this crane knows no other in its validation.
    const depth = compression === "gzip" ? [] : ["--fast"];
    t.regex(await s.tool(crane, "validate", ...depth, "--remote", name), /^PASS/);
    t.is(await s.tool(crane, "manifest", name), await done(t, s, "manifest", "show", "--raw", name));
    const config = JSON.parse(await s.tool(crane, "config", name)) as { config: { Env: string[] }; history: object[] };
    t.true(config.config.Env.includes("A=1"));
    t.is(config.history.length, 3);
    t.regex(await done(t, s, "copy", "-q", name, "oci:kept:1"), new RegExp(`@${digest}\n$`));
  });

testCrane("two platforms and what is said about them: crane finds every image of the index whole", async (t) => {
  const flags = ["--platform", "linux/amd64,linux/arm64", "--sbom=true", "--provenance=mode=min"];
  const { s, name, digest } = await pushed(t, "platforms", "--compression", "gzip", ...flags);
  // Not into the layers: it takes statements, which are JSON, for gzip.
  t.regex(await s.tool(crane, "validate", "--fast", "--remote", name), /^PASS/);
  t.regex(await s.tool(crane, "config", "--platform", "linux/arm64", name), /"architecture":"arm64"/);
  await done(t, s, "copy", "-q", name, `${registry.host}/platforms:copied`);
  t.is((await s.tool(crane, "digest", `${registry.host}/platforms:copied`)).trim(), digest);
});

testCrane("docker archives: crane validates and pushes ours, and ours is what load makes of crane's", async (t) => {
  const { s, name, repository } = await pushed(t, "archives", "--compression", "gzip");
  await done(t, s, "save", "--format", "docker", "-o", "ours.tar", name);
  t.regex(await s.tool(crane, "validate", "--tarball", "ours.tar"), /^PASS/);
  await s.tool(crane, "push", "ours.tar", `${repository}:ours`);
  t.is(await s.tool(crane, "config", `${repository}:ours`), await s.tool(crane, "config", name));

  for (const format of ["tarball", "legacy"]) {
    await s.tool(crane, "pull", "--format", format, name, `${format}.tar`);
    const empty = await scene(t, { base: false });
    t.is(await done(t, empty, "load", "-i", join(s.folder, `${format}.tar`)), `Loaded image: ${name}\n`);
    t.is(await done(t, empty, "images", "-q"), await done(t, s, "images", "-q"), "the image keeps its ID");
    // The older form holds plain tars. They are sent compressed, and crane looks into gzip alone.
    await done(t, empty, "push", "-q", name);
    t.regex(await s.tool(crane, "validate", "--remote", name), /^PASS/);
    await done(t, s, "copy", "-q", `docker-archive:${format}.tar`, `${repository}:${format}`);
    t.regex(await s.tool(crane, "validate", "--remote", `${repository}:${format}`), /^PASS/);
  }
});

testCrane("layouts: crane pushes ours and we copy crane's, and every digest stays", async (t) => {
  const { s, name, repository, digest } = await pushed(t, "layouts", "--platform", "linux/amd64,linux/arm64");
  await done(t, s, "copy", "-q", name, "oci:ours:1");
  await s.tool(crane, "push", "--index", "ours", `${repository}:theirs`);
  t.true((await s.tool(crane, "manifest", `${repository}:theirs`)).includes(digest));
  await s.tool(crane, "pull", "--format", "oci", name, "theirs");
  for (const source of ["oci:theirs", `oci:theirs:${digest}`]) {
    t.regex(await done(t, s, "copy", "-q", source, `${repository}:back`), new RegExp(`@${digest}\n$`));
    t.is((await s.tool(crane, "digest", `${repository}:back`)).trim(), digest);
  }
});

testCrane("an index of both makers' tools is the same, byte for byte", async (t) => {
  const { s, repository } = await pushed(t, "indexes", "--platform", "linux/amd64,linux/arm64", "--provenance=false");
  for (const arch of ["amd64", "arm64"])
    await s.tool(crane, "copy", "--platform", `linux/${arch}`, `${repository}:1`, `${repository}:${arch}`);
  const parts = ["amd64", "arm64"].map((arch) => `${repository}:${arch}`);
  await s.tool(crane, "index", "append", ...parts.flatMap((part) => ["-m", part]), "-t", `${repository}:theirs`);
  await done(t, s, "manifest", "create", `${repository}:ours`, ...parts);
  const manifest = async (tag: string) => JSON.parse(await s.tool(crane, "manifest", `${repository}:${tag}`)) as object;
  t.deepEqual(await manifest("ours"), await manifest("theirs"));
});

testCrane("tags are seen and removed on both sides; one tag goes with us, with crane what it means", async (t) => {
  const { s, name, repository } = await pushed(t, "tags");
  await s.tool(crane, "tag", name, "two");
  await done(t, s, "copy", "-q", name, `${repository}:three`);
  const sorted = (text: string) => text.trim().split("\n").sort();
  t.deepEqual(sorted(await s.tool(crane, "ls", repository)), ["1", "three", "two"]);
  t.deepEqual(sorted(await done(t, s, "tags", repository)), ["1", "three", "two"]);
  t.true((await s.tool(crane, "catalog", registry.host)).includes("tags\n"));
  const other = `${repository}@${(await s.tool(crane, "digest", name)).trim()}`;
  await s.tool(crane, "delete", other);
  t.is((await s.wbuild("manifest", "show", name)).code, 3);
});

testCrane("accounts: crane uses what we logged in with, and we what crane did", async (t) => {
  const account = { username: "jane", password: "a secret: with, signs" };
  await using closed = await startRegistry({ auth: account });
  const s = await scene(t, { base: false });
  const theirs = (...args: string[]) => s.tool("env", `DOCKER_CONFIG=${s.env.DOCKER_CONFIG}`, crane, ...args);
  const flags = ["--username", account.username, "--password-stdin", closed.host];
  t.is((await s.wbuildWith({ input: account.password }, "login", ...flags)).code, 0);
  await theirs("copy", `${(await pushed(t, "accounts")).name}`, `${closed.host}/closed:1`);
  t.is(await done(t, s, "tags", `${closed.host}/closed`), "1\n");
  await done(t, s, "logout", closed.host);
  t.is((await s.wbuild("tags", `${closed.host}/closed`)).code, 3);
  await theirs("auth", "login", closed.host, "-u", account.username, "-p", account.password);
  t.is(await done(t, s, "tags", `${closed.host}/closed`), "1\n");
  t.true((await readFile(join(s.env.DOCKER_CONFIG, "config.json"), "utf8")).includes(closed.host));
});
