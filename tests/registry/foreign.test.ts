/** Foreign layers: left where their descriptors say, fetched from there, pushed when asked for; docker-registry and skopeo judge. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { isWbuildError } from "../../native/error.ts";
import { loadArchive } from "../../registry/archive/load.ts";
import { saveImages } from "../../registry/archive/save.ts";
import { isForeign, mediaTypes } from "../../registry/oci/image.ts";
import { parseManifest } from "../../registry/oci/schema.ts";
import { fetchBlob, pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { complain, type FakeRegistry, startFake } from "../doubles/fake-registry.ts";
import { makeImage } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { anonymousClient } from "../doubles/registry-client.ts";

const run = promisify(execFile);
const account = { username: "ann", password: "p4ss:word/+" };
let plain: RunningRegistry;
let secure: RunningRegistry;

test.before(async () => {
  [plain, secure] = await Promise.all([
    startRegistry({ allowUrls: true }),
    startRegistry({ allowUrls: true, tls: true, auth: account }),
  ]);
});
test.after.always(async () => {
  await Promise.all([plain, secure].map((registry) => registry?.close()));
});

const asAnn = () => anonymousClient({ credentials: { find: async () => account }, ca: secure.ca ?? "" });
const any = (manifests: readonly Descriptor[]) => manifests[0];

const dockerForeign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const ociForeign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

interface Made {
  readonly blobs: MemoryBlobs;
  readonly image: Descriptor;
  readonly foreign: Descriptor;
  readonly content: Uint8Array;
}

/** An image of two layers, the lower of which is foreign and names these addresses. */
async function foreignImage(urls: readonly string[], mediaType = dockerForeign): Promise<Made> {
  const blobs = new MemoryBlobs();
  const layers = [
    { name: "base", content: "b".repeat(300_000) },
    { name: "ours", content: "ours" },
  ];
  const format = mediaType === dockerForeign ? "docker" : "oci";
  const made = await makeImage(blobs, { layers, format });
  const manifest = parseManifest(blobs.content.get(made.digest) ?? Buffer.alloc(0), made.mediaType);
  const [first, ...rest] = manifest.layers;
  const foreign = { ...(first as Descriptor), mediaType, urls };
  const bytes = Buffer.from(JSON.stringify({ ...manifest, layers: [foreign, ...rest] }, undefined, 2));
  blobs.content.delete(made.digest);
  const image = await blobs.put(bytes, { mediaType: made.mediaType });
  return { blobs, image, foreign, content: blobs.content.get(foreign.digest) ?? Buffer.alloc(0) };
}

/** Serves `/layer` and remembers who asked; `/moved` leads there, `/busy` works at the second try. */
async function startMaker(content: () => Uint8Array): Promise<FakeRegistry> {
  let isBusy = true;
  return startFake((request, response) => {
    if (request.path === "/layer") return response.end(content());
    if (request.path === "/moved") return response.writeHead(302, { location: "/layer" }).end();
    if (request.path === "/busy" && isBusy) {
      isBusy = false;
      return response.writeHead(503).end();
    }
    return request.path === "/busy" ? response.end(content()) : response.writeHead(404).end();
  });
}

for (const [name, mediaType] of [
  ["docker", dockerForeign],
  ["oci", ociForeign],
] as const)
  test(`a push leaves foreign layers out, a pull finds them by their urls, in order (${name})`, async (t) => {
    let content: Uint8Array = Buffer.alloc(0);
    await using maker = await startMaker(() => content);
    const urls = ["gone", "layer", "never"].map((path) => `http://${maker.host}/${path}`);
    const made = await foreignImage(urls, mediaType);
    content = made.content;
    await using client = anonymousClient();
    const reference = parseReference(`${plain.host}/foreign/${name}:1`);
    const sent = await pushImage(client, made.image, reference, made.blobs);
    t.like(sent, { sent: 2, leftOut: 1 });
    t.false(await client.repository(reference).hasBlob(made.foreign.digest));

    const pulled = new MemoryBlobs();
    const found = await pullImage(client, reference, pulled, { choose: any });
    t.deepEqual(
      maker.requests.map(({ path }) => path),
      ["/gone", "/layer"],
    );
    t.deepEqual(found.manifest.layers[0], made.foreign);
    t.deepEqual([...pulled.content].sort(), [...made.blobs.content].sort());

    // And on to another place, byte for byte.
    const again = parseReference(`${plain.host}/foreign/${name}-again:1`);
    await pushImage(client, found.descriptor, again, pulled);
    t.is((await client.repository(again).manifest("1")).descriptor.digest, made.image.digest);
  });

