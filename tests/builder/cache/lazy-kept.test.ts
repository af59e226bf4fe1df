/** Lazy builds with cached steps: which layers come for which output, where the others stay, and what is told when they cannot be had. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { BuildRequest } from "../../../builder/build-request.ts";
import type { CacheSource, CacheTarget } from "../../../builder/cache/spec.ts";
import { bringImages } from "../../../builder/image/move/bring-images.ts";
import { leftLayers } from "../../../builder/image/stored/left-layers.ts";
import { findImage, listImages } from "../../../builder/image/stored/local.ts";
import { type Digest, digestOf } from "../../../layerfs/store/digest.ts";
import type { BlobSource } from "../../../layerfs/store/sources.ts";
import { openStore, type Store } from "../../../layerfs/store/store.ts";
import { type Built, runBuild, usualRequest } from "../../doubles/builds.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { startFaultProxy } from "../../doubles/fault-proxy.ts";
import { type GhaDouble, startGha } from "../../doubles/gha-cache.ts";
import { clientFor } from "../../doubles/registry-client.ts";

const lines = ["FROM scratch", "COPY a /a", "COPY b /b"];

interface Machine {
  readonly store: Store;
  readonly warnings: string[];
  build(more?: Partial<BuildRequest>): Promise<Built>;
  /** Digests of the layers of `app`, the lowest first. */
  layers(): Promise<Digest[]>;
  /** Those of them that the store has. */
  here(): Promise<Digest[]>;
  /** Where they can be had, for each. */
  sources(): Promise<BlobSource[][]>;
  /** Makes `app` whole. */
  bring(): Promise<void>;
}

/** So many bytes that no compressor makes small that a layer of them has several parts on its way. */
function noise(seed: string): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < 12_000; i++) parts.push(createHash("sha256").update(`${seed}${i}`).digest());
  return Buffer.concat(parts);
}

/** Machines that share a context and nothing else. */
function machines(t: ExecutionContext): { readonly folder: string; machine(): Machine } {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-test-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const context = join(folder, "context");
  mkdirSync(context);
  for (const name of ["a", "b"]) writeFileSync(join(context, name), noise(name));
  writeFileSync(join(folder, "Dockerfile"), lines.join("\n"));
  const { signal } = new AbortController();
  let count = 0;
  return {
    folder,
    machine() {
      const store = openStore(join(folder, `home${count++}`), { upkeep: false });
      t.teardown(() => store[Symbol.dispose]());
      const warnings: string[] = [];
      const image = () => findImage(store, "app");
      const layers = async () => (await image()).manifest.layers.map(({ digest }) => digest);
      return {
        store,
        warnings,
        async build(more = {}) {
          const built = await runBuild(store, {
            ...{ ...usualRequest, context, dockerfile: join(folder, "Dockerfile"), tags: ["app"] },
            ...more,
          });
          warnings.push(...built.warnings);
          return built;
        },
        layers,
        async here() {
          const found: Digest[] = [];
          for (const digest of await layers()) if ((await store.blobs.has(digest)) !== undefined) found.push(digest);
          return found;
        },
        sources: async () => (await layers()).map((digest) => store.sources.find(digest)),
        bring: async () =>
          bringImages([await image()], {
            ...{ store, signal },
            registry: async () => clientFor(t),
            report: async () => () => undefined,
          }),
      };
    },
  };
}

const form = { imageManifest: true, ociMediaTypes: true } as const;
const usual = { mode: "max", ignoreError: false } as const;

interface LocalCache {
  readonly dest: string;
  readonly from: CacheSource;
  readonly to: CacheTarget;
  blob(digest: string): string;
}

function localCache(folder: string, name = "cache"): LocalCache {
  const dest = join(folder, name);
  return {
    dest,
    from: { type: "local", src: dest, tag: "latest" },
    to: { type: "local", dest, tag: "latest", ...usual, ...form },
    blob: (digest) => join(dest, "blobs/sha256", digest.slice("sha256:".length)),
  };
}

async function ghaCache(t: ExecutionContext): Promise<{ double: GhaDouble; from: CacheSource; to: CacheTarget }> {
  const double = await startGha();
  t.teardown(() => double[Symbol.asyncDispose]());
  const { url, token } = double;
  const service = { version: 2, url, urlV2: url, token, scope: "main", timeoutMs: 60_000 } as const;
  return { double, from: { type: "gha", ...service }, to: { type: "gha", ...service, ...usual } };
}

