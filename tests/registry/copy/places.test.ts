/** Copies into and out of layouts, archives, folders and stores; skopeo and umoci look at what came of them. */
import { execFile } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { hexOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { loadArchive } from "../../../registry/archive/load.ts";
import { tarFileSink } from "../../../registry/archive/sink.ts";
import { dockerArchiveTarget, ociArchiveTarget } from "../../../registry/copy/archive.ts";
import { copyImage } from "../../../registry/copy/copy.ts";
import { folderSource, folderTarget } from "../../../registry/copy/folder.ts";
import { layoutSource, layoutTarget } from "../../../registry/copy/layout.ts";
import { remoteTarget } from "../../../registry/copy/remote.ts";
import { storeSource, storeTarget } from "../../../registry/copy/stored.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { parseReference } from "../../../registry/reference.ts";
import { makeImage, makeIndex } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { clientFor } from "../../doubles/registry-client.ts";
import { registryPair } from "../../doubles/registry-pair.ts";
import { scratchFolder } from "../../doubles/scratch.ts";
import { rawBySkopeo } from "./skopeo.ts";

const run = promisify(execFile);
const { near, far } = await registryPair();

test("through an OCI layout: umoci and skopeo read it, other images in it stay, and it goes on byte for byte", async (t) => {
  const client = clientFor(t);
  const ours = new MemoryBlobs();
  const layout = join(scratchFolder(t), "layout");
  const images = [await makeImage(ours), await makeImage(ours, { layers: [{ name: "two", content: "2" }] })];
  for (const [i, image] of images.entries())
    await copyImage(storeSource(ours, "store:x", image), await layoutTarget(layout, `v${i}`));
  const { stdout } = await run("umoci", ["ls", "--layout", layout]);
  t.deepEqual(stdout.trim().split("\n").sort(), ["v0", "v1"]);
  t.is(await rawBySkopeo(`oci:${layout}:v1`), images[1]!.digest);
  const again = await copyImage(storeSource(ours, "store:x", images[0]!), await layoutTarget(layout, "v1"));
  t.is(again.sent, 0);
  t.is(await rawBySkopeo(`oci:${layout}:v1`), images[0]!.digest, "a name that is taken moves");
  const target = parseReference(`${far.host}/from-layout:1`);
  await copyImage(await layoutSource(layout, "v0"), remoteTarget(client, target));
  t.is(await rawBySkopeo(`docker://${far.host}/from-layout:1`), images[0]!.digest);
  const error = await t.throwsAsync(layoutSource(layout, "nope").then((source) => source.named()));
  t.true(isWbuildError(error, "REG_NOT_FOUND"));
  t.regex(String((error as { hint?: string }).hint), /v0/);
});

for (const format of ["oci", "docker"] as const)
  test(`into a ${format} archive: skopeo reads it, and load finds the same manifest`, async (t) => {
    const ours = new MemoryBlobs();
    const layers = ["a", "b", "c", "d", "e"].map((name) => ({ name, content: name.repeat(50_000) }));
    const image = await makeImage(ours, { layers });
    const path = join(scratchFolder(t), "image.tar");
    const sink = await tarFileSink(path);
    const target =
      format === "oci"
        ? ociArchiveTarget(sink, path, "app")
        : dockerArchiveTarget(sink, path, ["docker.io/library/app:1"]);
    t.is((await copyImage(storeSource(ours, "store:x", image), target)).sent, 6);
    const name = format === "oci" ? `oci-archive:${path}:app` : `docker-archive:${path}:app:1`;
    const { stdout } = await run("skopeo", ["inspect", "--config", name]);
    t.is((JSON.parse(stdout) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids.length, 5);
    const [loaded] = await loadArchive({ path }, new MemoryBlobs());
    t.is(loaded?.descriptor.digest, image.digest);
  });

test("a docker archive refuses what it could hold only after a conversion, and leaves no file", async (t) => {
  const ours = new MemoryBlobs();
  const zstd = await makeImage(ours, { compression: "zstd" });
  const index = await makeIndex(ours, ["amd64", "arm64"]);
  const folder = scratchFolder(t);
  for (const image of [zstd, index]) {
    const target = dockerArchiveTarget(await tarFileSink(join(folder, "x.tar")), "docker-archive:x.tar", []);
    const error = await t.throwsAsync(copyImage(storeSource(ours, "store:x", image), target));
    t.true(isWbuildError(error, "REG_ARCHIVE_FORMAT"), String(error));
  }
  t.deepEqual(readdirSync(folder), []);
});

test("skopeo's dir: form, written for skopeo and read from skopeo", async (t) => {
  const client = clientFor(t);
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["amd64", "arm64"]);
  const folder = scratchFolder(t);
  await copyImage(storeSource(ours, "store:x", index), await folderTarget(`${folder}/a`));
  await run("skopeo", ["copy", "--all", "--dest-tls-verify=false", `dir:${folder}/a`, `docker://${near.host}/dir:1`]);
  await run("skopeo", ["copy", "--all", "--src-tls-verify=false", `docker://${near.host}/dir:1`, `dir:${folder}/b`]);
  const target = parseReference(`${far.host}/dir:2`);
  const { descriptor } = await copyImage(folderSource(`${folder}/b`), remoteTarget(client, target));
  t.is(descriptor.digest, index.digest);
  await t.throwsAsync(folderTarget(tmpdir()), { code: "REG_ARCHIVE_TARGET" } as object);
});

test("into a store: all that the name means is kept by it", async (t) => {
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["amd64", "arm64"]);
  const there = new MemoryBlobs();
  const named: [string, number][] = [];
  const target = storeTarget(there, "store:x", (image, keeps) => named.push([image.digest, keeps.length]));
  await copyImage(storeSource(ours, "store:x", index), target);
  t.deepEqual(named, [[index.digest, 7]]);
  t.deepEqual([...there.content.keys()].sort(), [...ours.content.keys()].sort());
});

