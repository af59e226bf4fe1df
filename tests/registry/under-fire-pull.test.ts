/** Pulls under fire: what arrives is verified, what broke goes on, what is wrong is never in the store; and it is told. */
import { statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { openStore, type Store } from "../../layerfs/store/store.ts";
import { type ErrorCode, isWbuildError } from "../../native/error.ts";
import { openRegistry, type RegistryOptions } from "../../registry/client.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { fetchBlob, pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { complain, startFake } from "../doubles/fake-registry.ts";
import { type Fault, startFaultProxy } from "../doubles/fault-proxy.ts";
import { makeImage } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { clientFor } from "../doubles/registry-client.ts";
import { scratchFolder } from "../doubles/scratch.ts";
import { startTokenServer } from "../doubles/token-server.ts";

let real: RunningRegistry;
let image: Descriptor;
const size = 1_000_000;
const content = Buffer.alloc(size, "0123456789 layer ");
const blob = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(content), size };

test.before(async () => {
  real = await startRegistry();
  const from = new MemoryBlobs();
  const layers = ["a", "b", "c"].map((name) => ({ name, content: Buffer.alloc(100_000, `${name} of a layer `) }));
  image = await makeImage(from, { layers, compression: "none" });
  await using client = openRegistry({ userAgent: "wbuild-test/1", warn() {} });
  await pushImage(client, image, parseReference(`${real.host}/team/app:v1`), from);
  await client.repository(parseReference(`${real.host}/team/app`)).pushBlob(blob, async function* () {
    yield content;
  });
});
test.after.always(() => real?.close());

function open(t: ExecutionContext, host: string, options: Partial<RegistryOptions> = {}) {
  const client = clientFor(t, {
    fetchTimeoutMs: 30_000,
    ...options,
    retry: { attempts: 4, ...options.retry },
  });
  return { client, repository: client.repository(parseReference(`${host}/team/app`)) };
}

async function before(t: ExecutionContext, upstream: string) {
  const proxy = await startFaultProxy(upstream);
  t.teardown(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

function newStore(t: ExecutionContext): Store {
  const store = openStore(scratchFolder(t), { upkeep: false });
  t.teardown(() => store[Symbol.dispose]());
  return store;
}

/** Every blob of the store is what its name says. */
async function isSound(t: ExecutionContext, store: Store): Promise<void> {
  const { corrupt } = await store.verify();
  t.deepEqual(corrupt, []);
}

const partsOf = async (store: Store) =>
  (await readdir(join(store.home, "store-v1", "temp"))).filter((name) => name.endsWith(".part"));

const breaks: [title: string, fault: Fault][] = [
  ["before the head of the answer", { kind: "cut answer", at: -1 }],
  ["behind the head", { kind: "cut answer", at: 0 }],
  ["after the first byte", { kind: "cut answer", at: 1 }],
  ["in the middle", { kind: "cut answer", at: size / 2 }],
  ["before the last byte", { kind: "cut answer", at: size - 1 }],
  ["after the request", { kind: "cut request", at: Infinity }],
  ["by a clean end that comes too early", { kind: "shorten", at: 300_000 }],
  ["by silence in the middle", { kind: "stall", at: size / 2 }],
];
for (const [title, fault] of breaks)
  test(`a blob whose transfer breaks ${title} goes on there`, async (t) => {
    const proxy = await before(t, real.host);
    proxy.rules.push({ on: "GET /blobs/", fault });
    const store = newStore(t);
    const { repository } = open(t, proxy.host, fault.kind === "stall" ? { fetchTimeoutMs: 1500 } : {});
    await fetchBlob(repository, blob, store.blobs);
    t.is(await store.blobs.has(blob.digest), size);
    await isSound(t, store);
    t.is(proxy.received, size);
    t.deepEqual(await partsOf(store), []);
  });

test("a blob that only drips through comes, when it drips fast enough", async (t) => {
  const proxy = await before(t, real.host);
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "drip", bytes: 9999 } });
  const store = newStore(t);
  await fetchBlob(open(t, proxy.host).repository, blob, store.blobs);
  t.is(proxy.received, size);
});

