/** `copy`, `tags`, `rm`, `sync`, as people type them, against real registries. */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { registryPair } from "../../doubles/registry-pair.ts";

const run = promisify(execFile);
const { near, far } = await registryPair();

/** A store with one image, `app:1`; gives how to call wbuild. */
async function scene(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), `FROM scratch\nCOPY . /\nLABEL t="${t.title}"\n`);
  t.is((await cli("build", "-q", "-t", "app:1", "context")).code, 0);
  return { folder, cli, digest: digestOf((await cli("inspect", "--raw", "app:1")).stdout) };
}

test("copy: store to registry to registry to archive and back, one digest all the way", async (t) => {
  const { folder, cli, digest } = await scene(t);
  const steps: [string, string, string][] = [
    ["store:app:1", `${near.host}/copy/app:1`, `${near.host}/copy/app:1`],
    [`docker://${near.host}/copy/app:1`, `${far.host}/copy/app`, `${far.host}/copy/app:latest`],
    [`${far.host}/copy/app`, "oci:layout:v1", "oci:layout:v1"],
    ["oci:layout", "oci-archive:app.tar:v2", "oci-archive:app.tar:v2"],
    ["oci-archive:app.tar:v2", "dir:folder", "dir:folder"],
    ["dir:folder", "store:back:1", "store:back:1"],
  ];
  for (const [from, to, shown] of steps) {
    const { code, stdout, stderr } = await cli("copy", from, to);
    t.is(code, 0, stderr);
    t.is(stdout, `${shown}@${digest}\n`);
  }
  t.is(digestOf((await cli("inspect", "--raw", "back:1")).stdout), digest);
  const { stdout } = await run("skopeo", ["inspect", "--raw", `oci-archive:${folder}/app.tar:v2`]);
  t.is(digestOf(stdout), digest);
  t.is((await cli("prune", "--force")).code, 0);
  t.is((await cli("inspect", "--verify", "back:1")).code, 0, "the name keeps its content");
});

test("copy: what it never does is refused with the reason", async (t) => {
  const { cli } = await scene(t);
  const format = await cli("copy", "--format", "v2s2", "store:app:1", "oci:x");
  t.is(format.code, 2);
  t.regex(format.stderr, /keeps the manifest as it is[\s\S]*no signature covers/);
  const zstd = await cli("copy", "store:app:1", "docker-archive:x.tar");
  t.regex(zstd.stderr, /error\[REG_ARCHIVE_FORMAT\][\s\S]*zstd/);
  const both = await cli("copy", "--all", "--platform", "linux/amd64", "store:app:1", "oci:x");
  t.regex(both.stderr, /exclude each other/);
  t.is((await cli("copy", "store:nobody", "oci:x")).code, 2);
});

test("tags: as skopeo lists them; rm: one tag, then the manifest with all its tags", async (t) => {
  const { cli, digest } = await scene(t);
  const name = `${near.host}/tags/app`;
  for (const tag of ["1", "2", "3", "4"]) t.is((await cli("copy", "-q", "store:app:1", `${name}:${tag}`)).code, 0);
  const listed = async () => (await cli("tags", name)).stdout.trim().split("\n");
  const asJson = JSON.parse((await cli("tags", "--json", name)).stdout) as { Repository: string; Tags: string[] };
  const { stdout } = await run("skopeo", ["list-tags", "--tls-verify=false", `docker://${name}`]);
  t.deepEqual(asJson, JSON.parse(stdout));
  t.deepEqual(await listed(), asJson.Tags, "in the registry's order");
  t.deepEqual((await listed()).sort(), ["1", "2", "3", "4"]);
  t.is((await cli("tags", "--limit", "2", name)).stdout.trim().split("\n").length, 2);
  t.regex((await cli("tags", `${name}:1`)).stderr, /one image, not a repository[\s\S]*wbuild tags 127/);

  t.is((await cli("rm", `${name}:2`)).stdout, `Untagged: ${name}:2\n`);
  t.false((await listed()).includes("2"));
  t.is((await cli("copy", "-q", `${name}:3`, "oci:still-there")).code, 0);
  const unnamed = await cli("rm", name);
  t.is(unnamed.code, 2);
  t.regex(unnamed.stderr, /neither a tag nor a digest/);

  t.is((await cli("rm", "--force", `${name}:1`)).stdout, `Deleted: ${name}@${digest}\n`);
  const gone = await cli("rm", `${name}@${digest}`);
  t.is(gone.code, 3);
  t.regex(gone.stderr, /error\[REG_NOT_FOUND\]/);
  t.is((await cli("copy", "-q", `${name}:3`, "oci:no-more")).code, 3);
});

async function tagsOf(name: string): Promise<string[]> {
  const { stdout } = await run("skopeo", ["list-tags", "--tls-verify=false", `docker://${name}`]);
  return (JSON.parse(stdout) as { Tags: string[] }).Tags.sort();
}

