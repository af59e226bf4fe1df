/** Every kind of place holds what was written to it: written by one store, read by another. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type BuildCache, openBuildCache } from "../../../builder/cache/build-cache.ts";
import type { CacheSource, CacheTarget, GhaService } from "../../../builder/cache/spec.ts";
import type { ResultRecord } from "../../../builder/solve/cache.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import type { Store } from "../../../layerfs/store/store.ts";
import { isWbuildError } from "../../../native/error.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { type GhaDouble, startGha } from "../../doubles/gha-cache.ts";
import { clientFor } from "../../doubles/registry-client.ts";
import { scratchStore } from "../../doubles/scratch.ts";

const common = { mode: "max", ignoreError: false } as const;
const form = { imageManifest: true, ociMediaTypes: true } as const;

interface Machine {
  readonly store: Store;
  readonly warnings: string[];
  open(from: readonly CacheSource[], to?: readonly CacheTarget[]): BuildCache;
}

function machine(t: ExecutionContext): Machine {
  const store = scratchStore(t);
  const warnings: string[] = [];
  const signal = AbortSignal.timeout(60_000);
  const client = clientFor(t);
  return {
    store,
    warnings,
    open: (from, to = []) =>
      openBuildCache(from, to, {
        store,
        signal,
        registry: async () => client,
        report: () => undefined,
        warn: (text) => warnings.push(text),
      }),
  };
}

/** A result whose layer is these bytes. */
async function recordOf(store: Store, name: string, bytes: Uint8Array): Promise<ResultRecord> {
  const blob = await store.blobs.put(bytes, { mediaType: "application/vnd.oci.image.layer.v1.tar+zstd" });
  const definition = digestOf(`definition ${name}`);
  return {
    op: digestOf(`op ${name}`),
    definition,
    keys: [definition, digestOf(`content ${name}`)],
    layer: { blob, diffId: digestOf(bytes) },
    createdMs: 1_700_000_000_123,
  };
}

async function exportAll(cache: BuildCache, all: readonly ResultRecord[]): Promise<void> {
  await cache.export({ inImage: all, all });
  await cache.close();
}

async function gha(t: ExecutionContext, version: 1 | 2): Promise<{ double: GhaDouble; service: GhaService }> {
  const double = await startGha();
  t.teardown(() => double[Symbol.asyncDispose]());
  const { url, token } = double;
  return { double, service: { version, url, urlV2: url, token, scope: "main, and more", timeoutMs: 60_000 } };
}

type Place = { from: CacheSource; to: CacheTarget };

const places: Readonly<Record<string, (t: ExecutionContext) => Promise<Place>>> = {
  async registry(t) {
    const { host, close } = await startRegistry();
    t.teardown(close);
    const ref = `${host}/team/app:cache`;
    return { from: { type: "registry", ref }, to: { type: "registry", ref, ...common, ...form } };
  },
  async "registry, as an index"(t) {
    const { host, close } = await startRegistry();
    t.teardown(close);
    const ref = `${host}/team/app:cache`;
    const index = { imageManifest: false, ociMediaTypes: true };
    return { from: { type: "registry", ref }, to: { type: "registry", ref, ...common, ...index } };
  },
  async local(t) {
    const dest = mkdtempSync(join(tmpdir(), "wbuild-test-"));
    t.teardown(() => rmSync(dest, { recursive: true, force: true }));
    return { from: { type: "local", src: dest, tag: "x" }, to: { type: "local", dest, tag: "x", ...common, ...form } };
  },
  async "gha, version 1"(t) {
    const { service } = await gha(t, 1);
    return { from: { type: "gha", ...service }, to: { type: "gha", ...service, ...common } };
  },
  async "gha, version 2"(t) {
    const { service } = await gha(t, 2);
    return { from: { type: "gha", ...service }, to: { type: "gha", ...service, ...common } };
  },
};

