/** Pushes under fire: a proxy that harms stands before registries that keep parts of an upload, and ones that do not. */
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError, type WbuildError } from "../../native/error.ts";
import type { RegistryOptions } from "../../registry/client.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { parseReference } from "../../registry/reference.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { type Fault, type ProxyOptions, startFaultProxy } from "../doubles/fault-proxy.ts";
import { clientFor } from "../doubles/registry-client.ts";
import { type SpecOptions, startSpecRegistry } from "../doubles/spec-registry.ts";
import { startTokenServer } from "../doubles/token-server.ts";

let real: RunningRegistry;
test.before(async () => {
  real = await startRegistry();
});
test.after.always(() => real?.close());

const size = 1_000_000;
const chunkBytes = 200_000;
let made = 0;

/** Bytes that no other test pushes. */
function freshBlob() {
  const content = Buffer.alloc(size, `blob ${++made} of ${process.pid} `);
  return { content, blob: { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(content), size } };
}

async function* bytesOf(content: Uint8Array, from = 0): AsyncGenerator<Uint8Array> {
  for (let at = from; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
}

function open(t: ExecutionContext, host: string, options: Partial<RegistryOptions> = {}) {
  const client = clientFor(t, {
    fetchTimeoutMs: 30_000,
    chunkBytes,
    ...options,
    retry: { attempts: 4, ...options.retry },
  });
  return client.repository(parseReference(`${host}/team/app`));
}

async function before(t: ExecutionContext, upstream: string, options?: ProxyOptions) {
  const proxy = await startFaultProxy(upstream, options);
  t.teardown(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function specRegistry(t: ExecutionContext, options?: SpecOptions) {
  const registry = await startSpecRegistry(options);
  t.teardown(() => registry[Symbol.asyncDispose]());
  return registry;
}

const regions: [title: string, at: number][] = [
  ["before its header is passed on", -1],
  ["behind its header", 0],
  ["after the first byte", 1],
  ["in the middle", size / 2],
  ["before the last byte", size - 1],
  ["after the last byte, before the answer", Infinity],
];

for (const [title, at] of regions)
  test(`a push that breaks ${title} goes on where the registry has got to`, async (t) => {
    const registry = await specRegistry(t);
    const proxy = await before(t, registry.host);
    const { content, blob } = freshBlob();
    proxy.rules.push({ on: "PUT /up/", fault: { kind: "cut request", at } });
    t.is(await open(t, proxy.host).pushBlob(blob, () => bytesOf(content)), "sent");
    t.deepEqual(registry.blobs.get(blob.digest), content);
    // One byte alone cannot be told from none, so that one is sent again.
    t.is(proxy.sent, at === 1 ? size + 1 : size);
  });

for (const [title, at] of regions)
  test(`docker-registry forgets a push that breaks ${title}: it begins anew, and whole pieces behind a proxy count`, async (t) => {
    const proxy = await before(t, real.host);
    const { content, blob } = freshBlob();
    proxy.rules.push({ on: "PUT /blobs/uploads/", fault: { kind: "cut request", at } });
    const repository = open(t, proxy.host);
    t.is(await repository.pushBlob(blob, () => bytesOf(content)), "sent");
    t.true(await repository.hasBlob(blob.digest));
    t.is(proxy.sent, at < 0 ? size : at === Infinity ? size : size + at);
  });

test("docker-registry behind a proxy that passes on whole requests: a broken piece is sent again, and no other", async (t) => {
  const proxy = await before(t, real.host, { holds: true });
  const { content, blob } = freshBlob();
  proxy.rules.push({ on: "PUT /blobs/uploads/", fault: { kind: "cut request", at: 10 } });
  // Of five pieces the first breaks in its middle; the registry has seen nothing of it.
  proxy.rules.push({ on: "PATCH /blobs/uploads/", fault: { kind: "answer", status: 503 } });
  proxy.rules.push({ on: "PATCH /blobs/uploads/", fault: { kind: "cut request", at: 150_000 } });
  const repository = open(t, proxy.host);
  t.is(await repository.pushBlob(blob, () => bytesOf(content)), "sent");
  t.true(await repository.hasBlob(blob.digest));
  t.is(proxy.requests.filter((line) => line.startsWith("PATCH")).length, 2 + size / chunkBytes);
  t.is(proxy.sent, 10 + 150_000 + size);
});

test("break after break, each brings the push forward", async (t) => {
  const registry = await specRegistry(t);
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  proxy.rules.push({ on: "PUT /up/", fault: { kind: "cut request", at: 300_000 } });
  // Eight pieces, each broken once, with four attempts: what brings the upload forward costs none.
  proxy.rules.push({ on: "PATCH /up/", fault: { kind: "cut request", at: 150_000 }, times: 4 });
  t.is(await open(t, proxy.host).pushBlob(blob, () => bytesOf(content)), "sent");
  t.deepEqual(registry.blobs.get(blob.digest), content);
  t.is(proxy.sent, size);
});

test("a push that never gets anywhere ends after as many attempts as it has", async (t) => {
  const registry = await specRegistry(t);
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  for (const on of ["PUT /up/", "PATCH /up/"])
    proxy.rules.push({ on, fault: { kind: "cut request", at: 10 }, times: 100 });
  const error = await t.throwsAsync(open(t, proxy.host).pushBlob(blob, () => bytesOf(content)));
  tellsWhatToTry(t, error, proxy.host, `push blob ${blob.digest}`);
  t.true(proxy.sent <= 40);
  t.is(registry.blobs.size, 0);
});

test("OCI-Chunk-Min-Length: pieces from the beginning, none smaller but the last", async (t) => {
  const registry = await specRegistry(t, { minimum: 300_000 });
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  t.is(await open(t, proxy.host).pushBlob(blob, () => bytesOf(content)), "sent");
  t.deepEqual(registry.blobs.get(blob.digest), content);
  t.is(proxy.requests.filter((line) => line.startsWith("PATCH")).length, 4);
  t.is(proxy.sent, size);
});

test("416: the registry has other bytes than we think, and says how many", async (t) => {
  const registry = await specRegistry(t, { minimum: 1 });
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  // The answer to the first piece is a lie about what happened: the next piece does not fit.
  proxy.rules.push({ on: "PATCH /up/", fault: { kind: "answer", status: 202, headers: { location: "/up/1?x=1" } } });
  t.is(await open(t, proxy.host).pushBlob(blob, () => bytesOf(content)), "sent");
  t.true(registry.requests.filter((line) => line.startsWith("GET /up/")).length > 0);
  t.deepEqual(registry.blobs.get(blob.digest), content);
});

test("a proxy that refuses large requests (413) gets pieces; one that refuses pieces gets the whole", async (t) => {
  const registry = await specRegistry(t);
  const proxy = await before(t, registry.host);
  const first = freshBlob();
  proxy.rules.push({ on: "PUT /up/", fault: { kind: "answer", status: 413 } });
  const repository = open(t, proxy.host);
  t.is(await repository.pushBlob(first.blob, () => bytesOf(first.content)), "sent");
  t.is(proxy.requests.filter((line) => line.startsWith("PATCH")).length, size / chunkBytes);
  const second = freshBlob();
  proxy.rules.push({ on: "PUT /up/", fault: { kind: "cut request", at: 500_000 } });
  proxy.rules.push({ on: "PATCH /up/", fault: { kind: "answer", status: 400 } });
  t.is(await repository.pushBlob(second.blob, () => bytesOf(second.content)), "sent");
  t.deepEqual(registry.blobs.get(second.blob.digest), second.content);
});

test("bytes come from where they are wanted when the caller can give them from there", async (t) => {
  const registry = await specRegistry(t);
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  proxy.rules.push({ on: "PUT /up/", fault: { kind: "cut request", at: 400_000 } });
  const asked: number[] = [];
  const openAt = (from: number) => {
    asked.push(from);
    return bytesOf(content, from);
  };
  await open(t, proxy.host).pushBlob(blob, () => t.fail() as never, { openAt });
  t.deepEqual(asked, [0, 400_000]);
  t.deepEqual(registry.blobs.get(blob.digest), content);
});

const overload: [title: string, fault: Fault][] = [
  ["429 with Retry-After", { kind: "answer", status: 429, headers: { "retry-after": "0" } }],
  ["429 without Retry-After", { kind: "answer", status: 429 }],
  ["500", { kind: "answer", status: 500 }],
  ["502", { kind: "answer", status: 502, body: "<html>bad gateway</html>" }],
  ["503", { kind: "answer", status: 503 }],
  ["an answer cut before its head", { kind: "cut answer", at: -1 }],
];
for (const [title, fault] of overload)
  for (const on of ["HEAD /blobs/", "POST /uploads/", "PUT /blobs/uploads/", "PUT /manifests/"])
    test(`${title} at ${on}, twice: the push completes`, async (t) => {
      const proxy = await before(t, real.host);
      const { content, blob } = freshBlob();
      proxy.rules.push({ on, fault, times: 2 });
      const repository = open(t, proxy.host);
      t.is(await repository.pushBlob(blob, () => bytesOf(content)), "sent");
      const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }));
      // Each its own tag: docker-registry answers 500 for one that is just being written.
      const tag = `t${blob.digest.slice(-8)}`;
      await repository.pushManifest(index, mediaTypes.ociIndex, tag);
      t.true(await repository.hasBlob(blob.digest));
      t.is((await repository.resolve(tag)).digest, digestOf(index));
    });

