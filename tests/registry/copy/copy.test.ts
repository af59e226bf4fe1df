/** Copies between two real registries, stores, layouts and archives; skopeo and umoci look at what came of them. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { loadArchive } from "../../../registry/archive/load.ts";
import { tarFileSink } from "../../../registry/archive/sink.ts";
import { openRegistry } from "../../../registry/client.ts";
import { dockerArchiveTarget, ociArchiveTarget } from "../../../registry/copy/archive.ts";
import { copyImage } from "../../../registry/copy/copy.ts";
import { folderSource, folderTarget } from "../../../registry/copy/folder.ts";
import { layoutSource, layoutTarget } from "../../../registry/copy/layout.ts";
import type { CopySource } from "../../../registry/copy/place.ts";
import { remoteSource, remoteTarget } from "../../../registry/copy/remote.ts";
import { storeSource, storeTarget } from "../../../registry/copy/stored.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { type RunningRegistry, startRegistry } from "../../doubles/docker-registry.ts";
import { type FaultProxy, startFaultProxy } from "../../doubles/fault-proxy.ts";
import { makeImage, makeIndex } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";

const run = promisify(execFile);
let near: RunningRegistry;
let far: RunningRegistry;

test.before(async () => {
  [near, far] = await Promise.all([startRegistry(), startRegistry()]);
});
test.after.always(async () => {
  await Promise.all([near, far].map((registry) => registry?.close()));
});

function open(t: ExecutionContext) {
  const client = openRegistry({
    userAgent: "wbuild-test",
    warn() {},
    credentials: { find: async () => undefined },
    retry: { baseMs: 1, capMs: 2 },
  });
  t.teardown(() => client.close());
  return client;
}

function scratch(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-copy-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Without the question whether there is a registry at all. */
function asked(proxy: FaultProxy): string[] {
  return proxy.requests.filter((line) => !line.endsWith(" /v2/"));
}

async function rawBySkopeo(name: string): Promise<string> {
  const { stdout } = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", name]);
  return digestOf(stdout);
}

test("an index goes from registry to registry with all its images, and every digest stays", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["amd64", "arm64", "s390x"]);
  await pushImage(client, index, parseReference(`${near.host}/team/many:1`), ours);
  const result = await copyImage(
    remoteSource(client, parseReference(`${near.host}/team/many:1`)),
    remoteTarget(client, parseReference(`${far.host}/mirror/many:2`)),
  );
  t.is(result.descriptor.digest, index.digest);
  t.deepEqual([result.manifests, result.sent, result.mounted, result.present], [4, 6, 0, 0]);
  t.is(await rawBySkopeo(`docker://${far.host}/mirror/many:2`), index.digest);
  // skopeo takes each image there, so that all blobs must be what manifests and configurations say.
  const to = scratch(t);
  await run("skopeo", ["copy", "--all", "--src-tls-verify=false", `docker://${far.host}/mirror/many:2`, `dir:${to}/x`]);
  t.is(digestOf(readFileSync(`${to}/x/manifest.json`)), index.digest);
});

test("what is there costs one question a manifest; a new tag of what is there sends no blob", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["amd64", "arm64"]);
  await using before = await startFaultProxy(near.host);
  await using after = await startFaultProxy(far.host);
  await pushImage(client, index, parseReference(`${near.host}/count/app:1`), ours);
  const copy = (tag: string) =>
    copyImage(
      remoteSource(client, parseReference(`${before.host}/count/app:1`)),
      remoteTarget(client, parseReference(`${after.host}/count/app:${tag}`)),
    );
  await copy("1");
  before.requests.splice(0);
  after.requests.splice(0);

  t.is((await copy("1")).manifests, 0);
  t.deepEqual(
    asked(before).map((line) => line.split(" ")[0]),
    ["GET"],
    "the source is asked for what the name means",
  );
  t.deepEqual(
    asked(after).map((line) => line.replace(/sha256:.*/, "DIGEST")),
    ["HEAD /v2/count/app/manifests/1", "HEAD /v2/count/app/manifests/DIGEST", "HEAD /v2/count/app/manifests/DIGEST"],
  );

  after.requests.splice(0);
  t.is((await copy("other")).manifests, 1);
  t.deepEqual(
    asked(after).filter((line) => /blobs/.test(line)),
    [],
  );
  t.is(asked(after).filter((line) => line.startsWith("PUT")).length, 1);
  t.is(await rawBySkopeo(`docker://${far.host}/count/app:other`), index.digest);
});