/** Entries of layers that were downloaded so far. */
function downloadsOf({ requests, entries }: GhaDouble): string[] {
  return requests.flatMap((request) => {
    const key = entries[Number(/ \/storage\/down\/(\d+)/.exec(request)?.[1] ?? -1)]?.key;
    return key?.startsWith("wbuild-blob-") ? [key] : [];
  });
}

async function registry(t: ExecutionContext) {
  const running = await startRegistry();
  t.teardown(() => running.close());
  return running;
}

test("local: a kept image does without layers of the folder, and has them from there when somebody needs them", async (t) => {
  const { folder, machine } = machines(t);
  const { dest, from, to } = localCache(folder);
  const first = await machine().build({ cacheTo: [to] });
  const two = machine();
  const second = await two.build({ lazy: true, cacheFrom: [from] });
  t.deepEqual([second.ran, second.imageId], [[], first.imageId]);
  t.deepEqual(await two.here(), []);
  for (const [source] of await two.sources()) t.like(source, { layout: dest });
  const [row] = await listImages(two.store);
  t.true((row?.elsewhereBytes ?? 0) > 0);
  await two.store.collect({ all: true });
  await two.bring();
  t.deepEqual(await two.here(), await two.layers());
  await rm(dest, { recursive: true });
  await two.bring();
  t.deepEqual(await leftLayers(two.store, [await findImage(two.store, "app")]), [], "what came stays");
});

test("local: a folder that is gone is named with what to try, and the next build carries the steps out", async (t) => {
  const { folder, machine } = machines(t);
  const { dest, from, to } = localCache(folder);
  await machine().build({ cacheTo: [to] });
  const two = machine();
  await two.build({ lazy: true, cacheFrom: [from] });
  await rename(dest, `${dest}-elsewhere`);
  const error = await t.throwsAsync(two.bring(), { code: "IMG_INCOMPLETE" });
  for (const part of ["was left in the build cache", dest]) t.true(error?.message.includes(part), error?.message);
  t.deepEqual(await two.here(), []);
  t.is((await listImages(two.store)).length, 1, "it is still told of");
  await rename(`${dest}-elsewhere`, dest);
  await two.bring();

  const three = machine();
  await three.build({ lazy: true, cacheFrom: [from] });
  await rm(dest, { recursive: true });
  t.deepEqual((await three.build({ lazy: true, cacheFrom: [from] })).ran, ["COPY a /a", "COPY b /b"]);
  await three.bring();
  t.deepEqual(await three.here(), await three.layers());
});

test("local: other bytes than the digest says are never the layer", async (t) => {
  const { folder, machine } = machines(t);
  const { blob, from, to } = localCache(folder);
  await machine().build({ cacheTo: [to] });
  const two = machine();
  await two.build({ lazy: true, cacheFrom: [from] });
  const [lowest = "" as Digest] = await two.layers();
  const good = await readFile(blob(lowest));
  await rm(blob(lowest));
  await writeFile(blob(lowest), Buffer.alloc(good.length, "x"));
  await t.throwsAsync(two.bring(), { code: "IMG_INCOMPLETE", message: /wrong content/ });
  t.false((await two.here()).includes(lowest));

  const three = machine();
  const built = await three.build({ cacheFrom: [from] });
  t.deepEqual(built.ran, ["COPY a /a"], "a build that needs the bytes finds out by itself");
  t.regex(three.warnings.join(), /cannot be used/);
});

test("local: a layer that the folder has lost before the build is made again; another folder that has it is noted instead", async (t) => {
  const { folder, machine } = machines(t);
  const one = localCache(folder, "one");
  const other = localCache(folder, "other");
  const first = machine();
  await first.build({ cacheTo: [one.to, other.to] });
  const [lowest = ""] = await first.layers();
  await rm(one.blob(lowest));
  const two = machine();
  t.deepEqual((await two.build({ lazy: true, cacheFrom: [one.from, other.from] })).ran, []);
  const [noted] = await two.sources();
  t.deepEqual(
    noted?.map((source) => "layout" in source && source.layout),
    [other.dest],
  );
  t.is(two.warnings.length, 1, two.warnings.join("\n"));
  await two.bring();

  const three = machine();
  t.deepEqual((await three.build({ lazy: true, cacheFrom: [one.from] })).ran, ["COPY a /a"]);
  t.is(three.warnings.length, 1, three.warnings.join("\n"));
});

