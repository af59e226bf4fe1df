/** What registries of the world do that the specification does not say: each is lived with. */
import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import test from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { copyImage } from "../../registry/copy/copy.ts";
import { remoteSource, remoteTarget } from "../../registry/copy/remote.ts";
import { pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { complain, type FakeRequest, startFake } from "../doubles/fake-registry.ts";
import { type Rule, startFaultProxy } from "../doubles/fault-proxy.ts";
import { makeImage } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { clientFor, openApp } from "../doubles/registry-client.ts";
import { startSpecRegistry } from "../doubles/spec-registry.ts";

const answer = (on: string, status: number, body = ""): Rule => ({
  on,
  fault: { kind: "answer", status, body },
  times: 999,
});
const page = "<html><body>405 Not Allowed</body></html>";

const odd: [what: string, rules: Rule[]][] = [
  ["a mount of which the registry does not know the source (400)", [answer("POST mount=", 400)]],
  ["a mount that needs a login of its own (401)", [answer("POST mount=", 401)]],
  ["a mount from what it does not show (403)", [answer("POST mount=", 403)]],
  ["a mount from what is not there (404)", [answer("POST mount=", 404)]],
  ["mounts that it does not have (405)", [answer("POST mount=", 405, page)]],
  ["a mount that it fails over (500)", [answer("POST mount=", 500)]],
  ["no HEAD of blobs (405)", [answer("HEAD /blobs/", 405)]],
  ["no HEAD of blobs (400)", [answer("HEAD /blobs/", 400)]],
  ["no HEAD of manifests (405)", [answer("HEAD /manifests/", 405)]],
  ["no HEAD of manifests (501)", [answer("HEAD /manifests/", 501)]],
  ["HEAD for those who may not look alone (403)", [answer("HEAD /v2/", 403)]],
  [
    "uploads that tell nothing of themselves when they broke",
    [{ on: "PUT /up/", fault: { kind: "cut request", at: 10 } }, answer("GET /up/", 404)],
  ],
  ["a mount that is taken for an upload without a place (202)", [answer("POST mount=", 202)]],
];
for (const [what, rules] of odd)
  test(`pushed, copied beside and pulled, in spite of ${what}`, async (t) => {
    await using real = await startSpecRegistry();
    await using proxy = await startFaultProxy(real.host);
    const client = clientFor(t, { retry: { attempts: 2 } });
    const ours = new MemoryBlobs();
    const image = await makeImage(ours);
    const [one, other] = ["one", "other"].map((name) => parseReference(`${proxy.host}/team/${name}:1`)) as [
      ReturnType<typeof parseReference>,
      ReturnType<typeof parseReference>,
    ];
    proxy.rules.push(...rules);
    await pushImage(client, image, one, ours, { mountFrom: () => ["team/base"] });
    // Every repository of this registry has what one of them has: so that something is to be sent.
    real.blobs.clear();
    await pushImage(client, image, one, ours);
    await copyImage(remoteSource(client, one), remoteTarget(client, other));
    const back = new MemoryBlobs();
    const pulled = await pullImage(client, other, back, { choose: ([first]) => first });
    t.is(pulled.descriptor.digest, image.digest);
    t.is(back.content.size, 3);
    for (const { on, times } of rules) t.true(times !== 999, `${on} was asked`);
  });

const blob = randomBytes(1000);
const digest = digestOf(blob);
const descriptor = { mediaType: "application/octet-stream", digest, size: blob.length };

/** A registry that takes one blob; `location` of its upload, and the end of it. */
async function taking(location: string, end: (response: ServerResponse) => void) {
  return startFake(({ method }, response) => {
    if (method === "HEAD") response.writeHead(404).end();
    else if (method === "POST") response.writeHead(202, { location }).end();
    else if (method === "PUT") end(response);
    else complain(response, 400, "UNSUPPORTED", "no");
  });
}
const put = (requests: readonly FakeRequest[]) => requests.find(({ method }) => method === "PUT");

const locations: [what: string, location: string][] = [
  ["a path alone", "/up/1"],
  ["an empty query", "/up/1?"],
  ["state that is signed as it is written", "/up/1?_state=a%20b+c~(d)'e%2Fg==&x&y=%7E"],
  ["a relative path", "1?state=x"],
];
for (const [what, location] of locations)
  test(`an upload's Location keeps what it says: ${what}`, async (t) => {
    await using fake = await taking(location, (response) => response.writeHead(201).end());
    await using app = openApp(fake.host);
    await app.repository.pushBlob(descriptor, () => Readable.from([blob]));
    const path = new URL(location, `http://${fake.host}/v2/team/app/blobs/uploads/`);
    const mark = path.search === "" ? "?" : "&";
    t.is(put(fake.requests)?.path, `${path.pathname}${path.search}${mark}digest=${encodeURIComponent(digest)}`);
    t.true(put(fake.requests)?.body.equals(blob));
  });

const ends: [what: string, status: number, headers: Record<string, string>][] = [
  ["nothing but that it is done", 201, {}],
  ["200", 200, {}],
  ["202 and a page", 202, { "content-type": "text/html" }],
  ["204", 204, {}],
  ["a digest of another kind", 201, { "docker-content-digest": `sha512:${"0".repeat(128)}` }],
  ["a Location that leads nowhere", 201, { location: "https://internal.invalid/x" }],
];
for (const [what, status, headers] of ends)
  test(`an upload that ends with ${what} has ended`, async (t) => {
    await using fake = await taking("/up/1", (response) => response.writeHead(status, headers).end());
    await using app = openApp(fake.host);
    t.is(await app.repository.pushBlob(descriptor, () => Readable.from([blob])), "sent");
  });

for (const status of [200, 201, 202, 204])
  test(`a manifest that is taken with ${status} and no digest is taken`, async (t) => {
    const bytes = Buffer.from('{"schemaVersion":2}');
    await using fake = await startFake((_request, response) => void response.writeHead(status).end());
    await using app = openApp(fake.host);
    t.is((await app.repository.pushManifest(bytes, "application/vnd.x+json", "1")).digest, digestOf(bytes));
  });

const tokens: [what: string, answer: object][] = [
  ["access_token alone", { access_token: "t0ken" }],
  ["token: null beside it", { token: null, access_token: "t0ken", expires_in: null }],
  ["a life in words", { token: "t0ken", expires_in: "3600", issued_at: "now" }],
  ["no life at all", { token: "t0ken", expires_in: 0 }],
];
for (const [what, given] of tokens)
  test(`a token service that gives ${what} gives a token`, async (t) => {
    await using fake = await startFake(({ path, headers }, response, { host }) => {
      if (path.startsWith("/token")) response.end(JSON.stringify(given));
      else if (headers.authorization === "Bearer t0ken") response.end('{"tags":["1"]}');
      else response.writeHead(401, { "www-authenticate": `Bearer realm="http://${host}/token",service="x"` }).end(page);
    });
    await using app = openApp(fake.host);
    t.deepEqual(await app.repository.tags(), ["1"]);
    t.is(fake.requests.filter(({ path }) => path.startsWith("/token")).length, 1);
  });
