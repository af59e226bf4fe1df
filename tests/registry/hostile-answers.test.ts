/** Answers made to harm whoever reads them: endless, dripping, huge, leading astray, or made of patterns that cost time. */
import test from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { RegistryOptions } from "../../registry/client.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { fetchBlob } from "../../registry/pull.ts";
import { Redactor } from "../../registry/transport/redact.ts";
import type { Http } from "../../registry/transport/request.ts";
import { Session } from "../../registry/transport/session.ts";
import { Authorizer } from "../../registry/transport/token.ts";
import { complain, type FakeRegistry, startFake } from "../doubles/fake-registry.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { openApp } from "../doubles/registry-client.ts";

const open = (host: string, options: Partial<RegistryOptions> = {}) =>
  openApp(host, { ...options, retry: { attempts: 2, ...options.retry } });

/** Answers a request without end, some bytes at a time. */
function drip(response: Parameters<Parameters<typeof startFake>[0]>[1], status: number, headers = {}): void {
  response.writeHead(status, headers);
  const timer = setInterval(() => (response.destroyed ? clearInterval(timer) : response.write(" ")), 10);
}

test("a manifest and a token that only drip end as silent ones do", async (t) => {
  await using fake = await startFake((_request, response) =>
    drip(response, 200, { "content-type": mediaTypes.ociIndex }),
  );
  await using manifest = open(fake.host, { fetchTimeoutMs: 500 });
  await t.throwsAsync(manifest.repository.manifest("x"), {
    code: "REG_TIMEOUT",
    message: /fetch manifest x at /,
  } as object);
  await using service = await startFake((_request, response) => drip(response, 200));
  await using asking = await startFake((_request, response) =>
    complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": `Bearer realm="http://${service.host}/t"` }),
  );
  await using token = open(asking.host, { fetchTimeoutMs: 500 });
  await t.throwsAsync(token.repository.tags(), { code: "REG_TIMEOUT", message: /get a token/ } as object);
});

test("a registry that is not there is told with what was to be done", async (t) => {
  const gone = await startFake(() => {});
  await gone[Symbol.asyncDispose]();
  await using opened = open(gone.host);
  const error = await t.throwsAsync(opened.repository.tags(), { code: "REG_UNREACHABLE" } as object);
  t.regex(String(error), new RegExp(`cannot list tags at ${gone.host}/team/app: nothing listens there`));
});

test("the rest of a refusal is not waited for when it drips", async (t) => {
  await using fake = await startFake((request, response) =>
    request.path.includes("second")
      ? response.writeHead(200).end('{"tags":["x"]}')
      : drip(response, 307, { location: "/v2/team/app/tags/list?second" }),
  );
  await using opened = open(fake.host);
  t.deepEqual(await opened.repository.tags(), ["x"]);
});

test("the next page may be at another host, and nobody tells that host who we are", async (t) => {
  await using other = await startFake((_request, response) => void response.end('{"tags":["b"]}'));
  await using fake = await startFake((request, response) => {
    if (request.headers.authorization === undefined)
      return complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": "Basic" });
    const link = `<http://localhost:${other.port}/v2/team/app/tags/list?last=a>; rel="next"`;
    return response.writeHead(200, { link }).end('{"tags":["a"]}');
  });
  const credentials = { find: async () => ({ username: "u", password: "passw0rd" }) };
  await using opened = open(fake.host, { credentials });
  t.deepEqual(await opened.repository.tags(), ["a", "b"]);
  t.is(other.requests[0]?.headers.authorization, undefined);
});

test("a head of more than 16 KiB is an error of the protocol, and asked for once", async (t) => {
  await using fake = await startFake((_request, response) =>
    response.writeHead(401, { "www-authenticate": `Bearer realm="${"x".repeat(30_000)}"` }).end(),
  );
  await using opened = open(fake.host);
  await t.throwsAsync(opened.repository.tags(), { code: "REG_PROTOCOL", message: /head of the answer/ } as object);
  t.is(fake.requests.length, 1);
});