for (const on of ["HEAD /blobs/", "POST /uploads/", "PUT /blobs/uploads/"])
  test(`silence at ${on}: told with all that helps, and soon`, async (t) => {
    const proxy = await before(t, real.host);
    const { content, blob } = freshBlob();
    proxy.rules.push({ on, fault: { kind: "stall", at: -1 }, times: 100 });
    const repository = open(t, proxy.host, { fetchTimeoutMs: 20, retry: { attempts: 2, baseMs: 1, capMs: 1 } });
    // What the registry was given whole it may have, even when it never says so.
    const error = await repository.pushBlob(blob, () => bytesOf(content)).catch((failure: unknown) => failure);
    if (error === "sent") t.true(on.startsWith("PUT") && (await open(t, real.host).hasBlob(blob.digest)));
    else tellsWhatToTry(t, error, proxy.host, "");
  });

test("a token that ends in the middle of a push is replaced, and the push goes on", async (t) => {
  await using tokens = await startTokenServer();
  const registry = await specRegistry(t);
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  const challenge = `Bearer realm="${tokens.realm}",service="x",scope="repository:team/app:pull,push"`;
  const expired = { kind: "answer", status: 401, headers: { "www-authenticate": challenge } } as const;
  proxy.rules.push({ on: "PUT /up/", fault: { kind: "cut request", at: 400_000 } });
  proxy.rules.push({ on: "GET /up/", fault: expired }, { on: "PATCH /up/", fault: expired });
  await open(t, proxy.host).pushBlob(blob, () => bytesOf(content));
  t.deepEqual(registry.blobs.get(blob.digest), content);
  t.true(tokens.asked.length > 0);
  // The refused piece may have been on its way already, nothing else.
  t.is(proxy.sent, size);
});

