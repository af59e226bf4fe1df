/** `copy`, `tags`, `rm`, as people type them, against real registries. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";

const run = promisify(execFile);
let near: RunningRegistry;
let far: RunningRegistry;

test.before(async () => {
  [near, far] = await Promise.all([startRegistry(), startRegistry()]);
});
test.after.always(async () => {
  await Promise.all([near, far].map((registry) => registry?.close()));
});

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