test("inside one registry blobs are mounted, and their bytes are not read", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, { layers: [{ name: "m", content: "only here" }] });
  await using proxy = await startFaultProxy(near.host);
  await pushImage(client, image, parseReference(`${proxy.host}/mount/a:1`), ours);
  proxy.requests.splice(0);
  const result = await copyImage(
    remoteSource(client, parseReference(`${proxy.host}/mount/a:1`)),
    remoteTarget(client, parseReference(`${proxy.host}/mount/b:1`)),
  );
  t.deepEqual([result.sent, result.mounted], [0, 2]);
  t.deepEqual(
    asked(proxy).filter((line) => /^GET .*blobs/.test(line)),
    [],
  );
});

test("one platform of an index alone, by the choice of whoever asks", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["amd64", "arm64"]);
  const choose = (all: readonly Descriptor[]) => all.find(({ platform }) => platform?.architecture === "arm64");
  const result = await copyImage(
    storeSource(ours, "store:many", index),
    remoteTarget(client, parseReference(`${far.host}/one:arm`)),
    { choose },
  );
  t.is(result.descriptor.mediaType, mediaTypes.ociManifest);
  const { stdout } = await run("skopeo", ["inspect", "--tls-verify=false", `docker://${far.host}/one:arm`]);
  t.is((JSON.parse(stdout) as { Architecture: string }).Architecture, "arm64");
  const error = await t.throwsAsync(
    copyImage(storeSource(ours, "store:many", index), remoteTarget(client, parseReference(`${far.host}/one:x`)), {
      choose: () => undefined,
    }),
  );
  t.true(isWbuildError(error, "REG_PLATFORM"));
});

/** A signature as cosign keeps it (a tag), and a list of packages that names its subject. */
async function withReferrers(t: ExecutionContext) {
  const client = open(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, { layers: [{ name: "s", content: t.title }] });
  const reference = parseReference(`${near.host}/signed/${hexOf(digestOf(t.title)).slice(0, 8)}:1`);
  await pushImage(client, image, reference, ours);
  const repository = client.repository(reference);
  const config = await ours.put(Buffer.from("{}"), { mediaType: "application/vnd.oci.empty.v1+json" });
  const bom = await ours.put(Buffer.from(`bom of ${t.title}`), { mediaType: "text/spdx" });
  for (const blob of [config, bom]) await repository.pushBlob(blob, () => ours.open(blob));
  const manifestOf = (more: object) =>
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [bom], ...more }),
    );
  const subject = { mediaType: image.mediaType, digest: image.digest, size: image.size };
  const sbom = manifestOf({ artifactType: "text/spdx", subject });
  await repository.pushManifest(sbom, mediaTypes.ociManifest);
  const signature = manifestOf({ annotations: { kind: "signature" } });
  const cosignTag = `${image.digest.replace(":", "-")}.sig`;
  await repository.pushManifest(signature, mediaTypes.ociManifest, cosignTag);
  return { client, image, reference, sbom: digestOf(sbom), signature: digestOf(signature), cosignTag };
}

test("--include-referrers brings what names the image as its subject, and cosign's tags", async (t) => {
  const { client, image, reference, sbom, signature, cosignTag } = await withReferrers(t);
  const target = parseReference(`${far.host}/signed/copy:1`);
  const bare = await copyImage(remoteSource(client, reference), remoteTarget(client, target));
  t.is(bare.referrers, 0);
  const there = client.repository(target);
  t.deepEqual(await there.referrers(image.digest), []);
  const result = await copyImage(remoteSource(client, reference), remoteTarget(client, target), {
    includeReferrers: true,
  });
  t.is(result.referrers, 2);
  t.deepEqual(
    (await there.referrers(image.digest)).map(({ digest }) => digest),
    [sbom],
  );
  t.is((await there.resolve(cosignTag)).digest, signature);
});

test("referrers go through an OCI layout, and a store says that it cannot", async (t) => {
  const { client, image, reference, sbom, signature, cosignTag } = await withReferrers(t);
  const folder = scratch(t);
  await copyImage(remoteSource(client, reference), await layoutTarget(`${folder}/layout`, "app"), {
    includeReferrers: true,
  });
  const target = parseReference(`${far.host}/signed/through:1`);
  await copyImage(await layoutSource(`${folder}/layout`), remoteTarget(client, target), { includeReferrers: true });
  const there = client.repository(target);
  t.is((await there.resolve("1")).digest, image.digest);
  t.deepEqual(
    (await there.referrers(image.digest)).map(({ digest }) => digest),
    [sbom],
  );
  t.is((await there.resolve(cosignTag)).digest, signature);
  const error = await t.throwsAsync(
    copyImage(
      remoteSource(client, reference),
      storeTarget(new MemoryBlobs(), "store:x", () => {}),
      {
        includeReferrers: true,
      },
    ),
  );
  t.true(isWbuildError(error, "REG_ARCHIVE_FORMAT"));
});

