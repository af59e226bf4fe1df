/** Mirrors, moved, blocked and insecure registries against real ones: what is asked where, and what is fallen back to. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import anyTest, { type TestFn } from "ava";
import type { RegistryOptions } from "../../../registry/client.ts";
import { openHosts } from "../../../registry/hosts/lookup.ts";
import { pullImage } from "../../../registry/pull.ts";
import { pushImage } from "../../../registry/push.ts";
import { parseReference } from "../../../registry/reference.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { complain, type FakeRegistry, startFake } from "../../doubles/fake-registry.ts";
import { makeImage } from "../../doubles/images.ts";
import { onLoopback } from "../../doubles/loopback.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";
import { anonymousClient } from "../../doubles/registry-client.ts";

const test = anyTest as TestFn<{ folder: string }>;
test.beforeEach(async (t) => {
  t.context.folder = await mkdtemp(join(tmpdir(), "wbuild-mirrors-"));
});
test.afterEach.always((t) => rm(t.context.folder, { recursive: true, force: true }));

const choose = () => undefined;

/** A client of a machine that has these files below its root. */
async function clientOf(
  folder: string,
  files: Readonly<Record<string, string>>,
  options: Partial<RegistryOptions> = {},
) {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return anonymousClient({
    hosts: openHosts({ root: folder, env: { HOME: join(folder, "home") } }),
    ...options,
  });
}

const conf = "etc/containers/registries.conf";

/** Stands before a registry and writes down what is asked of it. */
async function watched(target: string) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    void (async () => {
      const answer = await fetch(`http://${target}${request.url}`, {
        method: request.method ?? "GET",
        headers: { accept: request.headers.accept ?? "*/*" },
      });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(Buffer.from(await answer.arrayBuffer()));
    })();
  });
  return { ...(await onLoopback(server)), seen };
}

const asked = ({ requests }: FakeRegistry) =>
  requests.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f]{64}/, "…")}`);

test("a pull comes from the mirror and asks the registry nothing; a push goes to the registry alone", async (t) => {
  await using home = await startFake((_request, response) => complain(response, 500, "UNKNOWN", "nobody should ask"));
  await using mirror = await startRegistry();
  await using before = await watched(mirror.host);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using direct = await clientOf(t.context.folder, {});
  await pushImage(direct, image, parseReference(`${mirror.host}/hub/team/app:1`), ours);

  await using client = await clientOf(t.context.folder, {
    [conf]: `[[registry]]\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${before.host}/hub"\n`,
  });
  const reference = parseReference(`${home.host}/team/app:1`);
  t.is((await pullImage(client, reference, new MemoryBlobs(), { choose })).descriptor.digest, image.digest);
  t.deepEqual(asked(home), []);
  t.is(before.seen.filter((line) => line.startsWith("GET /v2/hub/team/app/")).length, 3);
  const count = before.seen.length;
  const error = await t.throwsAsync(pushImage(client, image, reference, ours));
  t.regex(String(error), new RegExp(`at ${home.host}/team/app: HTTP 500`));
  t.is(
    before.seen.length,
    count,
    "no question and no byte of a push goes to a mirror, also not whether a blob is there",
  );
});

test("what a mirror lacks, refuses or breaks comes from the next place, and last from the registry itself", async (t) => {
  await using home = await startRegistry();
  await using empty = await startRegistry();
  await using refusing = await startFake((_request, response) => complain(response, 403, "DENIED", "not you"));
  await using broken = await startFake((_request, response) => complain(response, 502, "UNKNOWN", "bad gateway"));
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const mirrors = ["127.0.0.1:1", empty.host, refusing.host, broken.host];
  const entries = mirrors.map((location) => `[[registry.mirror]]\nlocation = "${location}"\n`);
  await using client = await clientOf(t.context.folder, {
    [conf]: `[[registry]]\nlocation = "${home.host}"\n${entries.join("")}`,
  });
  const reference = parseReference(`${home.host}/team/app:1`);
  await pushImage(client, image, reference, ours);
  t.is((await pullImage(client, reference, new MemoryBlobs(), { choose })).descriptor.digest, image.digest);
  t.is(broken.requests.length, 3, "a mirror is asked once for each of manifest, config and layer");
  const error = await t.throwsAsync(client.repository(reference).manifest("nothing"), {
    code: "REG_NOT_FOUND",
  } as object);
  t.regex(String(error), /mirrors of .*registries\.conf before that: .*not you.*bad gateway/);
  t.false(String(error).includes("127.0.0.1:1:"), "who could not be reached before is not asked again");
});

