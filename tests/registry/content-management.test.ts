/** Tags in pages, referrers with and without their API, deletion: against registries that know all of it, or little. */
import test from "ava";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { RegistryOptions } from "../../registry/client.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { referrersTag } from "../../registry/referrers.ts";
import { nextOf } from "../../registry/transport/pages.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { complain, startFake } from "../doubles/fake-registry.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { openApp } from "../doubles/registry-client.ts";

const open = (host: string, options: Partial<RegistryOptions> = {}) =>
  openApp(host, { ...options, retry: { attempts: 3, ...options.retry } });

const empty = Buffer.from("{}");
const emptyConfig = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(empty), size: 2 };
const image = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: emptyConfig, layers: [] }),
);
const subject: Descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(image), size: image.length };

/** A manifest that says something about `subject`. */
function about(artifactType: string, note = ""): Buffer {
  const content = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: emptyConfig,
    layers: [],
  };
  return Buffer.from(JSON.stringify({ ...content, subject, ...(note ? { annotations: { note } } : {}) }));
}

const links: [header: string | undefined, next: string | undefined][] = [
  [undefined, undefined],
  ['</v2/a/tags/list?last=b&n=2>; rel="next"', "/v2/a/tags/list?last=b&n=2"],
  ["</p?last=1,2>; rel=next", "/p?last=1,2"],
  ['</first>; rel="prev", <https://h/next?x=1>; rel="next"', "https://h/next?x=1"],
  ['</both>; title="a"; rel="up next"', "/both"],
  ['</prev>; rel="prev"', undefined],
  ['</x>; rel="nextish"', undefined],
  ["nonsense", undefined],
];
for (const [header, next] of links) test(`the next page of ${header}`, (t) => t.is(nextOf(header), next));

test("tags are asked for as told: how many at a time, after which, how many in all", async (t) => {
  const all = ["a", "b", "c", "d", "e"];
  await using fake = await startFake((request, response) => {
    const url = new URL(request.path, "http://x");
    const [last, n] = [url.searchParams.get("last") ?? "", Number(url.searchParams.get("n") ?? 100)];
    const rest = all.filter((tag) => tag > last);
    const page = rest.slice(0, n);
    const link = { link: `<${url.pathname}?last=${page.at(-1)}&n=${n}>; rel="next"` };
    response.writeHead(200, rest.length > n ? link : {}).end(JSON.stringify({ tags: page }));
  });
  await using opened = open(fake.host);
  const pages: (readonly string[])[] = [];
  for await (const page of opened.repository.tagPages({ pageSize: 2 })) pages.push(page);
  t.deepEqual(pages, [["a", "b"], ["c", "d"], ["e"]]);
  t.deepEqual(await opened.repository.tags({ last: "b" }), ["c", "d", "e"]);
  fake.requests.length = 0;
  t.deepEqual(await opened.repository.tags({ pageSize: 2, limit: 3 }), ["a", "b", "c"]);
  t.is(fake.requests.length, 2);
});

test("pages that lead back to themselves end in an error, and null is no tag", async (t) => {
  await using fake = await startFake((request, response) => {
    const link = `<${request.path.split("?")[0]}?last=a>; rel="next"`;
    response.writeHead(200, { link }).end('{"name":"x","tags":null}');
  });
  await using opened = open(fake.host);
  await t.throwsAsync(opened.repository.tags(), { code: "REG_PROTOCOL", message: /do not end/ } as object);
  t.is(fake.requests.length, 2);
});