test("with allowNondistributable the registry gets the bytes too, and is asked first from then on", async (t) => {
  await using maker = await startMaker(() => Buffer.alloc(0));
  const made = await foreignImage([`http://${maker.host}/layer`]);
  await using client = anonymousClient();
  const reference = parseReference(`${plain.host}/foreign/allowed:1`);
  t.like(await pushImage(client, made.image, reference, made.blobs, { allowNondistributable: true }), {
    sent: 3,
    leftOut: 0,
  });
  const pulled = new MemoryBlobs();
  t.is((await pullImage(client, reference, pulled, { choose: any })).descriptor.digest, made.image.digest);
  t.is(maker.requests.length, 0);
});

test("from a registry with TLS and a login, urls over http work, without the login; redirects too", async (t) => {
  let content: Uint8Array = Buffer.alloc(0);
  await using maker = await startMaker(() => content);
  const made = await foreignImage([`http://${maker.host}/moved`]);
  content = made.content;
  await using client = asAnn();
  const reference = parseReference(`${secure.host}/foreign/app:1`);
  await pushImage(client, made.image, reference, made.blobs);
  await pullImage(client, reference, new MemoryBlobs(), { choose: any });
  t.deepEqual(
    maker.requests.map(({ path, headers }) => [path, headers.authorization, headers.cookie]),
    [
      ["/moved", undefined, undefined],
      ["/layer", undefined, undefined],
    ],
  );
});

async function fetchVia(t: ExecutionContext, urls: (host: string) => string[], content: Uint8Array, served = content) {
  const maker = await startMaker(() => served);
  t.teardown(() => maker[Symbol.asyncDispose]());
  const fake = await startFake((request, response) =>
    request.headers.authorization === undefined && request.path.startsWith("/v2/")
      ? complain(response, 401, "UNAUTHORIZED", "who?", { "www-authenticate": 'Basic realm="x"' })
      : complain(response, 404, "BLOB_UNKNOWN", "not here"),
  );
  t.teardown(() => fake[Symbol.asyncDispose]());
  const client = anonymousClient({ credentials: { find: async () => account } });
  t.teardown(() => client.close());
  const into = new MemoryBlobs();
  const { digest, size } = await new MemoryBlobs().put(content, { mediaType: dockerForeign });
  const blob = {
    mediaType: dockerForeign,
    digest,
    size,
    urls: urls(maker.host).map((u) => u.replace("HOME", fake.host)),
  };
  const repository = client.repository(parseReference(`${fake.host}/team/app`));
  const work = fetchBlob(repository, blob, into).then(() => undefined);
  const error = await work.catch((thrown: unknown) => thrown);
  return { error, into, maker, fake };
}

test("an address that is overloaded is asked again", async (t) => {
  const { error, into } = await fetchVia(t, (host) => [`http://${host}/busy`], Buffer.from("layer"));
  t.is(error, undefined);
  t.is(into.content.size, 1);
});

test("what comes from an address must have the digest; nothing else of it is kept", async (t) => {
  const { error, into } = await fetchVia(
    t,
    (host) => [`http://${host}/layer`],
    Buffer.from("layer"),
    Buffer.from("other"),
  );
  t.true(isWbuildError(error, "REG_DIGEST_MISMATCH"));
  t.regex(String(error), /an address that the layer itself names/);
  t.is(into.content.size, 0);
});

