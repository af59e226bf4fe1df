/** A registry that misbehaves: overload, broken connections, redirects, lies, and words that must not reach a terminal. */
import { inspect } from "node:util";
import test from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError } from "../../native/error.ts";
import type { RegistryOptions } from "../../registry/client.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { fetchBlob } from "../../registry/pull.ts";
import { complain, startFake } from "../doubles/fake-registry.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { openApp } from "../doubles/registry-client.ts";

const secret = { username: "eve", password: "correct-horse-battery" };
const basic = Buffer.from(`${secret.username}:${secret.password}`).toString("base64");

const open = (host: string, options: Partial<RegistryOptions> = {}) =>
  openApp(host, { ...options, retry: { attempts: 4, ...options.retry } });

const content = Buffer.from("0123456789".repeat(100_000));
const blob = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(content), size: content.length };

const transient: [title: string, code: string, headers: object][] = [
  ["503", "503", {}],
  ["429 with Retry-After: 0", "429", { "retry-after": "0" }],
  ["a reset connection", "reset", {}],
];
for (const [title, kind, headers] of transient)
  test(`tried again after ${title}, and no more than four times`, async (t) => {
    let failures = 2;
    await using fake = await startFake((request, response) => {
      if (failures-- > 0) {
        if (kind === "reset") return request.method && response.socket?.destroy();
        return complain(response, Number(kind), "TOOMANYREQUESTS", "slow down", headers);
      }
      return response.writeHead(200, { "content-length": "5" }).end();
    });
    await using opened = open(fake.host);
    t.true(await opened.repository.hasBlob(blob.digest));
    t.is(fake.requests.length, 3);
    failures = 1000;
    const error = await t.throwsAsync(opened.repository.hasBlob(blob.digest));
    t.is(fake.requests.length, 7);
    if (kind === "429") t.true(isWbuildError(error, "REG_RATE_LIMITED"));
    t.regex(String(error), new RegExp(`look for blob ${blob.digest} at ${fake.host}/team/app`));
  });

test("a Retry-After of an hour is an error now", async (t) => {
  await using fake = await startFake((_request, response) =>
    complain(response, 429, "TOOMANYREQUESTS", "pull rate limit", { "retry-after": "3600" }),
  );
  await using opened = open(fake.host);
  await t.throwsAsync(opened.repository.tags(), { code: "REG_RATE_LIMITED" } as object);
  t.is(fake.requests.length, 1);
});

