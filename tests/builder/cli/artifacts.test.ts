/** What is no image: artifacts with types of their own go from place to place, into indexes and through annotations. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { parseReference } from "../../../registry/reference.ts";
import type { Repository } from "../../../registry/repository.ts";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";
import { anonymousClient } from "../../doubles/registry-client.ts";

let near: RunningRegistry;
let far: RunningRegistry;
test.before(async () => {
  [near, far] = await Promise.all([startRegistry(), startRegistry()]);
});
test.after.always(async () => {
  await Promise.all([near, far].map((registry) => registry?.close()));
});

const chartType = "application/vnd.example.chart.v1+json";

/** A chart (a manifest with an empty configuration), what says something about it, and an index of both with a subject. */
async function scene(t: ExecutionContext, name: string) {
  const { folder, env } = sandboxOf(t);
  const client = anonymousClient();
  t.teardown(() => client.close());
  const at = (registry: RunningRegistry) => `${registry.host}/${name}`;
  const repository = client.repository(parseReference(`${at(near)}:x`));
  const empty = await push(repository, "application/vnd.oci.empty.v1+json", "{}");
  const layer = await push(repository, "application/vnd.example.chart.tar", "a chart");
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [layer] };
  const pushed = (content: object, tag?: string) =>
    repository.pushManifest(Buffer.from(JSON.stringify(content)), mediaTypes.ociManifest, tag);
  const chart = await pushed({ ...manifest, artifactType: chartType }, "chart");
  const note = await pushed({ ...manifest, artifactType: "text/note", layers: [empty], subject: chart });
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, artifactType: "example/set", manifests: [chart] };
  await repository.pushManifest(
    Buffer.from(JSON.stringify({ ...index, subject: chart, "example.unknown": [1] })),
    mediaTypes.ociIndex,
    "set",
  );
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });
  const raw = async (place: string) => (await cli("manifest", "show", "--raw", place)).stdout;
  return { folder, env, client, repository, cli, raw, at, chart, note };
}

async function push(repository: Repository, mediaType: string, text: string) {
  const bytes = Buffer.from(text);
  const blob = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await repository.pushBlob(blob, async function* () {
    yield bytes;
  });
  return blob;
}

test("an artifact and an index of artifacts keep every byte, through a registry, a layout and an archive", async (t) => {
  const { cli, raw, at } = await scene(t, "every-byte");
  for (const tag of ["chart", "set"]) {
    const before = await raw(`${at(near)}:${tag}`);
    const steps = [`${at(near)}:${tag}`, `oci:layout:${tag}`, `oci-archive:${tag}.tar:${tag}`, `${at(far)}:${tag}`];
    for (const [i, to] of steps.entries()) {
      if (i === 0) continue;
      const { code, stdout, stderr } = await cli("copy", "-q", steps[i - 1] ?? "", to);
      t.is(code, 0, stderr);
      t.true(stdout.endsWith(`@${digestOf(before)}\n`));
    }
    t.is(await raw(`${at(far)}:${tag}`), before);
  }
});

test("an artifact is no image: pull, FROM and load say what it is, before anything of it is fetched", async (t) => {
  const { cli, folder, at } = await scene(t, "no-image");
  const says =
    /REG_MANIFEST\]: .* is no container image but application\/vnd\.example\.chart\.v1\+json\n[\s\S]*wbuild copy/;
  const pulled = await cli("pull", `${at(near)}:chart`);
  t.is(pulled.code, 3);
  t.regex(pulled.stderr, says);
  t.notRegex(pulled.stderr, /#1 [0-9a-f]{12} /, "no blob was asked for");
  writeFileSync(join(folder, "Dockerfile"), `FROM ${at(near)}:chart\n`);
  t.regex((await cli("build", "-q", ".")).stderr, says);
  t.is((await cli("copy", "-q", `${at(near)}:chart`, "oci-archive:chart.tar:chart")).code, 0);
  const loaded = await cli("load", "-i", "chart.tar");
  t.is(loaded.code, 2);
  t.regex(loaded.stderr, /REG_ARCHIVE.*no container image but application\/vnd\.example\.chart/);
});