for (const doesFilter of [true, false])
  test(`referrers of all pages, by type (${doesFilter ? "the registry filters" : "we filter"})`, async (t) => {
    const entries = ["x/a", "x/b", "x/a"].map((artifactType, i) => ({
      mediaType: mediaTypes.ociManifest,
      digest: digestOf(String(i)),
      size: i,
      artifactType,
    }));
    await using fake = await startFake((request, response) => {
      const url = new URL(request.path, "http://x");
      const type = url.searchParams.get("artifactType");
      const kept = entries.filter((entry) => !doesFilter || type === null || entry.artifactType === type);
      const isSecond = url.searchParams.has("page");
      const manifests = isSecond ? kept.slice(1) : kept.slice(0, 1);
      const next = `<${url.pathname}?${type === null ? "" : `artifactType=${encodeURIComponent(type)}&`}page=2>; rel="next"`;
      response.writeHead(200, {
        "content-type": mediaTypes.ociIndex,
        ...(doesFilter && type !== null ? { "oci-filters-applied": "artifactType" } : {}),
        ...(isSecond ? {} : { link: next }),
      });
      response.end(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
    });
    await using opened = open(fake.host);
    const digestsOf = (found: readonly Descriptor[]) => found.map(({ digest }) => digest);
    t.deepEqual(digestsOf(await opened.repository.referrers(subject.digest)), digestsOf(entries));
    const some = await opened.repository.referrers(subject.digest, { artifactType: "x/a" });
    t.deepEqual(digestsOf(some), [entries[0]?.digest, entries[2]?.digest] as never);
    t.true(fake.requests[2]?.path.endsWith(`/referrers/${subject.digest}?artifactType=x%2Fa`));
  });

const strangers: [title: string, status: number, body: string][] = [
  ["404", 404, ""],
  ["405", 405, ""],
  ["400", 400, ""],
  ["a page for people", 200, "<html>hello</html>"],
  ["an object of another kind", 200, '{"ok":true}'],
];
for (const [title, status, body] of strangers)
  test(`a registry that answers the referrers API with ${title} is asked for the tag`, async (t) => {
    const entry = { mediaType: mediaTypes.ociManifest, digest: digestOf("1"), size: 1, artifactType: "x/a" };
    const odd = { mediaType: "x/y", digest: `sha512:${"0".repeat(128)}`, size: 1 };
    await using fake = await startFake((request, response) => {
      if (request.path.includes("/referrers/")) return response.writeHead(status).end(body);
      if (!request.path.endsWith(`/manifests/${referrersTag(subject.digest)}`))
        return complain(response, 404, "X", "x");
      response.writeHead(200, { "content-type": mediaTypes.ociIndex });
      return response.end(
        JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [odd, entry] }),
      );
    });
    await using opened = open(fake.host);
    t.deepEqual(await opened.repository.referrers(subject.digest), [entry]);
    t.deepEqual(await opened.repository.referrers(subject.digest, { artifactType: "x/b" }), []);
    t.deepEqual(await opened.repository.referrers(digestOf("nobody")), []);
  });

test("OCI-Subject says that the registry keeps the list: nothing else is pushed", async (t) => {
  await using fake = await startFake((_request, response) =>
    response.writeHead(201, { "oci-subject": subject.digest }).end(),
  );
  await using opened = open(fake.host);
  await opened.repository.pushManifest(about("x/a"), mediaTypes.ociManifest);
  t.deepEqual(
    fake.requests.map(({ method }) => method),
    ["PUT"],
  );
});

test("docker-registry: the list of referrers is kept under a tag, by several at once, and shrinks with deletion", async (t) => {
  await using registry = await startRegistry();
  await using one = open(registry.host);
  await using two = open(registry.host);
  const { repository } = one;
  await repository.pushBlob(emptyConfig, async function* () {
    yield empty;
  });
  await repository.pushManifest(image, mediaTypes.ociManifest, "v1");
  const documents = ["x/a", "x/b", "x/a"].map((type, i) => about(type, String(i)));
  await Promise.all(
    documents.map((bytes, i) => (i === 0 ? two : one).repository.pushManifest(bytes, mediaTypes.ociManifest)),
  );
  const found = await repository.referrers(subject.digest);
  t.deepEqual(found.map(({ digest }) => digest).sort(), documents.map((bytes) => digestOf(bytes)).sort());
  t.deepEqual(found.map(({ annotations }) => annotations?.note).sort(), ["0", "1", "2"]);
  const some = await repository.referrers(subject.digest, { artifactType: "x/b" });
  t.deepEqual(
    some.map(({ digest, artifactType }) => [digest, artifactType]),
    [[digestOf(documents[1] as Buffer), "x/b"]],
  );
  await repository.deleteManifest(digestOf(documents[1] as Buffer));
  t.deepEqual(await repository.referrers(subject.digest, { artifactType: "x/b" }), []);
  t.is((await repository.referrers(subject.digest)).length, 2);
});

test("docker-registry deletes by digest only: a tag goes all the same, and its manifest and other tags stay", async (t) => {
  await using registry = await startRegistry();
  await using opened = open(registry.host);
  const { repository } = opened;
  await repository.pushBlob(emptyConfig, async function* () {
    yield empty;
  });
  for (const tag of ["one", "two"]) await repository.pushManifest(image, mediaTypes.ociManifest, tag);
  await repository.deleteManifest("one");
  t.deepEqual(await repository.tags(), ["two"]);
  t.is((await repository.resolve(subject.digest)).digest, subject.digest);
  await t.throwsAsync(repository.deleteManifest("one"), { code: "REG_NOT_FOUND" } as object);
  await repository.deleteManifest(subject.digest);
  await t.throwsAsync(repository.resolve("two"), { code: "REG_NOT_FOUND" } as object);
  await t.throwsAsync(repository.deleteManifest(subject.digest), { code: "REG_NOT_FOUND" } as object);
  await repository.deleteBlob(emptyConfig.digest);
  t.false(await repository.hasBlob(emptyConfig.digest));
  await t.throwsAsync(repository.deleteBlob(emptyConfig.digest), { code: "REG_NOT_FOUND" } as object);
});