test("gha: a kept image has its layers when the build is over: the cache is open to the job alone", async (t) => {
  const { machine } = machines(t);
  const { double, from, to } = await ghaCache(t);
  await machine().build({ cacheTo: [to] });
  const two = machine();
  t.deepEqual((await two.build({ lazy: true, cacheFrom: [from] })).ran, []);
  t.is((await two.here()).length, 2);
  t.is(downloadsOf(double).length, 2);
});

test("gha: what a step reads that is carried out comes, also where nothing is kept, and nothing else", async (t) => {
  const { folder, machine } = machines(t);
  const { double, from, to } = await ghaCache(t);
  const one = machine();
  await one.build({ cacheTo: [to] });
  const [lowest] = await one.layers();
  writeFileSync(join(folder, "context/b"), "changed");
  const two = machine();
  const nowhere = [{ type: "cacheonly" }] as const;
  t.deepEqual((await two.build({ lazy: true, cacheFrom: [from], outputs: nowhere })).ran, ["COPY b /b"]);
  t.deepEqual(downloadsOf(double), [`wbuild-blob-1-${lowest}`]);
});

test("gha: what is pushed where its layers are needs no bytes, and a kept image has them from there", async (t) => {
  const { machine } = machines(t);
  const { double, from, to } = await ghaCache(t);
  const { host } = await registry(t);
  const tags = ["app", `${host}/team/app:1`];
  await machine().build({ cacheTo: [to], tags: [`${host}/team/app:0`], push: true });
  const two = machine();
  const built = await two.build({ lazy: true, cacheFrom: [from], tags: [`${host}/team/app:1`], push: true });
  t.deepEqual(built.ran, []);
  t.deepEqual(downloadsOf(double), []);
  two.store.refs.set("docker.io/library/app:latest", built.manifest, two.store.refs.list()[0]?.keeps ?? []);
  t.deepEqual(await two.here(), []);
  for (const found of await two.sources()) t.like(found, [{ reference: tags[1] }]);
  double.entries.splice(0);
  await two.bring();
  t.deepEqual(await two.here(), await two.layers());
});

test("gha: what the target lacks is sent there; a push that fails leaves no name without layers", async (t) => {
  const { machine } = machines(t);
  const { double, from, to } = await ghaCache(t);
  const { host, close } = await registry(t);
  await machine().build({ cacheTo: [to] });
  const two = machine();
  await two.build({ lazy: true, cacheFrom: [from], tags: [`${host}/team/app:1`], push: true });
  t.is(downloadsOf(double).length, 2, "each once");
  const pushed = (await manifestIn(host)).layers.map(({ digest }) => digest);
  t.is(pushed.length, 2);
  for (const digest of pushed) t.is(await two.store.blobs.has(digest), undefined, "nothing of it is kept");
  await close();
  const three = machine();
  await t.throwsAsync(three.build({ lazy: true, cacheFrom: [from], tags: [`${host}/team/app:1`], push: true }));
  t.deepEqual(three.store.refs.list(), []);
});

test("local: a push adds the registry to the places where a kept image's layers can be had", async (t) => {
  const { folder, machine } = machines(t);
  const { dest, from, to } = localCache(folder);
  const { host } = await registry(t);
  const name = `${host}/team/app:1`;
  await machine().build({ cacheTo: [to], tags: [name], push: true });
  const two = machine();
  const built = await two.build({ lazy: true, cacheFrom: [from], tags: [name], push: true });
  await rm(dest, { recursive: true });
  two.store.refs.set("docker.io/library/app:latest", built.manifest, two.store.refs.list()[0]?.keeps ?? []);
  t.deepEqual(await two.here(), []);
  await two.bring();
  t.deepEqual(await two.here(), await two.layers());
});

test("a layer that passes by to the target goes on through the store when its upload breaks", async (t) => {
  const { machine } = machines(t);
  const { from, to } = await ghaCache(t);
  const { host } = await registry(t);
  await using proxy = await startFaultProxy(host);
  const one = machine();
  await one.build({ cacheTo: [to] });
  // Two layers and a configuration, which is shorter than that.
  proxy.rules.push({ on: "PUT /uploads/", fault: { kind: "cut request", at: 100_000 }, times: 3 });
  const two = machine();
  const name = `${proxy.host}/team/app:1`;
  t.deepEqual((await two.build({ lazy: true, cacheFrom: [from], tags: [name], push: true })).ran, []);
  t.is(proxy.rules[0]?.times, 0);
  const pushed = (await manifestIn(host)).layers.map(({ digest }) => digest);
  t.deepEqual(pushed, await one.layers());
  const kept = await Promise.all(pushed.map((digest) => two.store.blobs.has(digest)));
  t.true(
    kept.some((size) => size !== undefined),
    "what broke was brought",
  );
});