const tokens: [title: string, body: string][] = [
  ["null for what it does not say", '{"token":null,"access_token":"abc","refresh_token":null,"expires_in":null}'],
  ["its life as text", '{"token":"abc","expires_in":"300"}'],
  ["a life that has ended before it began", '{"token":"abc","expires_in":-5}'],
  ["a life without end", '{"token":"abc","expires_in":1e999}'],
  ["towers of brackets", `{"token":"abc","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
];
for (const [title, body] of tokens)
  test(`a token service that answers with ${title} gives a token all the same`, async (t) => {
    await using service = await startFake((_request, response) => void response.end(body));
    await using fake = await startFake((request, response) =>
      request.headers.authorization === "Bearer abc"
        ? void response.end('{"tags":["x"]}')
        : complain(response, 401, "U", "who?", { "www-authenticate": `Bearer realm="http://${service.host}/t"` }),
    );
    await using opened = open(fake.host);
    t.deepEqual(await opened.repository.tags(), ["x"]);
  });

const content = Buffer.from("0123456789".repeat(100_000));
const blob = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(content), size: content.length };

/** The first answer breaks off in the middle. */
const breaking = (answer: (fake: FakeRegistry, response: Parameters<Parameters<typeof startFake>[0]>[1]) => unknown) =>
  startFake((_request, response, fake) => {
    if (fake.requests.length > 1) return void answer(fake, response);
    response.writeHead(200, { "content-length": String(content.length) });
    response.write(content.subarray(0, 500_000), () => setImmediate(() => response.socket?.destroy()));
  });

test("416 for the rest: the whole is asked for once, also when it comes as a range from the beginning", async (t) => {
  await using whole = await breaking((fake, response) =>
    fake.requests.length === 2
      ? response.writeHead(416).end()
      : response.writeHead(206, { "content-range": `bytes 0-${content.length - 1}/${content.length}` }).end(content),
  );
  await using opened = open(whole.host);
  const into = new MemoryBlobs();
  await fetchBlob(opened.repository, blob, into);
  t.is(await into.has(blob.digest), blob.size);

  await using never = await breaking((_fake, response) => response.writeHead(416).end());
  await using stuck = open(never.host);
  await t.throwsAsync(fetchBlob(stuck.repository, blob, new MemoryBlobs()), { code: "REG_PROTOCOL" } as object);
  t.is(never.requests.length, 3);
});

test("ranges that are none: another beginning, several in one answer, none that was asked for", async (t) => {
  for (const headers of [
    { "content-range": `bytes 0-${content.length - 1}/${content.length}` },
    { "content-type": "multipart/byteranges; boundary=x" },
    {},
  ]) {
    await using fake = await breaking((_fake, response) => response.writeHead(206, headers).end(content));
    await using opened = open(fake.host);
    const into = new MemoryBlobs();
    await t.throwsAsync(fetchBlob(opened.repository, blob, into), {
      code: "REG_PROTOCOL",
      message: /another range/,
    } as object);
    t.is(into.content.size, 0);
  }
});

/** A session with a registry that nobody asks. */
function far(registry: string, plainHttp: readonly string[] = []): Session {
  const http: Http = {
    timeoutMs: 1,
    send: () => Promise.reject(new Error("nobody is asked")),
    close: async () => {},
  };
  return new Session({
    registry,
    http,
    redactor: new Redactor(),
    plainHttp,
    warn() {},
    signal: undefined,
    credentials: { find: async () => undefined },
    retry: { attempts: 1, baseMs: 1, capMs: 1, patienceMs: 1 },
  });
}

const places: [location: string, registry: string, result: string][] = [
  ["http://127.0.0.1:2375/containers/create", "registry.example.com", "REG_INSECURE"],
  ["http://localhost/x", "registry.example.com", "REG_INSECURE"],
  ["http://169.254.169.254/latest", "registry.example.com", "REG_INSECURE"],
  ["http://storage.example.com/x", "registry.example.com", "REG_INSECURE"],
  ["file:///etc/passwd", "registry.example.com", "REG_INSECURE"],
  ["http://registry.example.com/x", "registry.example.com", "https://registry.example.com/x"],
  ["//storage.example.com/x", "registry.example.com", "https://storage.example.com/x"],
  ["x?y=1", "registry.example.com", "https://registry.example.com/v2/x?y=1"],
];
for (const [location, registry, result] of places)
  test(`${registry} leads to ${location}: ${result}`, async (t) => {
    const found = await far(registry)
      .locate(location, "/v2/", { doing: "test" })
      .then(String, (error: { code: string }) => error.code);
    t.is(found, result);
  });

test("a token service on this host is asked only for registries of this host", async (t) => {
  const answer = (registry: string, realm: string) => {
    const asked: string[] = [];
    const authorizer = new Authorizer({
      registry,
      redactor: new Redactor(),
      credentials: { find: async () => ({ username: "u", password: "passw0rd" }) },
      retry: { attempts: 1, baseMs: 1, capMs: 1, patienceMs: 1 },
      signal: undefined,
      mayBePlain: () => false,
      tlsFor: async () => undefined,
      http: {
        timeoutMs: 1,
        send: (request) => {
          asked.push(String(request.url.host));
          return Promise.reject(new Error("asked"));
        },
        close: async () => {},
      },
    });
    const challenge = { scheme: "bearer", parameters: new Map([["realm", realm]]) };
    return authorizer
      .answer([challenge], [], undefined, { registry, doing: "test" })
      .then(String, (error: { code: string }) => [error.code, ...asked]);
  };
  t.deepEqual(await answer("registry.example.com", "http://127.0.0.1:2375/x"), ["REG_INSECURE"]);
  t.deepEqual(await answer("registry.example.com", "http://169.254.169.254/x"), ["REG_INSECURE"]);
  t.deepEqual(await answer("127.0.0.1:5000", "http://127.0.0.1:5001/x"), ["REG_UNREACHABLE", "127.0.0.1:5001"]);
  t.deepEqual(await answer("[::1]:5000", "http://localhost:5001/x"), ["REG_UNREACHABLE", "localhost:5001"]);
});

test("words that are made to keep the redactor busy do not", (t) => {
  const redactor = new Redactor();
  redactor.learn("a-secret-of-ours");
  for (const text of [
    "http://",
    "https://a@",
    "token: ",
    '"token":"',
    "bearer ",
    "eyJaaaaaaaaa.",
    "https://h/?a https://",
  ]) {
    const before = performance.now();
    redactor.clean(text.repeat(Math.ceil((256 * 1024) / text.length)));
    // A pattern that begins anew at each of them takes a minute.
    t.true(performance.now() - before < 5000, text);
  }
  t.is(
    redactor.clean("see https://u:pw@h/a?sig=1, (http://h/b?x=2) and http://h/c"),
    "see https://h/a?… (http://h/b?…) and http://h/c",
  );
});