for (const [name, open] of Object.entries(places)) {
  test(`${name}: what one store exports another finds, and fetches only when it is asked to`, async (t) => {
    const { from, to } = await open(t);
    const one = machine(t);
    const small = await recordOf(one.store, "small", Buffer.from("small"));
    // More than one piece of an upload.
    const large = await recordOf(one.store, "large", Buffer.alloc(40 << 20, "large "));
    await exportAll(one.open([], [to]), [small]);
    await exportAll(one.open([], [to]), [small, large]);

    const two = machine(t);
    const cache = two.open([from]);
    const imports = await cache.imported();
    t.deepEqual(two.warnings, []);
    for (const record of [small, large]) {
      t.true(imports?.knows(record.op));
      for (const key of record.keys) {
        const found = imports?.find(key);
        t.deepEqual(found?.layer.blob.digest, record.layer.blob.digest);
        t.is(found?.layer.diffId, record.layer.diffId);
        t.is(found?.createdMs, record.createdMs);
        t.is(found?.definition, record.definition);
      }
      const { remote } = imports?.find(record.definition) ?? {};
      await remote?.check?.();
      t.is(await two.store.blobs.has(record.layer.blob.digest), undefined);
      await remote?.fetch();
      t.is(await two.store.blobs.has(record.layer.blob.digest), record.layer.blob.size);
    }
    t.false(imports?.knows(digestOf("op of nobody")));
    t.is(imports?.find(digestOf("nothing")), undefined);
    await cache.close();
  });

  test(`${name}: a place without a cache is told of, and is no failure`, async (t) => {
    const { from } = await open(t);
    const { open: openCache, warnings } = machine(t);
    const cache = openCache([from]);
    t.false((await cache.imported())?.knows(digestOf("op")) ?? true);
    t.is(warnings.length, 1, warnings.join("\n"));
    t.regex(warnings[0] ?? "", /^there is no cache .* yet$/);
    await cache.close();
  });
}

test("a damaged blob is told of once, and its result is not known any more", async (t) => {
  const { from, to } = await (places.local as NonNullable<typeof places.local>)(t);
  const one = machine(t);
  const record = await recordOf(one.store, "x", Buffer.from("right"));
  await exportAll(one.open([], [to]), [record]);
  const { digest } = record.layer.blob;
  const path = join(from.type === "local" ? from.src : "", "blobs/sha256", digest.slice("sha256:".length));
  writeFileSync(path, "wrong");

  const two = machine(t);
  const cache = two.open([from]);
  const imports = await cache.imported();
  const found = imports?.find(record.definition);
  const failures = await Promise.allSettled([found?.remote.fetch(), found?.remote.fetch()]);
  t.deepEqual(
    failures.map((one) => one.status === "rejected" && isWbuildError(one.reason, "CACHE_LOST")),
    [true, true],
  );
  t.is(imports?.find(record.definition), undefined);
  t.is(cache.lost, 1);
  t.is(two.warnings.length, 1, two.warnings.join("\n"));
  t.is(await two.store.blobs.has(digest), undefined);
  await cache.close();
});

test("of two places that know a result the first one gives it; the second one steps in when a blob is lost", async (t) => {
  const [first, second] = [
    await (places.local as NonNullable<typeof places.local>)(t),
    await (places.local as NonNullable<typeof places.local>)(t),
  ];
  const one = machine(t);
  const record = await recordOf(one.store, "x", Buffer.from("right"));
  await exportAll(one.open([], [first.to, second.to]), [record]);
  const { digest } = record.layer.blob;
  rmSync(join(first.from.type === "local" ? first.from.src : "", "blobs/sha256", digest.slice("sha256:".length)));
  const two = machine(t);
  const cache = two.open([first.from, second.from]);
  await (await cache.imported())?.find(record.definition)?.remote.fetch();
  t.is(await two.store.blobs.has(digest), 5);
  await cache.close();
});

test("min exports what is in the image, max what any step made", async (t) => {
  const { to } = await (places.local as NonNullable<typeof places.local>)(t);
  const { store, open } = machine(t);
  const inImage = await recordOf(store, "in", Buffer.from("in"));
  const beside = await recordOf(store, "beside", Buffer.from("beside"));
  for (const [mode, count] of [
    ["min", 1],
    ["max", 2],
  ] as const) {
    const cache = open([], [{ ...to, mode } as CacheTarget]);
    await cache.export({ inImage: [inImage], all: [inImage, beside] });
    await cache.close();
    const again = open([
      to.type === "local" ? { type: "local", src: to.dest, tag: to.tag } : { type: "registry", ref: "" },
    ]);
    const imports = await again.imported();
    t.is([inImage, beside].filter((record) => imports?.find(record.definition)).length, count, mode);
    await again.close();
  }
});