test("a mirror whose answers break off is left alone after the second", async (t) => {
  await using home = await startRegistry();
  await using breaking = await startFake((_request, response) => {
    response.writeHead(200, { "content-length": "1000000", "content-type": "application/octet-stream" });
    response.write("{", () => response.destroy());
  });
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using client = await clientOf(t.context.folder, {
    [conf]: `[[registry]]\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${breaking.host}"\n`,
  });
  const reference = parseReference(`${home.host}/team/app:1`);
  await pushImage(client, image, reference, ours);
  t.is((await pullImage(client, reference, new MemoryBlobs(), { choose })).descriptor.digest, image.digest);
  t.is(breaking.requests.length, 2);
});

const spoilt = (body: Buffer) => Buffer.from(body.map((byte) => byte ^ 1));
const wrongs: [title: string, on: RegExp, change: (body: Buffer) => Buffer, headers?: Record<string, string>][] = [
  ["a configuration of other bytes", /blobs/, spoilt],
  // Configurations are JSON.
  ["a layer of other bytes", /blobs/, (body) => (body[0] === 0x7b ? body : spoilt(body))],
  ["blobs that are too short", /blobs/, (body) => body.subarray(1)],
  ["blobs that are too long", /blobs/, (body) => Buffer.concat([body, body])],
  ["nothing for a blob", /blobs/, () => Buffer.alloc(0)],
  [
    "blobs that say themselves that they are others",
    /blobs/,
    (body) => body,
    { "docker-content-digest": `sha256:${"0".repeat(64)}` },
  ],
  ["a manifest of other bytes under a tag", /manifests/, (body) => Buffer.concat([body, Buffer.from(" ")])],
];
for (const [title, on, change, headers] of wrongs)
  test(`a mirror that gives ${title} is told of, and what is right comes from the next place`, async (t) => {
    await using home = await startRegistry();
    const lying = () =>
      startFake((request, response) => {
        void (async () => {
          const accept = request.headers.accept ?? "*/*";
          const answer = await fetch(`http://${home.host}${request.path}`, { headers: { accept } });
          const body = Buffer.from(await answer.arrayBuffer());
          const sent = on.test(request.path) ? change(body) : body;
          const said = { ...Object.fromEntries(answer.headers), ...(on.test(request.path) ? headers : {}) };
          response.writeHead(answer.status, { ...said, "content-length": String(sent.length) }).end(sent);
        })();
      });
    await using first = await lying();
    await using second = await lying();
    const ours = new MemoryBlobs();
    const image = await makeImage(ours);
    const warnings: string[] = [];
    const mirrors = [first, second].map(({ host }) => `[[registry.mirror]]\nlocation = "${host}"\n`).join("");
    await using client = await clientOf(
      t.context.folder,
      { [conf]: `[[registry]]\nlocation = "${home.host}"\n${mirrors}` },
      { warn: (text) => void warnings.push(text), retry: { attempts: 2, baseMs: 1, capMs: 1 } },
    );
    const reference = parseReference(`${home.host}/team/app:1`);
    await pushImage(client, image, reference, ours);
    const into = new MemoryBlobs();
    t.is((await pullImage(client, reference, into, { choose })).descriptor.digest, image.digest);
    t.deepEqual(
      warnings,
      [first, second].map(
        ({ host }) => `the mirror ${host} gave wrong content of ${home.host}/team/app, and is asked no more`,
      ),
    );
    const before = first.requests.length + second.requests.length;
    await client.repository(reference).manifest(image.digest);
    t.is(first.requests.length + second.requests.length, before);
  });