test("through an OCI layout: umoci and skopeo read it, other images in it stay, and it goes on byte for byte", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const layout = join(scratch(t), "layout");
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
    const path = join(scratch(t), "image.tar");
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
  const folder = scratch(t);
  for (const image of [zstd, index]) {
    const target = dockerArchiveTarget(await tarFileSink(join(folder, "x.tar")), "docker-archive:x.tar", []);
    const error = await t.throwsAsync(copyImage(storeSource(ours, "store:x", image), target));
    t.true(isWbuildError(error, "REG_ARCHIVE_FORMAT"), String(error));
  }
  t.deepEqual(readdirSync(folder), []);
});

test("skopeo's dir: form, written for skopeo and read from skopeo", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["amd64", "arm64"]);
  const folder = scratch(t);
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

test("wrong bytes at the source arrive nowhere", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, { layers: [{ name: "x", content: `good ${t.title}` }] });
  const honest = storeSource(ours, "store:x", image);
  const repository = client.repository(parseReference(`${far.host}/lies:1`));
  const lies: [string, (blob: Descriptor) => Uint8Array, string][] = [
    ["other bytes", ({ size }) => Buffer.alloc(size, 1), "REG_DIGEST_MISMATCH"],
    ["too few", ({ size }) => Buffer.alloc(size - 1), "REG_SIZE_MISMATCH"],
    ["too many", ({ size }) => Buffer.alloc(size + 1), "REG_SIZE_MISMATCH"],
  ];
  for (const [what, lie, code] of lies) {
    const source: CopySource = {
      ...honest,
      async *blob(blob) {
        yield lie(blob);
      },
    };
    const target = () => remoteTarget(client, parseReference(`${far.host}/lies:1`));
    const error = await t.throwsAsync(copyImage(source, target()), undefined, what);
    t.true(isWbuildError(error, code as never), `${what}: ${error}`);
    const store = new MemoryBlobs();
    await t.throwsAsync(
      copyImage(
        source,
        storeTarget(store, "store:x", () => t.fail()),
      ),
    );
    t.is(store.content.size, 0);
  }
  await t.throwsAsync(repository.resolve("1"), { code: "REG_NOT_FOUND" } as object);
  const forged: CopySource = {
    ...honest,
    manifest: async (which) => ({ ...(await honest.named()), descriptor: which }),
  };
  const index = await makeIndex(ours, ["amd64"]);
  const named = await storeSource(ours, "store:i", index).named();
  const error = await t.throwsAsync(
    copyImage(
      { ...forged, named: async () => named },
      storeTarget(new MemoryBlobs(), "store:x", () => {}),
    ),
  );
  t.true(isWbuildError(error, "REG_DIGEST_MISMATCH"));
});

test("a layout whose blob is a link to elsewhere, or is cut off, is not read", async (t) => {
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const layout = join(scratch(t), "layout");
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

test("a source that names an image as its own referrer is not followed for ever", async (t) => {
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const source = storeSource(ours, "store:x", image);
  const layout = join(scratch(t), "layout");
  const result = await copyImage(
    { ...source, referrers: async () => [{ descriptor: image }] },
    await layoutTarget(layout),
    {
      includeReferrers: true,
    },
  );
  t.true(result.referrers <= 2);
});

test("many blobs go side by side, and not more than asked for", async (t) => {
  const ours = new MemoryBlobs();
  const layers = Array.from({ length: 12 }, (_, i) => ({ name: `l${i}`, content: `${i}` }));
  const image = await makeImage(ours, { layers });
  let running = 0;
  let most = 0;
  const target = storeTarget(new MemoryBlobs(), "store:x", () => {});
  await copyImage(
    storeSource(ours, "store:x", image),
    {
      ...target,
      async putBlob(...given) {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        try {
          return await target.putBlob(...given);
        } finally {
          running--;
        }
      },
    },
    { concurrency: 3 },
  );
  t.is(most, 3);
});

test("a destination by digest takes that content and no other", async (t) => {
  const client = open(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, { layers: [{ name: "d", content: t.title }] });
  const target = (digest: string) => remoteTarget(client, parseReference(`${far.host}/by-digest@${digest}`));
  const error = await t.throwsAsync(copyImage(storeSource(ours, "store:x", image), target(digestOf("other"))));
  t.true(isWbuildError(error, "REG_DIGEST_MISMATCH"));
  t.is((await copyImage(storeSource(ours, "store:x", image), target(image.digest))).descriptor.digest, image.digest);
  t.is(await rawBySkopeo(`docker://${far.host}/by-digest@${image.digest}`), image.digest);
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
    const folder = join(scratch(t), "layout");
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
