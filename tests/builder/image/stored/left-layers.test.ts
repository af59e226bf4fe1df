/** Layers that were left in a registry: where they are looked for, what is proved of them, and what is told when they cannot be had. */
import { gzipSync } from "node:zlib";
import test from "ava";
import { type BaseLayer, baseLayers } from "../../../../builder/image/stored/base-layers.ts";
import { bringLayer, type LeftLayer, leftLayers, sourceOf } from "../../../../builder/image/stored/left-layers.ts";
import type { Layer } from "../../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../../layerfs/store/digest.ts";
import type { BlobSource, RegistrySource } from "../../../../layerfs/store/sources.ts";
import { WbuildError } from "../../../../native/error.ts";
import type { RegistryClient } from "../../../../registry/client.ts";
import { type Image, mediaTypes } from "../../../../registry/oci/image.ts";
import { makeHome, named } from "../../../layerfs/store/home.ts";

const tar = Buffer.alloc(1024, "tar");
const bytes = gzipSync(tar);
const layer: Layer = {
  blob: { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size: bytes.length },
  diffId: digestOf(tar),
};
const near = sourceOf("near.example/base:1") as RegistrySource;
const far = sourceOf("far.example/base:1") as RegistrySource;
const signal = new AbortController().signal;

/** Registries by name: what they give, or the error that they give instead; and in which order they were asked. */
function registries(given: Readonly<Record<string, Uint8Array | Error>>) {
  const asked: string[] = [];
  const client = {
    repository: ({ registry, repository }: { registry: string; repository: string }) => ({
      registry,
      name: repository,
      distrust: () => false,
      async *blob() {
        asked.push(`${registry}/${repository}`);
        const answer =
          given[registry] ?? new WbuildError("REG_NOT_FOUND", "HTTP 404", { hint: "look at the spelling" });
        if (answer instanceof Error) throw answer;
        yield answer;
      },
    }),
  };
  // Only what the code under test asks of a client.
  return { asked, registry: async () => client as unknown as RegistryClient };
}

function imageOf(...layers: Layer[]): Image {
  const config = {
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: layers.map((one) => one.diffId) },
  };
  const blob = { mediaType: "x", digest: named("config"), size: 1 };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: blob,
    layers: layers.map((one) => one.blob),
  };
  return { descriptor: blob, config, manifest } as Image;
}

const left = (...sources: BlobSource[]): LeftLayer => ({ ...layer, sources });

test("left are the layers that are not here and can be had, each once; what is lost is not among them", async (t) => {
  using home = makeHome();
  const { store } = home;
  const here = { blob: await store.blobs.put(Buffer.from("here"), { mediaType: "x" }), diffId: named("here") };
  const lost = { blob: { mediaType: "x", digest: named("lost"), size: 1 }, diffId: named("lost") };
  store.sources.note(layer.blob.digest, near);
  store.sources.note(here.blob.digest, near);
  t.deepEqual(await leftLayers(store, [imageOf(lost, here, layer, layer), imageOf(layer)]), [left(near)]);
});

test("the first place that has the layer gives it; then it is here, and nobody is asked", async (t) => {
  using home = makeHome();
  const { asked, registry } = registries({ "far.example": bytes });
  const world = { store: home.store, registry };
  await bringLayer(left(near, far), world, { signal });
  t.deepEqual(asked, ["near.example/base", "far.example/base"]);
  t.is(await home.store.blobs.has(layer.blob.digest), bytes.length);
  await bringLayer(left(near, far), world, { signal });
  t.is(asked.length, 2);
});

const failures: [name: string, answer: Error | Uint8Array | undefined, hint: RegExp][] = [
  ["a registry that has lost it", undefined, /^`wbuild pull near\.example\/base:1` .* build the image again$/],
  [
    "a registry that wants a login",
    new WbuildError("REG_UNAUTHORIZED", "HTTP 401", { hint: "`wbuild login near.example`" }),
    /^`wbuild login near\.example`; `wbuild pull near\.example\/base:1`/,
  ],
  ["no network", new Error("ENETUNREACH"), /^`wbuild pull near\.example\/base:1` fetches what is missing/],
  [
    "other bytes than the digest says",
    Buffer.alloc(bytes.length, "x"),
    /^try again.*`wbuild pull near\.example\/base:1`/,
  ],
];
for (const [name, answer, hint] of failures) {
  test(`${name}: registry, repository and digest are named, with what to try`, async (t) => {
    using home = makeHome();
    const { registry } = registries(answer === undefined ? {} : { "near.example": answer });
    const error = await t.throwsAsync(bringLayer(left(near), { store: home.store, registry }, { signal }), {
      instanceOf: WbuildError,
      code: "REG_FETCH",
    });
    t.true(error.message.startsWith(`layer ${layer.blob.digest} was left in near.example/base, `), error.message);
    t.regex(error.hint ?? "", hint);
    t.like(error.facts, { registry: "near.example", repository: "base", digest: layer.blob.digest });
    t.is(await home.store.blobs.has(layer.blob.digest), undefined, "nothing of it is kept");
  });
}

