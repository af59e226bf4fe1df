import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type FetchOptions, fetchFile } from "../../../builder/context/http-fetch.ts";
import { isWbuildError } from "../../../native/error.ts";
import { fileServer, sha256 } from "../../doubles/file-server.ts";

const retry = { attempts: 3, baseMs: 1, capMs: 2, patienceMs: 10 };

function scene(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-http-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "file");
  const fetch = (url: string, more: Partial<FetchOptions> = {}) =>
    fetchFile(new URL(url), { path, maxBytes: 1 << 30, signal: new AbortController().signal, retry, ...more });
  return { path, fetch };
}

const large = Buffer.alloc(3_000_000, "0123456789abcdef-");

test("a file is written and digested, and its validators are told", async (t) => {
  const { path, fetch } = scene(t);
  const server = await fileServer(t);
  server.files.set("/a", { bytes: large, etag: '"1"', lastModified: "Wed, 01 Jan 2020 00:00:00 GMT" });
  t.deepEqual(await fetch(`${server.url}/a`), {
    digest: `sha256:${sha256(large)}`,
    size: large.length,
    etag: '"1"',
    lastModified: "Wed, 01 Jan 2020 00:00:00 GMT",
  });
  t.true(readFileSync(path).equals(large));
});

for (const [name, known] of [
  ["its tag", { etag: '"1"' }],
  ["its date", { lastModified: "Wed, 01 Jan 2020 00:00:00 GMT" }],
] as const)
  test(`a file that is what ${name} says is not sent again`, async (t) => {
    const { fetch } = scene(t);
    const server = await fileServer(t);
    server.files.set("/a", { bytes: large, etag: '"1"', lastModified: "Wed, 01 Jan 2020 00:00:00 GMT" });
    t.is(await fetch(`${server.url}/a`, { known }), undefined);
    t.deepEqual(
      server.asked.map((one) => one.status),
      [304],
    );
  });

test("a tag that did not change spares the body also where the server sends it", async (t) => {
  const { fetch } = scene(t);
  const server = await fileServer(t);
  server.files.set("/a", { bytes: large, headers: { etag: '"1"' } });
  t.is(await fetch(`${server.url}/a`, { known: { etag: '"1"' } }), undefined);
  t.is(server.asked[0]?.status, 200);
});

for (const [name, validators] of [
  ["a strong tag", { etag: '"1"' }],
  ["a date", { lastModified: "Wed, 01 Jan 2020 00:00:00 GMT" }],
] as const)
  test(`a broken transfer goes on where it broke, by ${name}`, async (t) => {
    const { path, fetch } = scene(t);
    const server = await fileServer(t);
    server.files.set("/a", { bytes: large, breaksAfter: 900_000, ...validators });
    const found = await fetch(`${server.url}/a`, { retry: { ...retry, attempts: 50 } });
    t.is(found?.digest, `sha256:${sha256(large)}`);
    t.true(readFileSync(path).equals(large));
    // What was on its way when the connection broke may be lost: how often it breaks is not for us to say.
    t.is(server.asked[0]?.status, 200);
    t.is(server.asked.at(-1)?.status, 206);
  });

test("a transfer that broke begins anew where the server has another file by now", async (t) => {
  const { path, fetch } = scene(t);
  const server = await fileServer(t);
  const file = { bytes: large, breaksAfter: 900_000, etag: '"1"' };
  server.files.set("/a", file);
  const other = Buffer.from("another file");
  const wait = setInterval(() => {
    if (server.asked.length > 0) server.files.set("/a", { bytes: other, etag: '"2"' });
  }, 0);
  t.teardown(() => clearInterval(wait));
  t.is((await fetch(`${server.url}/a`, { retry: { ...retry, baseMs: 50, capMs: 50 } }))?.etag, '"2"');
  t.true(readFileSync(path).equals(other));
});

test("a weak tag is nothing to go on from", async (t) => {
  const { fetch } = scene(t);
  const server = await fileServer(t);
  server.files.set("/a", { bytes: large, breaksAfter: 900_000, etag: 'W/"1"' });
  const error = await t.throwsAsync(fetch(`${server.url}/a`));
  t.true(isWbuildError(error, "CTX_FETCH"), String(error));
  t.deepEqual(
    server.asked.map((one) => one.status),
    [200, 200, 200],
  );
});