test("mirrors for digests are not asked for tags, those for tags give what belongs to one", async (t) => {
  await using home = await startRegistry();
  await using copy = await startRegistry();
  await using digests = await watched(copy.host);
  await using tags = await watched(copy.host);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using direct = await clientOf(t.context.folder, {});
  for (const { host } of [home, copy]) await pushImage(direct, image, parseReference(`${host}/app:1`), ours);
  const text = (host: string, use: string) =>
    `[[registry]]\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${host}"\npull-from-mirror = "${use}"\n`;
  const reference = parseReference(`${home.host}/app:1`);
  await using byDigest = await clientOf(t.context.folder, { [conf]: text(digests.host, "digest-only") });
  await pullImage(byDigest, reference, new MemoryBlobs(), { choose });
  t.deepEqual(
    digests.seen.filter((line) => line.includes("/manifests/")),
    [],
  );
  await pullImage(byDigest, { ...reference, digest: image.digest }, new MemoryBlobs(), { choose });
  t.is(digests.seen.filter((line) => line.includes("/manifests/sha256:")).length, 1);

  await using byTag = await clientOf(t.context.folder, { [conf]: text(tags.host, "tag-only") });
  await byTag.repository(reference).manifest(image.digest);
  t.deepEqual(
    tags.seen.filter((line) => line.includes("/manifests/")),
    [],
  );
  await pullImage(byTag, reference, new MemoryBlobs(), { choose });
  t.is(tags.seen.filter((line) => line.includes("/manifests/1") || line.includes("/blobs/")).length, 3);
});

test("who is going to push asks what is there at the registry itself, also for manifests", async (t) => {
  await using home = await startRegistry();
  await using mirror = await startRegistry();
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using direct = await clientOf(t.context.folder, {});
  await pushImage(direct, image, parseReference(`${mirror.host}/app:1`), ours);
  await using client = await clientOf(t.context.folder, {
    [conf]: `[[registry]]\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\n`,
  });
  const reference = parseReference(`${home.host}/app:1`);
  const source = client.repository(reference);
  const target = client.repository(reference, { isTarget: true });
  t.is((await source.resolve("1")).digest, image.digest);
  await t.throwsAsync(target.resolve("1"), { code: "REG_NOT_FOUND" } as object);
  await t.throwsAsync(target.manifest(image.digest), { code: "REG_NOT_FOUND" } as object);
  await pushImage(client, image, reference, ours);
  t.is((await target.resolve("1")).digest, image.digest);
});

test("a blocked registry is not asked, whatever is wanted of it", async (t) => {
  await using home = await startFake((_request, response) => void response.end());
  await using client = await clientOf(t.context.folder, {
    [conf]: `[[registry]]\nlocation = "${home.host}"\nblocked = true\n`,
  });
  const repository = client.repository(parseReference(`${home.host}/app`));
  const expected = { code: "REG_BLOCKED", message: /is blocked by .*registries\.conf/ } as object;
  await t.throwsAsync(repository.manifest("1"), expected);
  await t.throwsAsync(repository.tags(), expected);
  await t.throwsAsync(repository.startUpload(), expected);
  t.deepEqual(home.requests, []);
});

test("another location: the same name comes from there", async (t) => {
  await using moved = await startRegistry();
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using client = await clientOf(t.context.folder, {
    [conf]: `[[registry]]\nprefix = "old.invalid/team"\nlocation = "${moved.host}/new"\n`,
  });
  await pushImage(client, image, parseReference(`${moved.host}/new/app:1`), ours);
  const pulled = await pullImage(client, parseReference("old.invalid/team/app:1"), new MemoryBlobs(), { choose });
  t.is(pulled.descriptor.digest, image.digest);
});