test("of an archive that holds an image and what is said about it, the image is meant", async (t) => {
  const { cli, folder, client, at } = await scene(t, "beside");
  const name = `${at(near)}:image`;
  writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n");
  t.is((await cli("build", "-q", "-t", name, "--push", "--network", "none", ".")).code, 0);
  const repository = client.repository(parseReference(name));
  const { descriptor, mediaType } = await repository.manifest("image");
  const empty = await push(repository, "application/vnd.oci.empty.v1+json", "{}");
  const subject = { mediaType, digest: descriptor.digest, size: descriptor.size };
  const note = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, artifactType: "text/note", config: empty };
  const bytes = Buffer.from(JSON.stringify({ ...note, layers: [empty], subject }));
  const { digest } = await repository.pushManifest(bytes, mediaTypes.ociManifest);
  for (const to of ["oci-archive:image.tar:1", "oci:layout:1"])
    t.is((await cli("copy", "-q", "--include-referrers", name, to)).code, 0);

  const loaded = await cli("load", "-i", "image.tar");
  t.is(loaded.code, 0, loaded.stderr);
  t.regex(loaded.stdout, /^Loaded image[^\n]*\n$/);
  t.true(loaded.stderr.includes(`${digest} is left out: it is no image but text/note`));
  t.regex((await cli("copy", "-q", "oci-archive:image.tar", `${at(far)}:image`)).stdout, new RegExp(descriptor.digest));
  writeFileSync(join(folder, "on.Dockerfile"), "FROM base\nCOPY Dockerfile /again\n");
  const context = ["--build-context", "base=oci-layout://layout"];
  const built = await cli("build", "-q", "-f", "on.Dockerfile", "--network", "none", ...context, ".");
  t.is(built.code, 0, built.stderr);
});

test("annotate keeps what an index says besides its list; create tells an artifact's type", async (t) => {
  const { cli, raw, at, chart } = await scene(t, "annotate");
  const set = `${at(near)}:set`;
  const before = JSON.parse(await raw(set)) as object;
  t.is((await cli("manifest", "annotate", "--annotation", "a=b", set)).code, 0);
  t.deepEqual(JSON.parse(await raw(set)), { ...before, annotations: { a: "b" } } as never);
  t.is((await cli("manifest", "create", `${at(near)}:made`, `${at(near)}:chart`)).code, 0);
  t.deepEqual((JSON.parse(await raw(`${at(near)}:made`)) as { manifests: unknown }).manifests, [
    { ...chart, artifactType: chartType },
  ]);
});

test("a referrer that was deleted behind its list does not keep the others from being copied", async (t) => {
  const { cli, client, repository, at, chart, note } = await scene(t, "gone");
  const { bytes } = await repository.manifest(note);
  const other = Buffer.from(`${Buffer.from(bytes).toString()} `);
  const gone = await repository.pushManifest(other, mediaTypes.ociManifest);
  // Another client than ours does not take it off the list.
  await fetch(`${near.url}/v2/gone/manifests/${gone.digest}`, { method: "DELETE" });
  t.is((await repository.referrers(chart.digest)).length, 3);
  const copied = await cli("copy", "--include-referrers", `${at(near)}:chart`, `${at(far)}:chart`);
  t.is(copied.code, 0, copied.stderr);
  t.regex(copied.stderr, /one entry in the list of what refers to .* could not be copied/);
  const there = client.repository(parseReference(`${at(far)}:chart`));
  t.true((await there.referrers(chart.digest)).some(({ digest }) => digest === note.digest));
});

test("from registry to registry nothing is written to this host", async (t) => {
  const { folder, env, at } = await scene(t, "no-disk");
  const shut = join(folder, "shut");
  mkdirSync(shut);
  chmodSync(shut, 0o500);
  const home = join(folder, "none");
  const how = { cwd: shut, env: { ...env, WBUILD_HOME: home, TMPDIR: shut } };
  const { code, stderr } = await runCli(["copy", "-q", `${at(near)}:chart`, `${at(far)}:chart`], how);
  t.is(code, 0, stderr);
  t.false(existsSync(home), "not even a store is made");
});