test("a build cache's name is no image to pull: what helps is to build again", async (t) => {
  using home = makeHome();
  for (const [given, hint] of [
    [{}, "build the image again"],
    [{ "near.example": new Error("ENETUNREACH") }, "try again when the registry gives it, or build the image again"],
  ] as const) {
    const claimed = { ...near, claimed: layer.diffId };
    const world = { store: home.store, ...registries(given) };
    await t
      .throwsAsync(bringLayer(left(claimed), world, { signal }), { code: "REG_FETCH" })
      .then((error) => t.is((error as WbuildError).hint, hint));
  }
});

test("one blob of two images that claim different diffIDs for it is two layers: what is right of one is not of the other", async (t) => {
  using home = makeHome();
  const { store } = home;
  const lie = { ...layer, diffId: named("another tar") };
  store.sources.note(layer.blob.digest, { ...near, claimed: layer.diffId });
  const found = await leftLayers(store, [imageOf(layer), imageOf(lie)]);
  t.is(found.length, 2);
  const world = { store, ...registries({ "near.example": bytes }) };
  await bringLayer(found[0] as LeftLayer, world, { signal });
  await t.throwsAsync(bringLayer(found[1] as LeftLayer, world, { signal }), { code: "IMG_LAYERS" });
});

test("a folder is looked into before any registry is asked; when neither gives it, the registry is told of", async (t) => {
  using home = makeHome();
  const { store } = home;
  store.sources.note(layer.blob.digest, near);
  store.sources.note(layer.blob.digest, { layout: home.path });
  const [found] = await leftLayers(store, [imageOf(layer)]);
  const gone = registries({});
  const world = { store, registry: gone.registry };
  await t.throwsAsync(bringLayer(found as LeftLayer, world, { signal }), { code: "REG_FETCH" });
  await bringLayer(found as LeftLayer, { store, ...registries({ "near.example": bytes }) }, { signal });
  t.is(await store.blobs.has(layer.blob.digest), bytes.length);
});

test("a full disk is told as it is, and no other place is asked", async (t) => {
  using home = makeHome();
  const { asked, registry } = registries({
    "near.example": new WbuildError("STORE_FULL", "full"),
    "far.example": bytes,
  });
  await t.throwsAsync(bringLayer(left(near, far), { store: home.store, registry }, { signal }), { code: "STORE_FULL" });
  t.is(asked.length, 1);
});

test("who stops it gets their own reason", async (t) => {
  using home = makeHome();
  const ended = new AbortController();
  const { registry } = registries({ "near.example": new Error("broken off") });
  ended.abort(new Error("enough"));
  const world = { store: home.store, registry };
  await t.throwsAsync(bringLayer(left(near, far), world, { signal: ended.signal }), { message: "enough" });
});

test("a build cache's word is proved once: a right one is remembered", async (t) => {
  using home = makeHome();
  const { store } = home;
  store.sources.note(layer.blob.digest, { ...near, claimed: layer.diffId });
  const [found] = await leftLayers(store, [imageOf(layer)]);
  await bringLayer(found as LeftLayer, { store, ...registries({ "near.example": bytes }) }, { signal });
  t.is(store.layers.byBlob(layer.blob.digest)?.uncompressedSize, tar.length);
  t.deepEqual(await leftLayers(store, [imageOf(layer)]), []);
});

test("a build cache's word is proved: a wrong one fails each time, also when the blob is here", async (t) => {
  using home = makeHome();
  const { store } = home;
  const lie = { ...layer, diffId: named("another tar") };
  store.sources.note(lie.blob.digest, { ...near, claimed: lie.diffId });
  const { asked, registry } = registries({ "near.example": bytes });
  for (let turn = 0; turn < 2; turn++) {
    const [found] = await leftLayers(store, [imageOf(lie)]);
    await t.throwsAsync(bringLayer(found as LeftLayer, { store, registry }, { signal }), { code: "IMG_LAYERS" });
  }
  t.is(asked.length, 1);
});

test("a base's layer is looked for under the base's name, then where it is noted", async (t) => {
  using home = makeHome();
  const { store } = home;
  store.sources.note(layer.blob.digest, far);
  const { asked, registry } = registries({ "far.example": bytes });
  const found = baseLayers({ store, registry }, signal)(near.reference, layer);
  t.is(found.reference, near.reference);
  t.deepEqual(await found.lasting(), near);
  await Promise.all([found.fetch(), found.fetch()]);
  t.deepEqual(asked, ["near.example/base", "far.example/base"]);
});

test("the store's own name of a base is asked of no registry when it is noted where the layer is", async (t) => {
  using home = makeHome();
  const { store } = home;
  const own = "docker.io/library/app:latest";
  const { asked, registry } = registries({ "docker.io": bytes, "far.example": bytes });
  store.refs.set(own, { mediaType: "x", digest: named("manifest"), size: 1 }, [layer.blob.digest]);
  const find = (): BaseLayer => baseLayers({ store, registry }, signal)(own, layer);
  t.is(await find().lasting(), undefined, "nothing to note: the name says nothing of a registry");
  store.sources.note(layer.blob.digest, far);
  t.is(find().reference, far.reference);
  t.deepEqual(await find().lasting(), far);
  await find().fetch();
  t.deepEqual(asked, ["far.example/base"]);
  t.is(sourceOf("wbuild.local/linux:latest"), undefined);
});