test("a registry that allows no deletion says so, and keeps the tag", async (t) => {
  await using fake = await startFake((request, response) => {
    if (request.method === "DELETE") return complain(response, 405, "UNSUPPORTED", "the operation is unsupported");
    if (request.method === "PUT") return response.writeHead(201).end();
    return response
      .writeHead(200, { "content-type": mediaTypes.ociManifest })
      .end(request.method === "HEAD" ? "" : image);
  });
  await using opened = open(fake.host);
  for (const work of [
    () => opened.repository.deleteManifest("v1"),
    () => opened.repository.deleteManifest(subject.digest),
    () => opened.repository.deleteBlob(emptyConfig.digest),
  ]) {
    const error = await t.throwsAsync(work(), { code: "REG_UNSUPPORTED" } as object);
    t.regex(String(error), /HTTP 405: UNSUPPORTED/);
  }
  t.deepEqual(
    fake.requests.filter(({ method, path }) => method === "PUT" && path.endsWith("/v1")),
    [],
  );
});

test("a deletion whose answer was lost has happened", async (t) => {
  let answers = 0;
  await using fake = await startFake((_request, response) => {
    if (answers++ === 0) return response.socket?.destroy();
    return complain(response, 404, "BLOB_UNKNOWN", "gone");
  });
  await using opened = open(fake.host);
  await t.notThrowsAsync(opened.repository.deleteBlob(emptyConfig.digest));
});

test("manifests of a type that nobody knows are carried as they are", async (t) => {
  const type = "application/vnd.example.thing.v3+json";
  const bytes = Buffer.from('{ "schemaVersion": 2,  "things": [null, 1] }');
  const kept = new Map<string, Buffer>();
  await using fake = await startFake((request, response) => {
    const name = request.path.split("/").at(-1) ?? "";
    if (request.method === "PUT") {
      t.is(request.headers["content-type"], type);
      kept.set(name, request.body);
      return response.writeHead(201, { "docker-content-digest": digestOf(request.body) }).end();
    }
    t.regex(request.headers.accept ?? "", /\*\/\*/);
    const body = kept.get(name) ?? Buffer.from("");
    response.writeHead(200, {
      "content-type": type,
      "docker-content-digest": digestOf(body),
      "content-length": body.length,
    });
    return response.end(request.method === "HEAD" ? undefined : body);
  });
  await using opened = open(fake.host);
  const pushed = await opened.repository.pushManifest(bytes, type, "x");
  const found = await opened.repository.manifest("x");
  t.deepEqual(Buffer.from(found.bytes), bytes);
  t.deepEqual([found.mediaType, found.descriptor.digest], [type, pushed.digest]);
  t.deepEqual(await opened.repository.resolve("x"), pushed);
});

test("an index is pushed with entries of a type that nobody knows", async (t) => {
  const type = "application/vnd.example.thing.v3+json";
  const thing = Buffer.from('{"things":[1]}');
  const from = new MemoryBlobs();
  const child = await from.put(thing, { mediaType: type });
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] }, undefined, 1),
  );
  const named = await from.put(index, { mediaType: mediaTypes.ociIndex });
  await using fake = await startFake((_request, response) => response.writeHead(201).end());
  await using opened = open(fake.host);
  await pushImage(opened.client, named, parseReference(`${fake.host}/team/app:1`), from);
  t.deepEqual(
    fake.requests.map(({ path, headers, body }) => [path.split("/").at(-1), headers["content-type"], String(body)]),
    [
      [child.digest, type, String(thing)],
      ["1", mediaTypes.ociIndex, String(index)],
    ],
  );
});

test("refused: a manifest that is not what Docker-Content-Digest or its descriptor says", async (t) => {
  await using fake = await startFake((request, response) => {
    const digest = request.path.endsWith("/lie") ? digestOf("other") : digestOf(image);
    response.writeHead(200, { "content-type": mediaTypes.ociManifest, "docker-content-digest": digest }).end(image);
  });
  await using opened = open(fake.host);
  await t.throwsAsync(opened.repository.manifest("lie"), { code: "REG_DIGEST_MISMATCH" } as object);
  const wrong = { ...subject, size: subject.size + 1 };
  await t.throwsAsync(opened.repository.manifest(wrong), { code: "REG_SIZE_MISMATCH" } as object);
});
