/** Copies between two real registries: what is asked, sent, mounted, refused; skopeo looks at what came of them. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { digestOf, hexOf } from "../../../layerfs/store/digest.ts";
import { isWbuildError } from "../../../native/error.ts";
import { copyImage } from "../../../registry/copy/copy.ts";
import { layoutSource, layoutTarget } from "../../../registry/copy/layout.ts";
import type { CopySource } from "../../../registry/copy/place.ts";
import { remoteSource, remoteTarget } from "../../../registry/copy/remote.ts";
import { storeSource, storeTarget } from "../../../registry/copy/stored.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { type FaultProxy, startFaultProxy } from "../../doubles/fault-proxy.ts";
import { makeImage, makeIndex } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { clientFor } from "../../doubles/registry-client.ts";
import { registryPair } from "../../doubles/registry-pair.ts";
import { scratchFolder } from "../../doubles/scratch.ts";
import { rawBySkopeo } from "./skopeo.ts";

const run = promisify(execFile);
const { near, far } = await registryPair();

/** Without the question whether there is a registry at all. */
function asked(proxy: FaultProxy): string[] {
  return proxy.requests.filter((line) => !line.endsWith(" /v2/"));
}

test("an index goes from registry to registry with all its images, and every digest stays", async (t) => {
  const client = clientFor(t);
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
  const to = scratchFolder(t);
  await run("skopeo", ["copy", "--all", "--src-tls-verify=false", `docker://${far.host}/mirror/many:2`, `dir:${to}/x`]);
  t.is(digestOf(readFileSync(`${to}/x/manifest.json`)), index.digest);
});

test("what is there costs one question a manifest; a new tag of what is there sends no blob", async (t) => {
  const client = clientFor(t);
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
  const client = clientFor(t);
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
  const client = clientFor(t);
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
  const client = clientFor(t);
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
  const folder = scratchFolder(t);
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

test("wrong bytes at the source arrive nowhere", async (t) => {
  const client = clientFor(t);
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

test("a source that names an image as its own referrer is not followed for ever", async (t) => {
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const source = storeSource(ours, "store:x", image);
  const layout = join(scratchFolder(t), "layout");
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
  const client = clientFor(t);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, { layers: [{ name: "d", content: t.title }] });
  const target = (digest: string) => remoteTarget(client, parseReference(`${far.host}/by-digest@${digest}`));
  const error = await t.throwsAsync(copyImage(storeSource(ours, "store:x", image), target(digestOf("other"))));
  t.true(isWbuildError(error, "REG_DIGEST_MISMATCH"));
  t.is((await copyImage(storeSource(ours, "store:x", image), target(image.digest))).descriptor.digest, image.digest);
  t.is(await rawBySkopeo(`docker://${far.host}/by-digest@${image.digest}`), image.digest);
});