test("a registry that stored another digest is not believed", async (t) => {
  const registry = await specRegistry(t);
  const proxy = await before(t, registry.host);
  const { content, blob } = freshBlob();
  const lie = { "docker-content-digest": digestOf("other") };
  proxy.rules.push({ on: "PUT /up/", fault: { kind: "answer", status: 201, headers: lie } });
  await t.throwsAsync(
    open(t, proxy.host).pushBlob(blob, () => bytesOf(content)),
    { code: "REG_PROTOCOL" } as object,
  );
});

test("two clients that push the same blobs at once both succeed", async (t) => {
  const proxy = await before(t, real.host);
  const blobs = [freshBlob(), freshBlob(), freshBlob()];
  proxy.rules.push({ on: "PUT /blobs/uploads/", fault: { kind: "cut request", at: 1000 }, times: 2 });
  const clients = [open(t, proxy.host), open(t, proxy.host)];
  await Promise.all(
    clients.flatMap((client) => blobs.map(({ content, blob }) => client.pushBlob(blob, () => bytesOf(content)))),
  );
  for (const { blob } of blobs) t.true(await (clients[0] as (typeof clients)[0]).hasBlob(blob.digest));
});

function tellsWhatToTry(t: ExecutionContext, error: unknown, host: string, operation: string): void {
  if (!isWbuildError(error)) throw error;
  const { message, facts, hint }: WbuildError = error;
  t.true(message.includes(`${host}/team/app`), message);
  t.true(message.includes(operation), message);
  t.is(facts.registry, host);
  t.is(facts.repository, "team/app");
  t.true((hint ?? "").length > 0, message);
}