test("a layout whose blob is a link to elsewhere, or is cut off, is not read", async (t) => {
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const layout = join(scratchFolder(t), "layout");
  await copyImage(storeSource(ours, "store:x", image), await layoutTarget(layout, "v"));
  const { config } = JSON.parse(Buffer.from(ours.content.get(image.digest) ?? []).toString()) as { config: Descriptor };
  writeFileSync(join(layout, "blobs/sha256", hexOf(config.digest)), "{}");
  const error = await t.throwsAsync(
    copyImage(
      await layoutSource(layout),
      storeTarget(new MemoryBlobs(), "store:x", () => {}),
    ),
  );
  t.true(isWbuildError(error, "REG_INCOMPLETE"), String(error));
});

test("what is no image is carried: a build cache's index of layers, an artifact with blobs of its own", async (t) => {
  const ours = new MemoryBlobs();
  const layer = await ours.put(Buffer.from("layer"), { mediaType: mediaTypes.ociLayerGzip });
  const config = await ours.put(Buffer.from("{}"), { mediaType: "application/vnd.buildkit.cacheconfig.v0" });
  const artifact = "application/vnd.oci.artifact.manifest.v1+json";
  const documents: [mediaType: string, content: object][] = [
    [mediaTypes.ociIndex, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [layer, config] }],
    [artifact, { mediaType: artifact, artifactType: "text/spdx", blobs: [layer] }],
  ];
  for (const [mediaType, content] of documents) {
    const named = await ours.put(Buffer.from(JSON.stringify(content)), { mediaType });
    const folder = join(scratchFolder(t), "layout");
    await copyImage(storeSource(ours, "store:x", named), await layoutTarget(folder, "x"));
    const there = new MemoryBlobs();
    await copyImage(
      await layoutSource(folder, "x"),
      storeTarget(there, "store:x", () => {}),
    );
    t.true(there.content.has(layer.digest), mediaType);
    t.true(there.content.has(named.digest), mediaType);
  }
});