test("a byte now and then is no transfer", async (t) => {
  let timer: NodeJS.Timeout | undefined;
  t.teardown(() => clearInterval(timer));
  await using drip = await startFake((_request, response) => {
    response.writeHead(200, { "content-length": String(size) });
    timer = setInterval(() => response.write("0"), 5);
  });
  const { repository } = open(t, drip.host, { fetchTimeoutMs: 100, retry: { attempts: 1 } });
  const error = await t.throwsAsync(fetchBlob(repository, blob, newStore(t).blobs), { code: "REG_TIMEOUT" } as object);
  t.regex(String(error), /fetch blob sha256:\w+ at .*team\/app/);
});

const overload: [title: string, fault: Fault][] = [
  ["429 with Retry-After", { kind: "answer", status: 429, headers: { "retry-after": "0" } }],
  ["429 without", { kind: "answer", status: 429 }],
  ["500", { kind: "answer", status: 500 }],
  ["502", { kind: "answer", status: 502, body: "<html>" }],
  ["503", { kind: "answer", status: 503 }],
  ["a broken connection", { kind: "cut answer", at: -1 }],
  ["a body that breaks off", { kind: "cut answer", at: 20 }],
];
for (const [title, fault] of overload)
  test(`an image comes whole through ${title}, everywhere and twice`, async (t) => {
    const proxy = await before(t, real.host);
    for (const on of ["GET /manifests/", "GET /blobs/"]) proxy.rules.push({ on, fault, times: 2 });
    const store = newStore(t);
    const { client } = open(t, proxy.host);
    const pulled = await pullImage(client, parseReference(`${proxy.host}/team/app:v1`), store.blobs, {
      choose: ([first]) => first,
    });
    t.is(pulled.descriptor.digest, image.digest);
    await isSound(t, store);
    for (const layer of pulled.layers) t.is(await store.blobs.has(layer.blob.digest), layer.blob.size);
  });

const flip = (body: Buffer) => Buffer.from(body.map((byte, i) => (i === 5000 ? byte ^ 1 : byte)));
const lies: [title: string, fault: Fault, code: ErrorCode][] = [
  ["one bit that changed", { kind: "change", how: flip }, "REG_DIGEST_MISMATCH"],
  ["zeros", { kind: "change", how: (body) => Buffer.alloc(body.length) }, "REG_DIGEST_MISMATCH"],
  ["a byte too many", { kind: "change", how: (body) => Buffer.concat([body, Buffer.from("!")]) }, "REG_SIZE_MISMATCH"],
  ["nothing", { kind: "shorten", at: 0 }, "REG_SIZE_MISMATCH"],
  [
    "another blob, as it says itself",
    { kind: "answer", status: 200, headers: { "docker-content-digest": digestOf("x") }, body: "x" },
    "REG_DIGEST_MISMATCH",
  ],
];
for (const [title, fault, code] of lies)
  test(`never in the store: ${title}`, async (t) => {
    const proxy = await before(t, real.host);
    proxy.rules.push({ on: "GET /blobs/", fault, times: 100 });
    const store = newStore(t);
    const error = await t.throwsAsync(fetchBlob(open(t, proxy.host).repository, blob, store.blobs), { code } as object);
    tellsWhatToTry(t, error, proxy.host);
    t.is(await store.blobs.has(blob.digest), undefined);
    await isSound(t, store);
  });

test("what an interrupted pull has got is not fetched again", async (t) => {
  const proxy = await before(t, real.host);
  const store = newStore(t);
  const { repository } = open(t, proxy.host, { retry: { attempts: 1 } });
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "cut answer", at: 600_000 } });
  await t.throwsAsync(fetchBlob(repository, blob, store.blobs), { code: "REG_UNREACHABLE" } as object);
  t.is((await partsOf(store)).length, 1);
  const seen: number[] = [];
  await fetchBlob(repository, blob, store.blobs, { onProgress: ({ done }) => seen.push(done) });
  t.is(proxy.received, size);
  t.is(seen[0], 600_000);
  t.deepEqual(await partsOf(store), []);
  await isSound(t, store);
});