test("a body that ends before its length is an error", async (t) => {
  const { fetch } = scene(t);
  const server = await fileServer(t);
  server.files.set("/a", { bytes: Buffer.from("short"), claims: 100 });
  t.true(isWbuildError(await t.throwsAsync(fetch(`${server.url}/a`)), "CTX_FETCH"));
});

test("an overloaded server is asked again, a refusal is told at once", async (t) => {
  const { fetch } = scene(t);
  const server = await fileServer(t);
  server.files.set("/a", { bytes: Buffer.from("x"), failsWith: [503, 502] });
  t.is((await fetch(`${server.url}/a`))?.size, 1);
  server.files.set("/b", { bytes: Buffer.from("x"), failsWith: [403, 403] });
  const error = await t.throwsAsync(fetch(`${server.url}/b`));
  t.true(isWbuildError(error, "CTX_FETCH") && error.facts.status === 403);
  t.deepEqual(
    server.asked.map((one) => one.status),
    [503, 502, 200, 403],
  );
});

for (const name of ["sha256", "sha384", "sha512"] as const)
  test(`a checksum by ${name} holds or fails`, async (t) => {
    const { createHash } = await import("node:crypto");
    const { fetch } = scene(t);
    const server = await fileServer(t);
    server.files.set("/a", { bytes: large });
    const hex = createHash(name).update(large).digest("hex");
    t.is((await fetch(`${server.url}/a`, { checksum: { algorithm: name, hex } }))?.size, large.length);
    const wrong = { algorithm: name, hex: hex.replace(/^../, "ff").replace(/..$/, "00") };
    t.true(isWbuildError(await t.throwsAsync(fetch(`${server.url}/a`, { checksum: wrong })), "CTX_CHECKSUM"));
  });

for (const claims of [true, false])
  test(`too large a file is refused ${claims ? "by what it says" : "by what comes"}`, async (t) => {
    const { fetch } = scene(t);
    const server = await fileServer(t);
    server.files.set("/a", { bytes: large, hidesLength: !claims });
    t.true(isWbuildError(await t.throwsAsync(fetch(`${server.url}/a`, { maxBytes: 1000 })), "CTX_TOO_LARGE"));
  });

test("redirects are followed, some; credentials do not go to another origin", async (t) => {
  const { fetch } = scene(t);
  const [one, other] = [await fileServer(t), await fileServer(t)];
  one.files.set("/here", { bytes: Buffer.from("here"), authorization: `Basic ${btoa("user:s3cret")}` });
  one.redirects.set("/away", `${other.url}/there`);
  one.redirects.set("/near", "/here");
  one.redirects.set("/loop", "/loop");
  one.redirects.set("/file", "file:///etc/passwd");
  other.files.set("/there", { bytes: Buffer.from("there!") });
  const url = one.url.replace("//", "//user:s3cret@");
  t.is((await fetch(`${url}/near`))?.size, 4);
  t.is((await fetch(`${url}/away`))?.size, 6);
  t.is(other.asked[0]?.headers.authorization, undefined);
  for (const path of ["loop", "file", "none"]) {
    const error = await t.throwsAsync(fetch(`${url}/${path}?sig=s3cret`));
    t.true(isWbuildError(error, "CTX_FETCH"), String(error));
    t.false(JSON.stringify([error.message, (error as { facts?: object }).facts]).includes("s3cret"));
  }
});

test("a server that is not there is told", async (t) => {
  const { fetch } = scene(t);
  const error = await t.throwsAsync(fetch("http://127.0.0.1:1/a"));
  t.true(isWbuildError(error, "CTX_FETCH") && error.facts.errno === "ECONNREFUSED", String(error));
});

test("an aborted build stops a transfer", async (t) => {
  const { fetch } = scene(t);
  const server = await fileServer(t);
  server.files.set("/a", { bytes: large });
  const ended = new AbortController();
  ended.abort(new Error("enough"));
  await t.throwsAsync(fetch(`${server.url}/a`, { signal: ended.signal }), { message: "enough" });
});

test("a server cannot say that nothing changed of what was never here", async (t) => {
  const { fetch } = scene(t);
  const server = createServer((_, response) => void response.writeHead(304).end());
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const error = await t.throwsAsync(fetch(`http://127.0.0.1:${port}/a`));
  t.true(isWbuildError(error, "CTX_FETCH") && error.facts.status === 304, String(error));
});