test("the wrong diffID of a layer that passes by is found out before the target has it", async (t) => {
  const { folder, machine } = machines(t);
  const cache = localCache(folder);
  const { from, to } = cache;
  const { host } = await registry(t);
  const one = machine();
  await one.build({ cacheTo: [to] });
  await lieAboutDiffIds(cache);
  const two = machine();
  const tags = [`${host}/team/app:1`];
  const built = await two.build({ lazy: true, cacheFrom: [from], tags, push: true });
  t.deepEqual(built.ran, ["COPY a /a", "COPY b /b"]);
  t.regex(two.warnings.join("\n"), /its diffID is not/);
  const pushed = (await manifestIn(host)).layers.map(({ digest }) => digest);
  t.deepEqual(pushed, await one.layers());
});

const liars: Readonly<Record<string, (double: GhaDouble) => void>> = {
  "gives other bytes": ({ entries }) => {
    for (const entry of entries)
      if (entry.key.startsWith("wbuild-blob-")) entry.bytes = Buffer.alloc(entry.bytes.length);
  },
  "has dropped the entry since it was asked for it": (double) => {
    double.misbehave = ({ path }) => {
      if (!path.startsWith("/storage/down/") || !double.entries[Number(path.split(/[/?]/)[3])]?.key.includes("blob"))
        return false;
      for (const entry of double.entries.filter(({ key }) => key.includes("blob"))) entry.bytes = Buffer.alloc(0);
      double.entries.splice(0);
      return false;
    };
  },
};
const pushes: Readonly<Record<string, Partial<BuildRequest>>> = {
  "--lazy --push": { lazy: true, push: true },
  "-o type=registry": { outputs: [{ type: "registry", names: [] }] },
};
for (const [what, lie, flags] of Object.entries(liars).flatMap(([what, lie]) =>
  Object.keys(pushes).map((flags) => [what, lie, flags] as const),
))
  test(`gha, ${flags}: a cache that ${what} when a push needs them is done without, and the layers are the same`, async (t) => {
    const { machine } = machines(t);
    const { double, from, to } = await ghaCache(t);
    const { host } = await registry(t);
    const one = machine();
    await one.build({ cacheTo: [to] });
    lie(double);
    const two = machine();
    const built = await two.build({ cacheFrom: [from], tags: [`${host}/team/app:1`], ...pushes[flags] });
    t.true(built.ran.length > 0);
    t.regex(two.warnings.join("\n"), /of the cache GitHub Actions .* cannot be used/);
    const pushed = (await manifestIn(host)).layers.map(({ digest }) => digest);
    t.deepEqual(pushed, await one.layers());
    const repository = clientFor(t).repository({ registry: host, repository: "team/app" });
    for (const digest of pushed) t.true(await repository.hasBlob(digest));
  });

/** The cache gives every layer the diffID of another. */
async function lieAboutDiffIds({ dest, blob }: LocalCache): Promise<void> {
  type Named = { digest: string; size: number };
  const index = JSON.parse(await readFile(join(dest, "index.json"), "utf8")) as { manifests: [Named] };
  const [entry] = index.manifests;
  const manifest = JSON.parse(await readFile(blob(entry.digest), "utf8")) as { config: Named };
  const config = await readFile(blob(manifest.config.digest), "utf8");
  const put = async (text: string): Promise<Named> => {
    await writeFile(blob(digestOf(text)), text);
    return { digest: digestOf(text), size: Buffer.byteLength(text) };
  };
  const lie = config.replace(/"diffID":"sha256:[0-9a-f]{64}"/g, `"diffID":"${digestOf("lie")}"`);
  Object.assign(manifest.config, await put(lie));
  Object.assign(entry, await put(JSON.stringify(manifest)));
  await writeFile(join(dest, "index.json"), JSON.stringify(index));
}

async function manifestIn(host: string): Promise<{ layers: { digest: Digest }[] }> {
  const headers = { accept: "application/vnd.oci.image.manifest.v1+json" };
  const response = await fetch(`http://${host}/v2/team/app/manifests/1`, { headers });
  return (await response.json()) as { layers: { digest: Digest }[] };
}