const damages: [title: string, spoil: (path: string) => void, again: number][] = [
  ["has other bytes", (path) => writeFileSync(path, Buffer.alloc(600_000, "x")), size + 400_000],
  ["is longer than the blob", (path) => writeFileSync(path, Buffer.alloc(size + 1)), size],
  ["lost its end", (path) => truncateSync(path, 100_000), size - 100_000],
  ["is empty", (path) => truncateSync(path, 0), size],
  ["is whole", (path) => writeFileSync(path, content), 0],
  ["is as long, and wrong", (path) => writeFileSync(path, Buffer.alloc(size)), size],
];
for (const [title, spoil, again] of damages)
  test(`a kept part that ${title} does no harm`, async (t) => {
    const proxy = await before(t, real.host);
    const store = newStore(t);
    const { repository } = open(t, proxy.host, { retry: { attempts: 1 } });
    proxy.rules.push({ on: "GET /blobs/", fault: { kind: "cut answer", at: 600_000 } });
    await t.throwsAsync(fetchBlob(repository, blob, store.blobs));
    const [name = ""] = await partsOf(store);
    spoil(join(store.home, "store-v1", "temp", name));
    proxy.received = 0;
    await fetchBlob(repository, blob, store.blobs);
    t.is(proxy.received, again);
    await isSound(t, store);
  });

test("a part is kept for a day, then collected; a young one stays", async (t) => {
  const proxy = await before(t, real.host);
  const store = newStore(t);
  const { repository } = open(t, proxy.host, { retry: { attempts: 1 } });
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "cut answer", at: 5000 } });
  await t.throwsAsync(fetchBlob(repository, blob, store.blobs));
  await store.collect();
  const [name = ""] = await partsOf(store);
  const path = join(store.home, "store-v1", "temp", name);
  t.is(statSync(path).size, 5000);
  const old = Date.now() / 1000 - 25 * 3600;
  utimesSync(path, old, old);
  await store.collect();
  t.deepEqual(await partsOf(store), []);
});

test("several that pull the same blob at once all get it by one transfer, which goes on where it breaks", async (t) => {
  const proxy = await before(t, real.host);
  const store = newStore(t);
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "cut answer", at: 500_000 }, times: 3 });
  const other = openStore(store.home, { upkeep: false });
  t.teardown(() => other[Symbol.dispose]());
  const { repository } = open(t, proxy.host);
  await Promise.all([store, store, other].map(({ blobs }) => fetchBlob(repository, blob, blobs)));
  t.is(await store.blobs.has(blob.digest), size);
  t.is(proxy.received, size);
  await isSound(t, store);
});

test("416 to a range: the whole is fetched, and what is known is passed over", async (t) => {
  const proxy = await before(t, real.host);
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "cut answer", at: 400_000 } });
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "answer", status: 416 } });
  const store = newStore(t);
  await fetchBlob(open(t, proxy.host).repository, blob, store.blobs);
  await isSound(t, store);
  t.is(proxy.received, 400_000 + size);
});

test("refused: another range than asked", async (t) => {
  await using fake = await startFake((request, response) => {
    const headers = { "content-range": `bytes 5-${size - 1}/${size}`, "content-length": String(size - 5) };
    if (request.headers.range === undefined) response.writeHead(200, { "content-length": String(size) });
    else return response.writeHead(206, headers).end(content.subarray(5));
    return response.write(content.subarray(0, 100_000), () => response.destroy());
  });
  const store = newStore(t);
  const fetching = fetchBlob(open(t, fake.host).repository, blob, store.blobs);
  await t.throwsAsync(fetching, { code: "REG_PROTOCOL", message: /another range/ } as object);
  t.is(await store.blobs.has(blob.digest), undefined);
});