test("sync: the same tags as skopeo makes of the same file; a second time nothing is sent", async (t) => {
  const { folder, cli, digest } = await scene(t);
  for (const name of [
    "sync/all:1",
    "sync/all:2",
    "sync/some:1.0",
    "sync/some:2.0",
    "sync/rule:1.2-alpine",
    "sync/rule:1.2",
  ])
    t.is((await cli("copy", "-q", "store:app:1", `${near.host}/${name}`)).code, 0);
  const yaml = `${near.host}:
  tls-verify: false
  images:
    sync/all: []
    sync/some:
      - 1.0
      - ${digest}
  images-by-tag-regex:
    sync/rule: ^1\\.[0-9]+-alpine$
`;
  writeFileSync(join(folder, "mirror.yaml"), yaml);
  const flags = ["sync", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false"];
  await run("skopeo", [...flags, join(folder, "mirror.yaml"), `${far.host}/theirs`]);
  const dry = await cli("sync", "--dry-run", "mirror.yaml", `${far.host}/ours`);
  t.is(dry.stdout.trim().split("\n").length, 5, dry.stderr);
  t.regex(dry.stdout, /sync\/all:1 -> .*\/ours\/all:1/);
  await t.throwsAsync(tagsOf(`${far.host}/ours/all`), undefined, "nothing was copied");
  const sync = await cli("sync", "mirror.yaml", `${far.host}/ours`);
  t.is(sync.code, 0, sync.stderr);
  for (const name of ["all", "some", "rule"])
    t.deepEqual(await tagsOf(`${far.host}/ours/${name}`), await tagsOf(`${far.host}/theirs/${name}`));
  t.true(sync.stdout.includes(`${far.host}/ours/some@${digest}\n`));
  const again = JSON.parse((await cli("sync", "--json", "mirror.yaml", `${far.host}/ours`)).stdout) as {
    digest: string;
  }[];
  t.deepEqual([...new Set(again.map((row) => row.digest))], [digest]);

  t.is((await cli("sync", "-q", "--scoped", "mirror.yaml", "oci:layout")).code, 0);
  const { stdout } = await run("umoci", ["ls", "--layout", join(folder, "layout")]);
  t.is(stdout.trim().split("\n").length, 5);
  t.is((await cli("sync", "-q", "mirror.yaml", "dir:folders")).code, 0);
  t.deepEqual(readdirSync(join(folder, "folders")).sort(), [
    "all:1",
    "all:2",
    "rule:1.2-alpine",
    "some:1.0",
    `some@${digest}`,
  ]);
});

test("sync: what fails ends it, or is told at the end with --keep-going; two images of one name are refused", async (t) => {
  const { folder, cli } = await scene(t);
  t.is((await cli("copy", "-q", "store:app:1", `${near.host}/going/b:1`)).code, 0);
  const images = (text: string) => writeFileSync(join(folder, "x.yaml"), `${near.host}: {images: {${text}}}`);
  images("going/a: ['1'], going/none: [], going/b: ['1']");
  const first = await cli("sync", "x.yaml", `${far.host}/going`);
  t.is(first.code, 3);
  await t.throwsAsync(tagsOf(`${far.host}/going/b`));
  const on = await cli("sync", "--keep-going", "x.yaml", `${far.host}/going`);
  t.is(on.code, 1);
  t.regex(on.stderr, /going\/none was not copied/);
  t.regex(on.stderr, /going\/a:1 was not copied/);
  t.deepEqual(await tagsOf(`${far.host}/going/b`), ["1"]);
  images("going/b: ['1'], other/b: ['1']");
  const both = await cli("sync", "x.yaml", `${far.host}/going`);
  t.is(both.code, 2);
  t.regex(both.stderr, /error\[REG_SYNC_FILE\].*would both become[\s\S]*--scoped/);
  t.is((await cli("sync", "nowhere.yaml", "oci:x")).code, 2);
});

test("sync: credentials of the file are used for its registry alone, and are never shown", async (t) => {
  const password = "pa55-of-the-list";
  await using closed = await startRegistry({ auth: { username: "ci", password } });
  const { folder, cli } = await scene(t);
  const list = (secret: string) =>
    writeFileSync(
      join(folder, "x.yaml"),
      `${closed.host}: {images: {app: ["1"]}, credentials: {username: ci, password: ${secret}}}`,
    );
  const login = await runCli(["login", "-u", "ci", "--password-stdin", closed.host], {
    cwd: folder,
    env: { DOCKER_CONFIG: join(folder, "other"), WBUILD_HOME: join(folder, "home") },
    input: password,
  });
  t.is(login.code, 0, login.stderr);
  const pushed = await runCli(["copy", "store:app:1", `${closed.host}/app:1`], {
    cwd: folder,
    env: { DOCKER_CONFIG: join(folder, "other"), WBUILD_HOME: join(folder, "home") },
  });
  t.is(pushed.code, 0, pushed.stderr);

  list(password);
  const good = await cli("sync", "--debug", "x.yaml", `${far.host}/secret`);
  t.is(good.code, 0, good.stderr);
  list("wrong-of-the-list");
  const bad = await cli("sync", "--debug", "x.yaml", `${far.host}/secret`);
  t.is(bad.code, 3);
  t.regex(bad.stderr, /REG_UNAUTHORIZED/);
  list("[broken");
  const broken = await cli("sync", "--debug", "x.yaml", `${far.host}/secret`);
  for (const { stdout, stderr } of [good, bad, broken]) t.notRegex(stdout + stderr, /of-the-list|\[broken/);
});
