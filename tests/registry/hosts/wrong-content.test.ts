/** Mirrors that give wrong blobs to those who stream them: copies, signatures and build caches take what the next place has. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { encodeConfig } from "../../../builder/cache/config.ts";
import { readRegistryCache, writeRegistryCache } from "../../../builder/cache/registry-place.ts";
import { isWbuildError } from "../../../native/error.ts";
import { tarFileSink } from "../../../registry/archive/sink.ts";
import { ociArchiveTarget } from "../../../registry/copy/archive.ts";
import { copyImage } from "../../../registry/copy/copy.ts";
import { folderTarget } from "../../../registry/copy/folder.ts";
import { layoutTarget } from "../../../registry/copy/layout.ts";
import type { CopyTarget } from "../../../registry/copy/place.ts";
import { remoteSource, remoteTarget } from "../../../registry/copy/remote.ts";
import { storeTarget } from "../../../registry/copy/stored.ts";
import { openHosts } from "../../../registry/hosts/lookup.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { signImage } from "../../../registry/sign/sign-image.ts";
import { verifyImage } from "../../../registry/sign/verify-image.ts";
import { startFaultProxy } from "../../doubles/fault-proxy.ts";
import { makeImage, type SampleOptions } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { clientFor } from "../../doubles/registry-client.ts";
import { registryPair } from "../../doubles/registry-pair.ts";
import { startSpecRegistry } from "../../doubles/spec-registry.ts";

const { near, far } = await registryPair();

const spoilt = (body: Buffer) => Buffer.from(body.map((byte) => byte ^ 1));

/** A machine on which a mirror stands before `near`, and gives other bytes for blobs. */
async function scene(t: ExecutionContext, name: string, options?: SampleOptions) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-wrong-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const mirror = await startFaultProxy(near.host);
  t.teardown(() => mirror[Symbol.asyncDispose]());
  mirror.rules.push({ on: "GET /blobs/sha256", fault: { kind: "change", how: spoilt }, times: 99 });
  mkdirSync(join(folder, "etc/containers"), { recursive: true });
  writeFileSync(
    join(folder, "etc/containers/registries.conf"),
    `[[registry]]\nlocation = "${near.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\n`,
  );
  const warnings: string[] = [];
  const client = clientFor(t, {
    hosts: openHosts({ root: folder, env: { HOME: join(folder, "home") } }),
    warn: (text) => void warnings.push(text),
  });
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, options);
  const reference = parseReference(`${near.host}/${name}:1`);
  await pushImage(client, image, reference, ours);
  const told = [`the mirror ${mirror.host} gave wrong content of ${near.host}/${name}, and is asked no more`];
  return { folder, client, image, mirror, ours, reference, warnings, told };
}

type Scene = Awaited<ReturnType<typeof scene>>;
const targets: [kind: string, open: (scene: Scene) => CopyTarget | Promise<CopyTarget>][] = [
  ["registry", ({ client }) => remoteTarget(client, parseReference(`${far.host}/wrong/registry:1`))],
  ["store", () => storeTarget(new MemoryBlobs(), "store", () => {})],
  ["layout", ({ folder }) => layoutTarget(join(folder, "layout"))],
  ["folder", ({ folder }) => folderTarget(join(folder, "dir"))],
];
for (const [kind, open] of targets)
  test(`a copy to a ${kind} goes on with the next place`, async (t) => {
    const here = await scene(t, `wrong/${kind}`);
    const copied = await copyImage(remoteSource(here.client, here.reference), await open(here));
    t.is(copied.descriptor.digest, here.image.digest);
    t.deepEqual(here.warnings, here.told);
  });

test("a copy that breaks at its target and goes on in the middle has its wrong content from the mirror, all the same", async (t) => {
  const here = await scene(t, "wrong/resumed", {
    compression: "none",
    layers: [{ name: "big", content: randomBytes(16_000_000) }],
  });
  const [layer] = [...here.ours.content].find(([, bytes]) => bytes.length > 16_000_000) ?? [];
  here.mirror.rules.length = 0;
  here.mirror.rules.push({ on: `GET /blobs/${layer}`, fault: { kind: "change", how: spoilt }, times: 99 });
  await using kept = await startSpecRegistry();
  await using target = await startFaultProxy(kept.host);
  // As often as the configuration may use it up without being so long.
  target.rules.push({ on: "PUT /up/", fault: { kind: "cut request", at: 1_000_000 }, times: 2 });
  const to = parseReference(`${target.host}/wrong/resumed:1`);
  const copied = await copyImage(remoteSource(here.client, here.reference), remoteTarget(here.client, to));
  t.is(copied.descriptor.digest, here.image.digest);
  t.deepEqual(here.warnings, here.told);
  t.true(
    target.requests.some((one) => one.startsWith("PATCH ")),
    "it went on in the middle",
  );
});

test("a tar, in which what was written cannot be taken back, is given up, and leaves no file", async (t) => {
  const { folder, client, reference } = await scene(t, "wrong/tar");
  const path = join(folder, "x.tar");
  const target = ociArchiveTarget(await tarFileSink(path), path);
  const error = await t.throwsAsync(copyImage(remoteSource(client, reference), target));
  t.true(isWbuildError(error, "REG_DIGEST_MISMATCH"), String(error));
  t.deepEqual(readdirSync(folder), ["etc"]);
});

for (const asBundle of [false, true])
  test(`a signature (${asBundle ? "bundle" : "tag"}) is read from the next place`, async (t) => {
    const { client, image, reference, warnings, told } = await scene(t, `wrong/signed-${asBundle}`);
    const { privateKey: key, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await signImage(client.repository(reference, { isTarget: true }), image, { key, asBundle });
    const repository = client.repository(reference);
    await t.notThrowsAsync(verifyImage(repository, image.digest, { trust: { key: publicKey }, annotations: {} }));
    t.deepEqual(warnings, told);
  });

test("a build cache is read from the next place", async (t) => {
  const { client, reference, warnings, told } = await scene(t, "wrong/cache");
  const { signal } = new AbortController();
  const ref = `${reference.registry}/${reference.repository}:cache`;
  const writer = writeRegistryCache(client, { ref, ociMediaTypes: true, imageManifest: true }, signal);
  await writer.finish(encodeConfig([]).bytes, []);
  t.deepEqual((await readRegistryCache(client, ref, signal)).records, []);
  t.deepEqual(warnings, told);
});