test("a token that ends in the middle of a transfer is replaced, and the transfer goes on", async (t) => {
  await using tokens = await startTokenServer();
  await using closed = await startRegistry({ token: tokens });
  const proxy = await before(t, closed.host);
  const { repository } = open(t, proxy.host);
  await repository.pushBlob(blob, async function* () {
    yield content;
  });
  const asked = tokens.asked.length;
  proxy.rules.push({ on: "GET /blobs/", fault: { kind: "cut answer", at: 400_000 } });
  const challenge = `Bearer realm="${tokens.realm}",service="${tokens.service}",scope="repository:team/app:pull"`;
  const expired = { kind: "answer", status: 401, headers: { "www-authenticate": challenge } } as const;
  proxy.rules.push({ on: "GET /blobs/", fault: expired });
  const store = newStore(t);
  await fetchBlob(repository, blob, store.blobs);
  t.is(proxy.received, size);
  t.true(tokens.asked.length > asked);
});

test("redirects in circles end, and say where", async (t) => {
  await using fake = await startFake((request, response) =>
    response.writeHead(307, { location: `${request.path}?again` }).end(),
  );
  const error = await t.throwsAsync(fetchBlob(open(t, fake.host).repository, blob, newStore(t).blobs), {
    code: "REG_PROTOCOL",
    message: /more than 5 redirects/,
  } as object);
  t.regex(String(error), /fetch blob sha256:\w+ at .*team\/app/);
});

test("a host that no name server knows", async (t) => {
  const { repository } = open(t, "registry.invalid", { hosts: undefined as never });
  const error = await t.throwsAsync(fetchBlob(repository, blob, newStore(t).blobs));
  if (!isWbuildError(error)) throw error;
  t.true(["REG_UNREACHABLE", "REG_TIMEOUT"].includes(error.code));
  tellsWhatToTry(t, error, "registry.invalid");
});

const nested = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
const wide = `{"schemaVersion":2,"manifests":[${"{},".repeat(500_000)}{}]}`;
const bombs: [title: string, body: string, code: ErrorCode][] = [
  ["nested without end", nested, "REG_MANIFEST"],
  ["with half a million entries", wide, "REG_MANIFEST"],
  ["larger than any", `{"x":"${"x".repeat(4 * 1024 * 1024)}"}`, "REG_MANIFEST"],
  ["cut off", '{"schemaVersion":2,"manifests":[', "REG_MANIFEST"],
  ["of nothing", "", "REG_MANIFEST"],
];
for (const [title, body, code] of bombs)
  test(`refused: a manifest ${title}`, async (t) => {
    await using fake = await startFake((request, response) => {
      if (request.path.includes("/tags/") || request.path.includes("/referrers/")) return response.end(body);
      return response.writeHead(200, { "content-type": mediaTypes.ociIndex }).end(body);
    });
    const { client } = open(t, fake.host);
    const store = newStore(t);
    const pull = pullImage(client, parseReference(`${fake.host}/team/app:v1`), store.blobs, {
      choose: ([first]) => first,
    });
    await t.throwsAsync(pull, { code } as object);
    const { repository } = open(t, fake.host);
    const failed = await Promise.allSettled([repository.tags(), repository.referrers(blob.digest)]);
    for (const { status, reason } of failed as { status: string; reason?: unknown }[])
      if (status === "rejected") t.true(isWbuildError(reason), String(reason));
  });

test("a registry that only complains is quoted, with what to try", async (t) => {
  await using fake = await startFake((_request, response) => complain(response, 503, "UNAVAILABLE", "back at noon"));
  const error = await t.throwsAsync(fetchBlob(open(t, fake.host).repository, blob, newStore(t).blobs), {
    code: "REG_UNAVAILABLE",
    message: /back at noon/,
  } as object);
  tellsWhatToTry(t, error, fake.host);
});

function tellsWhatToTry(t: ExecutionContext, error: unknown, host: string): void {
  if (!isWbuildError(error)) throw error;
  const { message, facts, hint } = error;
  t.true(message.includes(`${host}/team/app`), message);
  t.true(message.includes(blob.digest), message);
  t.is(facts.registry, host);
  t.is(facts.repository, "team/app");
  t.true((hint ?? "").length > 0, message);
}