for (const knowsRanges of [true, false])
  test(`a broken download goes on where it broke (${knowsRanges ? "by range" : "ranges ignored"})`, async (t) => {
    let cuts = 3;
    await using fake = await startFake((request, response) => {
      const from = knowsRanges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
      const length = String(content.length - from);
      const range = { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` };
      response.writeHead(from > 0 ? 206 : 200, { "content-length": length, ...(from > 0 ? range : {}) });
      if (cuts-- <= 0) return response.end(content.subarray(from));
      return response.write(content.subarray(from, from + 300_000 * (knowsRanges ? 1 : 4 - cuts - 1)), () =>
        setImmediate(() => response.socket?.destroy()),
      );
    });
    await using opened = open(fake.host);
    const into = new MemoryBlobs();
    await fetchBlob(opened.repository, blob, into);
    t.is(await into.has(blob.digest), content.length);
    t.is(fake.requests.length, 4);
    t.is(fake.requests[0]?.headers.range, undefined);
    t.regex(fake.requests[1]?.headers.range ?? "", /^bytes=\d+-$/);
  });

const lies: [title: string, code: string, body: Buffer, length?: number][] = [
  ["other content of the right size", "REG_DIGEST_MISMATCH", Buffer.alloc(content.length, "x")],
  ["more than it should be", "REG_SIZE_MISMATCH", Buffer.concat([content, Buffer.from("!")])],
  ["less than it should be, again and again", "REG_SIZE_MISMATCH", content.subarray(0, 0)],
];
for (const [title, code, body] of lies)
  test(`refused: a blob that is ${title}`, async (t) => {
    await using fake = await startFake((_request, response) => {
      response.writeHead(200, { "content-length": String(body.length) });
      response.end(body);
    });
    await using opened = open(fake.host);
    const into = new MemoryBlobs();
    await t.throwsAsync(fetchBlob(opened.repository, blob, into), { code } as object);
    t.is(into.content.size, 0);
  });

test("refused: a manifest of another digest, of an endless size, of schema 1, and a HEAD that lies", async (t) => {
  const manifest = Buffer.from('{"schemaVersion":2,"manifests":[]}');
  await using fake = await startFake((request, response) => {
    const type = { "content-type": mediaTypes.ociIndex };
    if (request.path.endsWith("/old")) return response.writeHead(200, type).end('{"schemaVersion":1}');
    if (request.path.endsWith("/text")) return response.writeHead(200, type).end("secret-text");
    if (request.path.endsWith("/huge")) {
      response.writeHead(200, type);
      const more = () => !response.destroyed && response.write(Buffer.alloc(1 << 20, " "), () => setImmediate(more));
      return more();
    }
    if (request.method === "HEAD")
      return response
        .writeHead(200, { ...type, "docker-content-digest": digestOf("lie"), "content-length": "3" })
        .end();
    return response.writeHead(200, type).end(manifest);
  });
  await using opened = open(fake.host);
  const { repository } = opened;
  await t.throwsAsync(repository.manifest(digestOf("x")), { code: "REG_DIGEST_MISMATCH" } as object);
  await t.throwsAsync(repository.resolve(digestOf("x")), { code: "REG_DIGEST_MISMATCH" } as object);
  await t.throwsAsync(repository.manifest("huge"), {
    code: "REG_MANIFEST",
    message: /more than 4194304 bytes/,
  } as object);
  await t.throwsAsync(repository.manifest("old"), { code: "REG_MANIFEST", message: /schema 1/ } as object);
  const error = await t.throwsAsync(repository.manifest("text"), { code: "REG_MANIFEST" } as object);
  t.notRegex(String(error), /secret-text/);
  t.is((await repository.manifest("fine")).descriptor.digest, digestOf(manifest));
});

test("a registry without HEAD for manifests is asked with GET", async (t) => {
  const manifest = '{"schemaVersion":2,"manifests":[]}';
  await using fake = await startFake((request, response) =>
    request.method === "HEAD" ? response.writeHead(405).end() : response.end(manifest),
  );
  await using opened = open(fake.host);
  t.deepEqual(await opened.repository.resolve("x"), {
    mediaType: mediaTypes.ociIndex,
    digest: digestOf(manifest),
    size: manifest.length,
  });
});

test("a redirect is followed without the Authorization, and not in circles", async (t) => {
  await using elsewhere = await startFake((_request, response) => void response.end(content));
  await using fake = await startFake((request, response) => {
    if (request.headers.authorization === undefined)
      return complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": "Basic" });
    if (request.path.includes("/tags/")) return response.writeHead(302, { location: request.path }).end();
    const location = `http://localhost:${elsewhere.port}/storage?signature=abc`;
    return response.writeHead(307, { location }).end();
  });
  await using opened = open(fake.host, { credentials: { find: async () => secret } });
  await fetchBlob(opened.repository, blob, new MemoryBlobs());
  t.is(fake.requests.at(-1)?.headers.authorization, `Basic ${basic}`);
  t.is(elsewhere.requests[0]?.path, "/storage?signature=abc");
  t.is(elsewhere.requests[0]?.headers.authorization, undefined);
  await t.throwsAsync(opened.repository.tags(), { code: "REG_PROTOCOL", message: /redirects/ } as object);
});

for (const location of ["file:///etc/passwd", "ftp://x/", "", "http://[", "javascript:1"])
  test(`refused: a Location such as ${JSON.stringify(location)}`, async (t) => {
    await using fake = await startFake((_request, response) => void response.writeHead(302, { location }).end());
    await using opened = open(fake.host);
    const error = await t.throwsAsync(opened.repository.tags());
    t.true(isWbuildError(error, "REG_PROTOCOL") || isWbuildError(error, "REG_INSECURE"));
  });

test("an upload follows relative and absolute Locations, with their query strings", async (t) => {
  await using fake = await startFake((request, response, { host }) => {
    if (request.method === "HEAD") return response.writeHead(404).end();
    if (request.method === "POST") return response.writeHead(202, { location: "/up/1?_state=a%2Bb&x=1" }).end();
    if (request.method === "PATCH") return response.writeHead(202, { location: `http://${host}/up/2?_state=c` }).end();
    return response.writeHead(201).end();
  });
  await using opened = open(fake.host);
  const upload = await opened.repository.startUpload();
  await upload.write(
    (async function* () {
      yield content;
    })(),
  );
  await upload.finish(blob.digest);
  t.is(
    await opened.repository.pushBlob(blob, async function* () {
      yield content;
    }),
    "sent",
  );
  const digest = encodeURIComponent(blob.digest);
  t.deepEqual(
    fake.requests.map(({ method, path, body }) => `${method} ${path} ${body.length}`),
    [
      "POST /v2/team/app/blobs/uploads/ 0",
      "PATCH /up/1?_state=a%2Bb&x=1 1000000",
      `PUT /up/2?_state=c&digest=${digest} 0`,
      `HEAD /v2/team/app/blobs/${blob.digest} 0`,
      "POST /v2/team/app/blobs/uploads/ 0",
      `PUT /up/1?_state=a%2Bb&x=1&digest=${digest} 1000000`,
    ],
  );
  t.is(fake.requests[1]?.headers["transfer-encoding"], "chunked");
});

test("an upload that breaks and is forgotten starts anew with fresh bytes; a refused mount falls back to sending", async (t) => {
  let breaks = 2;
  await using fake = await startFake((request, response) => {
    if (request.method === "HEAD" || request.method === "GET") return response.writeHead(404).end();
    if (request.path.includes("?mount=")) return complain(response, 403, "DENIED", "not yours");
    if (request.method === "POST" || request.method === "PATCH")
      return response.writeHead(202, { location: "/up" }).end();
    return breaks-- > 0 ? response.socket?.destroy() : response.writeHead(201).end();
  });
  await using opened = open(fake.host);
  let opens = 0;
  const bytes = async function* () {
    opens++;
    yield content;
  };
  t.is(await opened.repository.pushBlob(blob, bytes, { mountFrom: ["other/app"] }), "sent");
  t.is(opens, 3);
});

test("a foreign layer comes from its urls, without credentials", async (t) => {
  await using maker = await startFake((_request, response) => void response.end(content));
  await using fake = await startFake((request, response) =>
    request.headers.authorization === undefined
      ? complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": 'Basic realm="x"' })
      : complain(response, 404, "BLOB_UNKNOWN", "not here"),
  );
  await using opened = open(fake.host, { credentials: { find: async () => secret } });
  const into = new MemoryBlobs();
  await fetchBlob(opened.repository, { ...blob, urls: [`http://${maker.host}/layer`] }, into);
  t.is(into.content.size, 1);
  t.is(maker.requests[0]?.headers.authorization, undefined);
  await t.throwsAsync(fetchBlob(opened.repository, blob, new MemoryBlobs()), { code: "REG_NOT_FOUND" } as object);
});

test("tags come through all pages", async (t) => {
  await using fake = await startFake((request, response) => {
    const isSecond = request.path.includes("last=b");
    const link = isSecond ? {} : { link: '</v2/team/app/tags/list?last=b&n=2>; rel="next"' };
    response.writeHead(200, link).end(JSON.stringify({ tags: isSecond ? ["c"] : ["a", "b", "../evil"] }));
  });
  await using opened = open(fake.host);
  t.deepEqual(await opened.repository.tags(), ["a", "b", "c"]);
});

test("no secret and no control character of an answer reaches an error, however it is printed", async (t) => {
  await using fake = await startFake((request, response) => {
    const { authorization } = request.headers;
    if (authorization === undefined)
      return complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": 'Basic realm="x"' });
    return complain(
      response,
      400,
      "NAME_INVALID\u001b[2J",
      `you sent ${authorization}, password ${secret.password}, ${encodeURIComponent(secret.password)}, "token":"abc.def", ` +
        "see https://u:pw-in-url@h/x?sig=in-query and eyJhbGciOiJub25l.eyJzdWIiOiJ4.c2ln \u001b]0;title\u0007",
    );
  });
  await using opened = open(fake.host, { credentials: { find: async () => secret } });
  const error = await t.throwsAsync(opened.repository.tags(), { code: "REG_PROTOCOL" } as object);
  const all = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String(error);
  for (const leak of [secret.password, basic, "pw-in-url", "in-query", "abc.def", "eyJhbGci"])
    t.false(all.includes(leak), leak);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  t.notRegex(String(error), /[\u0000-\u001f]/);
  t.regex(String(error), /NAME_INVALID/);
});

test("unreachable, unknown and silent hosts are told apart", async (t) => {
  const gone = await startFake(() => {});
  await gone[Symbol.asyncDispose]();
  await using refused = open(gone.host);
  await t.throwsAsync(refused.repository.tags(), {
    code: "REG_UNREACHABLE",
    message: /nothing listens there/,
  } as object);
  await using silent = await startFake(() => {});
  await using waiting = open(silent.host, { fetchTimeoutMs: 50, retry: { attempts: 1 } });
  await t.throwsAsync(waiting.repository.tags(), { code: "REG_TIMEOUT" } as object);
});

test("an abort ends what is under way, at once and without repetition", async (t) => {
  const stop = new AbortController();
  await using silent = await startFake(() => stop.abort(new Error("stopped by us")));
  await using opened = open(silent.host, { signal: stop.signal });
  await t.throwsAsync(opened.repository.tags(), { message: "stopped by us" });
  t.is(silent.requests.length, 1);
});

for (const [title, work] of [
  ["fetch", ({ repository }, signal) => fetchBlob(repository, blob, new MemoryBlobs(), { signal })],
  ["push", ({ repository }, signal) => repository.pushBlob(blob, () => [] as never, { signal })],
] satisfies [string, (opened: ReturnType<typeof open>, signal: AbortSignal) => Promise<unknown>][])
  test(`${title}: an abort while the next attempt is waited for ends it at once, with its own reason`, async (t) => {
    const stop = new AbortController();
    await using busy = await startFake((_request, response) => {
      // Behind what the client does with the answer.
      response.writeHead(503).end(() => setTimeout(() => stop.abort(new Error("stopped by us")), 50));
    });
    await using opened = open(busy.host, { retry: { baseMs: 600_000, capMs: 600_000 } });
    await t.throwsAsync(work(opened, stop.signal), { message: "stopped by us" });
    t.is(busy.requests.length, 1);
  });