test("hosts.toml: headers and ?ns= go to a mirror and not to where it redirects; pushes go to the first that takes them", async (t) => {
  await using storage = await startFake((_request, response) => void response.end("bytes"));
  const headers: unknown[] = [];
  await using mirror = await startFake((request, response) => {
    headers.push(request.headers["x-mirror-key"]);
    if (request.path.includes("/blobs/")) response.writeHead(307, { location: `http://${storage.host}/there` }).end();
    else complain(response, 404, "MANIFEST_UNKNOWN", "not here");
  });
  await using target = await startRegistry();
  const hosts = [
    `[host."http://${mirror.host}/cache"]`,
    'capabilities = ["pull", "resolve"]',
    `[host."http://${mirror.host}/cache".header]`,
    'x-mirror-key = "key-of-the-mirror"',
    `[host."http://${target.host}"]`,
  ];
  await using client = await clientOf(t.context.folder, {
    "etc/containerd/certs.d/r.invalid/hosts.toml": hosts.join("\n"),
  });
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const reference = parseReference("r.invalid/team/app:1");
  await pushImage(client, image, reference, ours);
  t.deepEqual(mirror.requests, [], "it has no capability to push");
  t.is((await client.repository(reference).manifest("1")).descriptor.digest, image.digest);
  t.deepEqual(asked(mirror), ["GET /cache/v2/team/app/manifests/1?ns=r.invalid"]);
  const { digest } = await ours.put(Buffer.from("bytes"), { mediaType: "a/b" });
  const parts: Uint8Array[] = [];
  for await (const part of client.repository(reference).blob({ mediaType: "a/b", digest, size: 5 })) parts.push(part);
  t.is(Buffer.concat(parts).toString(), "bytes");
  t.deepEqual(headers, ["key-of-the-mirror", "key-of-the-mirror"]);
  t.is(storage.requests[0]?.headers["x-mirror-key"], undefined);
});

test("both files speak of a host: registries.conf counts; a host without a place for pushes says so", async (t) => {
  await using one = await startRegistry();
  await using two = await startFake((_request, response) => complain(response, 404, "NAME_UNKNOWN", "the wrong one"));
  const toml = {
    "etc/containerd/certs.d/r.invalid/hosts.toml": `server = "http://${two.host}"\ncapabilities = ["pull"]\n`,
  };
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  await using direct = await clientOf(t.context.folder, toml);
  await pushImage(direct, image, parseReference(`${one.host}/app:1`), ours);
  await t.throwsAsync(direct.repository(parseReference("r.invalid/app")).startUpload(), {
    code: "REG_HOSTS",
    message: /hosts\.toml names no host that takes pushes to r\.invalid\/app/,
  } as object);
  await using client = await clientOf(t.context.folder, {
    ...toml,
    [conf]: `[[registry]]\nprefix = "r.invalid"\nlocation = "${one.host}"\n`,
  });
  const pulled = await pullImage(client, parseReference("r.invalid/app:1"), new MemoryBlobs(), { choose });
  t.is(pulled.descriptor.digest, image.digest);
  t.deepEqual(two.requests, []);
});

test("credentials for a registry do not go to its mirror, nor the mirror's to the registry", async (t) => {
  const seen: (string | undefined)[][] = [[], []];
  const server = (list: (string | undefined)[], status: number) =>
    startFake((request, response) => {
      list.push(request.headers.authorization);
      if (request.headers.authorization === undefined)
        return complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": 'Basic realm="r"' });
      return complain(response, status, "MANIFEST_UNKNOWN", "not here");
    });
  await using home = await server(seen[0] ?? [], 404);
  await using mirror = await server(seen[1] ?? [], 404);
  const asking: string[] = [];
  await using client = await clientOf(
    t.context.folder,
    { [conf]: `[[registry]]\nlocation = "${home.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/in"\n` },
    {
      credentials: {
        async find(registry, repository) {
          asking.push(`${registry}/${repository}`);
          return { username: registry === home.host ? "home" : "mirror", password: "pw" };
        },
      },
    },
  );
  await t.throwsAsync(client.repository(parseReference(`${home.host}/app`)).manifest("1"), {
    code: "REG_NOT_FOUND",
  } as object);
  const basic = (name: string) => `Basic ${Buffer.from(`${name}:pw`).toString("base64")}`;
  t.deepEqual(seen, [
    [undefined, basic("home")],
    [undefined, basic("mirror")],
  ]);
  t.deepEqual(asking, [`${mirror.host}/in/app`, `${home.host}/app`]);
});