test("the error names every address and why it did not do; secrets in them are not shown", async (t) => {
  const { error, maker, fake } = await fetchVia(
    t,
    (host) => [
      `http://${host}/gone`,
      "ftp://example.com/layer",
      "file:///etc/passwd",
      "/etc/passwd",
      "http://127.0.0.1:1/layer?sig=hunter22",
      `http://u:hunter23@HOME/v2/team/app/blobs/elsewhere`,
    ],
    Buffer.from("layer"),
  );
  t.true(isWbuildError(error, "REG_FOREIGN"), String(error));
  const text = String(error);
  for (const part of [
    `http://${maker.host}/gone: HTTP 404`,
    "ftp://example.com/layer: neither http nor https",
    "file:///etc/passwd: neither http nor https",
    "; /etc/passwd: neither http nor https",
    "http://127.0.0.1:1/layer?…: nothing listens there",
    `http://${fake.host}/v2/team/app/blobs/elsewhere: HTTP 401`,
  ])
    t.true(text.includes(part), `${part} in ${text}`);
  t.notRegex(`${text}${JSON.stringify(error)}`, /hunter2/);
  // The registry itself, named as such an address, gets no credentials either.
  const elsewhere = fake.requests.find(({ path }) => path.endsWith("/elsewhere"));
  t.not(elsewhere, undefined);
  t.is(elsewhere?.headers.authorization, undefined);
});

test("what is foreign is told by its type, and has addresses", (t) => {
  const urls = ["https://example.com/x"];
  const one = (mediaType: string, rest: object = { urls }) =>
    isForeign({ mediaType, digest: `sha256:${"0".repeat(64)}`, size: 1, ...rest });
  t.true(one(dockerForeign));
  t.true(one("application/vnd.docker.image.rootfs.foreign.diff.tar"));
  t.true(one("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"));
  t.false(one(mediaTypes.dockerLayerGzip));
  t.false(one(mediaTypes.ociLayer));
  t.false(one(dockerForeign, {}));
});

test("skopeo takes our image on with its urls, leaves the bytes out of a layout, and we load and push that layout", async (t) => {
  let content: Uint8Array = Buffer.alloc(0);
  await using maker = await startMaker(() => content);
  const made = await foreignImage([`http://${maker.host}/layer`], ociForeign);
  content = made.content;
  await using client = anonymousClient();
  const name = `${plain.host}/foreign/skopeo:1`;
  await pushImage(client, made.image, parseReference(name), made.blobs);
  const folder = await mkdtemp(join(tmpdir(), "wbuild-foreign-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const layout = join(folder, "layout");
  await run("skopeo", ["copy", "--src-tls-verify=false", "--preserve-digests", `docker://${name}`, `oci:${layout}:1`]);
  const blobPath = (digest: string) => join(layout, "blobs/sha256", digest.slice(7));
  await t.throwsAsync(readFile(blobPath(made.foreign.digest)), { code: "ENOENT" } as object);

  const loaded = new MemoryBlobs();
  const [image] = await loadArchive({ path: layout }, loaded);
  t.is(image?.descriptor.digest, made.image.digest);
  const again = parseReference(`${plain.host}/foreign/skopeo-again:1`);
  t.like(await pushImage(client, made.image, again, loaded), { leftOut: 1 });

  // Saved by us: without the bytes where they are not here, with them where they are. skopeo reads both.
  for (const [from, has] of [
    [loaded, false],
    [made.blobs, true],
  ] as const) {
    const path = join(folder, `saved-${has}`);
    const saved = [{ descriptor: made.image, refs: [name] }];
    await saveImages(saved, from, { to: { path }, format: "oci", tar: false });
    const back = new MemoryBlobs();
    t.is((await loadArchive({ path }, back))[0]?.descriptor.digest, made.image.digest);
    t.is(back.content.has(made.foreign.digest), has);
    const { stdout } = await run("skopeo", ["inspect", "--raw", `oci:${path}:1`]);
    t.deepEqual((JSON.parse(stdout) as { layers: Descriptor[] }).layers[0], made.foreign);
  }
  // A layer that is not foreign is still missed.
  const holed = new MemoryBlobs();
  for (const [digest, bytes] of loaded.content) holed.content.set(digest, bytes);
  const [, ours] = parseManifest(loaded.content.get(made.image.digest) ?? Buffer.alloc(0), made.image.mediaType).layers;
  holed.content.delete(ours?.digest as Descriptor["digest"]);
  await t.throwsAsync(
    saveImages([{ descriptor: made.image, refs: [] }], holed, {
      to: { path: join(folder, "holed") },
      format: "oci",
      tar: false,
    }),
    { code: "REG_INCOMPLETE" } as object,
  );
});