test("a layout keeps caches of other tags, and gets a layer once", async (t) => {
  const { to } = await (places.local as NonNullable<typeof places.local>)(t);
  if (to.type !== "local") return t.fail();
  const { store, open } = machine(t);
  const record = await recordOf(store, "x", Buffer.from("x"));
  await exportAll(open([], [to]), [record]);
  await exportAll(open([], [{ ...to, tag: "other" }]), [record]);
  await exportAll(open([], [to]), [record]);
  const index = JSON.parse(await readFile(join(to.dest, "index.json"), "utf8")) as {
    manifests: { annotations: object }[];
  };
  t.deepEqual(index.manifests.map(({ annotations }) => Object.values(annotations)).sort(), [["other"], ["x"]]);
  // The layer, the configuration and the manifest: the same bytes for both tags.
  t.is((await readdir(join(to.dest, "blobs/sha256"))).length, 3);
  return undefined;
});

const garbage: readonly (readonly [what: string, text: string])[] = [
  ["no JSON", "{"],
  ["a list", "[]"],
  ["depth", `{"records":${"[".repeat(10_000)}`],
  ["records that are none", '{"layers":7,"records":{}}'],
];
for (const [what, text] of garbage)
  test(`an index of a layout that is ${what} is a warning`, async (t) => {
    const src = mkdtempSync(join(tmpdir(), "wbuild-test-"));
    t.teardown(() => rmSync(src, { recursive: true, force: true }));
    await writeFile(join(src, "index.json"), text);
    const { open, warnings } = machine(t);
    const cache = open([{ type: "local", src, tag: "latest" }]);
    await cache.imported();
    t.is(warnings.length, 1, warnings.join("\n"));
    await cache.close();
  });

for (const version of [1, 2] as const) {
  test(`gha, version ${version}: overload and broken downloads are tried again, and the token is told to nobody`, async (t) => {
    const { double, service } = await gha(t, version);
    const one = machine(t);
    const record = await recordOf(one.store, "x", Buffer.alloc(3 << 20, "x"));
    const seen = new Set<string>();
    double.misbehave = ({ method, path }, response) => {
      const what = `${method} ${path.replace(/\d+/g, "N")}`;
      if (seen.has(what)) return false;
      seen.add(what);
      response.writeHead(503, { "retry-after": "0" }).end(`busy, ${double.token}`);
      return true;
    };
    await exportAll(one.open([], [{ type: "gha", ...service, ...common }]), [record]);
    t.is(double.entries.length, 2);

    const two = machine(t);
    const cache = two.open([{ type: "gha", ...service }]);
    await (await cache.imported())?.find(record.definition)?.remote.fetch();
    t.is(await two.store.blobs.has(record.layer.blob.digest), 3 << 20);
    t.deepEqual(two.warnings, []);
    await cache.close();

    double.misbehave = (_, response) => {
      response.writeHead(403).end(`no: ${double.token}`);
      return true;
    };
    const three = machine(t);
    const refused = three.open([{ type: "gha", ...service }], [{ type: "gha", ...service, ...common }]);
    await refused.imported();
    const error = await t.throwsAsync(refused.export({ inImage: [record], all: [record] }));
    t.true(isWbuildError(error, "CACHE_EXPORT"));
    t.regex(three.warnings[0] ?? "", /403/);
    t.false(`${three.warnings.join()} ${error?.message} ${error?.stack}`.includes(double.token));
    await refused.close();
  });

  test(`gha, version ${version}: a blob that the service has is not sent again`, async (t) => {
    const { double, service } = await gha(t, version);
    const { store, open } = machine(t);
    const record = await recordOf(store, "x", Buffer.from("x"));
    const to: CacheTarget = { type: "gha", ...service, ...common };
    await exportAll(open([], [to]), [record]);
    await exportAll(open([], [to]), [record]);
    t.is(double.entries.filter(({ key }) => key.includes("blob")).length, 1);
    t.is(double.entries.filter(({ key }) => key.startsWith("index-")).length, 2);
  });
}

test("gha: addresses of storage that are no addresses, or without TLS where the service has it, are refused", async (t) => {
  const { double, service } = await gha(t, 2);
  for (const url of ["", "file:///etc/passwd", "javascript:1", "nonsense"]) {
    double.misbehave = (_, response) => {
      response
        .writeHead(200)
        .end(JSON.stringify({ ok: true, signed_download_url: url, matched_key: "index-wbuild-1-x#1-1" }));
      return true;
    };
    const { open, warnings } = machine(t);
    const cache = open([{ type: "gha", ...service }]);
    await cache.imported();
    t.regex(warnings[0] ?? "", /no usable address/, url);
    await cache.close();
  }
});
