/** Pull and push against Debian's docker-registry, with skopeo as the independent other side. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { isWbuildError } from "../../native/error.ts";
import type { RegistryOptions } from "../../registry/client.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { pullImage } from "../../registry/pull.ts";
import { pushImage } from "../../registry/push.ts";
import { parseReference } from "../../registry/reference.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { startFaultProxy } from "../doubles/fault-proxy.ts";
import { makeImage, makeIndex, type SampleOptions } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";
import { anonymousClient } from "../doubles/registry-client.ts";

const run = promisify(execFile);
let plain: RunningRegistry;
let basic: RunningRegistry;
let secure: RunningRegistry;
const account = { username: "ann", password: "p4ss:word/+" };

test.before(async () => {
  [plain, basic, secure] = await Promise.all([
    startRegistry(),
    startRegistry({ auth: account }),
    startRegistry({ tls: true, auth: account }),
  ]);
});
test.after.always(async () => {
  await Promise.all([plain, basic, secure].map((registry) => registry?.close()));
});

const asAnn: Partial<RegistryOptions> = { credentials: { find: async () => account } };
const amd64 = (manifests: readonly Descriptor[]) => manifests.find((m) => m.platform?.architecture === "amd64");

const shapes: SampleOptions[] = [
  { format: "oci", compression: "gzip" },
  { format: "oci", compression: "zstd" },
  { format: "oci", compression: "none" },
  { format: "docker", compression: "gzip" },
  { format: "docker", compression: "none" },
];
for (const shape of shapes) {
  test(`pushed by us, copied by skopeo, pulled by us: same bytes (${shape.format}, ${shape.compression})`, async (t) => {
    const name = `shape/${shape.format}-${shape.compression}`;
    await using client = anonymousClient();
    const ours = new MemoryBlobs();
    const layers = [
      { name: "a", content: "a".repeat(300_000) },
      { name: "b", content: "b" },
      { name: "c", content: "c" },
    ];
    const image = await makeImage(ours, { ...shape, layers });
    const result = await pushImage(client, image, parseReference(`${plain.host}/${name}:1`), ours);
    t.deepEqual([result.sent, result.mounted, result.present], [4, 0, 0]);

    const flags = ["--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests"];
    await run("skopeo", [
      "copy",
      ...flags,
      `docker://${plain.host}/${name}:1`,
      `docker://${plain.host}/${name}-copy:2`,
    ]);

    const pulled = new MemoryBlobs();
    const found = await pullImage(client, parseReference(`${plain.host}/${name}-copy:2`), pulled, { choose: amd64 });
    t.is(found.descriptor.digest, image.digest);
    t.is(found.descriptor.mediaType, image.mediaType);
    t.is(found.config.history?.[0]?.created_by, "COPY a /");
    t.deepEqual([...pulled.content].sort(), [...ours.content].sort());
  });
}

test("pushed by skopeo from an OCI layout of umoci, pulled by us", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wbuild-umoci-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const layout = join(folder, "layout");
  await run("umoci", ["init", "--layout", layout]);
  await run("umoci", ["new", "--image", `${layout}:one`]);
  await run("umoci", ["insert", "--image", `${layout}:one`, "/etc/hostname", "/etc/hostname"]);
  await run("skopeo", ["copy", "--dest-tls-verify=false", `oci:${layout}:one`, `docker://${plain.host}/umoci:one`]);
  await using client = anonymousClient();
  const pulled = new MemoryBlobs();
  const found = await pullImage(client, parseReference(`${plain.host}/umoci:one`), pulled, { choose: amd64 });
  t.is(found.manifest.mediaType, mediaTypes.ociManifest);
  t.is(found.layers.length, 1);
  t.is(pulled.content.size, 3);
});

test("a second push sends nothing; another repository of the registry gives its blobs by mount", async (t) => {
  await using client = anonymousClient();
  const ours = new MemoryBlobs();
  const image = await makeImage(ours, { layers: [{ name: "m", content: "mounted" }] });
  await pushImage(client, image, parseReference(`${plain.host}/mount/from`), ours);
  const again = await pushImage(client, image, parseReference(`${plain.host}/mount/from`), ours);
  t.deepEqual([again.sent, again.mounted, again.present], [0, 0, 2]);
  const mounted = await pushImage(client, image, parseReference(`${plain.host}/mount/to`), ours, {
    mountFrom: () => ["mount/nobody", "mount/from"],
  });
  t.deepEqual([mounted.sent, mounted.mounted, mounted.present], [0, 2, 0]);
});

test("neither waits: the configuration for layers, nor a layer for the configuration", async (t) => {
  await using client = anonymousClient();
  const reference = parseReference(`${plain.host}/beside:1`);
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const { config } = JSON.parse(Buffer.from(ours.content.get(image.digest) ?? []).toString()) as { config: Descriptor };
  // Layers come to an end only when the configuration has: whoever does one behind the other never ends.
  const sent = once();
  const open = ours.open.bind(ours);
  ours.open = async function* (blob, range) {
    if (blob.digest === config.digest) sent.tell();
    else if (blob.digest !== image.digest) await sent.told;
    yield* open(blob, range);
  };
  t.is((await pushImage(client, image, reference, ours)).sent, ours.content.size - 1);

  const pulled = new MemoryBlobs();
  const kept = once();
  const put = pulled.put.bind(pulled);
  pulled.put = async (bytes, expect) => {
    if (expect.digest !== config.digest && expect.digest !== image.digest) await kept.told;
    const blob = await put(bytes, expect);
    if (expect.digest === config.digest) kept.tell();
    return blob;
  };
  await pullImage(client, reference, pulled, { choose: amd64 });
  t.deepEqual([...pulled.content.keys()].at(-1), image.digest, "the manifest comes last");
});

test("a pull of what is there asks for the manifest alone", async (t) => {
  await using client = anonymousClient();
  const reference = parseReference(`${plain.host}/again:1`);
  const ours = new MemoryBlobs();
  await pushImage(client, await makeImage(ours), reference, ours);
  const pulled = new MemoryBlobs();
  const first = await pullImage(client, reference, pulled, { choose: amd64 });
  await using proxy = await startFaultProxy(plain.host);
  const through = parseReference(`${proxy.host}/again:1`);
  t.deepEqual(await pullImage(client, through, pulled, { choose: amd64 }), first);
  t.deepEqual(
    proxy.requests.filter((line) => line !== "GET /v2/"),
    ["GET /v2/again/manifests/1"],
  );
});

function once() {
  let tell = () => {};
  const told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { told, tell: () => tell() };
}

test("an index is pushed with its children, and the wanted platform comes back", async (t) => {
  await using client = anonymousClient();
  const ours = new MemoryBlobs();
  const index = await makeIndex(ours, ["arm64", "amd64"]);
  const reference = parseReference(`${plain.host}/index:many`);
  await pushImage(client, index, reference, ours);
  const repository = client.repository(reference);
  t.is((await repository.resolve("many")).digest, index.digest);
  const pulled = await pullImage(client, reference, new MemoryBlobs(), { choose: amd64 });
  t.is(pulled.config.architecture, "amd64");
  const error = await t.throwsAsync(pullImage(client, reference, new MemoryBlobs(), { choose: () => undefined }));
  t.true(isWbuildError(error, "REG_PLATFORM"));
  t.deepEqual((error as { facts?: object }).facts, { offered: ["linux/arm64", "linux/amd64"] });
});

test("basic authentication: refused to strangers with a hint, open to the account", async (t) => {
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const reference = parseReference(`${basic.host}/private/app:1`);
  await using stranger = anonymousClient();
  const error = await t.throwsAsync(pushImage(stranger, image, reference, ours), {
    code: "REG_UNAUTHORIZED",
  } as object);
  t.regex(String(error), /cannot .* at 127\.0\.0\.1:\d+\/private\/app: HTTP 401: UNAUTHORIZED/);
  t.is((error as { hint?: string }).hint, `log in with: wbuild login ${basic.host}`);

  await using client = anonymousClient(asAnn);
  await pushImage(client, image, reference, ours);
  const pulled = await pullImage(client, reference, new MemoryBlobs(), { choose: amd64 });
  t.is(pulled.descriptor.digest, image.digest);
  await t.notThrowsAsync(client.checkLogin(basic.host, account));
  await t.throwsAsync(client.checkLogin(basic.host, { ...account, password: "wrong-one" }), {
    code: "REG_UNAUTHORIZED",
  } as object);
});

test("TLS: an unknown authority is named, a known one is trusted, and checks can be switched off aloud", async (t) => {
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  const reference = parseReference(`${secure.host}/tls/app:1`);
  await using doubting = anonymousClient(asAnn);
  await t.throwsAsync(pushImage(doubting, image, reference, ours), { code: "REG_TLS" } as object);
  await using trusting = anonymousClient({ ...asAnn, ca: secure.ca ?? "" });
  await pushImage(trusting, image, reference, ours);
  const warnings: string[] = [];
  await using careless = anonymousClient({ ...asAnn, insecure: [secure.host], warn: (text) => warnings.push(text) });
  t.is((await pullImage(careless, reference, new MemoryBlobs(), { choose: amd64 })).descriptor.digest, image.digest);
  t.deepEqual(warnings, [`the certificate of ${secure.host} is not checked`]);
});

for (const name of ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])
  test.serial(`TLS: ${name} names an authority; a file that is none is told`, async (t) => {
    const before = process.env[name];
    t.teardown(() =>
      before === undefined ? delete process.env[name] : Object.assign(process.env, { [name]: before }),
    );
    process.env[name] = secure.caFile;
    await using client = anonymousClient(asAnn);
    await t.notThrowsAsync(client.checkLogin(secure.host, account));
    process.env[name] = "/nowhere.pem";
    await using lost = anonymousClient(asAnn);
    await t.throwsAsync(lost.checkLogin(secure.host, account), { code: "REG_TLS", message: /nowhere\.pem/ } as object);
  });

test("a layer is streamed before its digest is known, and is then there", async (t) => {
  await using client = anonymousClient();
  const repository = client.repository(parseReference(`${plain.host}/stream/app`));
  const blobs = new MemoryBlobs();
  const part = Buffer.alloc(1_000_000, "x");
  const whole = await blobs.put(Buffer.concat([part, part, part]), { mediaType: mediaTypes.ociLayer });
  const upload = await repository.startUpload();
  t.is(
    await upload.write(
      (async function* () {
        yield part;
        yield Buffer.alloc(0);
        yield part;
      })(),
    ),
    2_000_000,
  );
  t.is(
    await upload.write(
      (async function* () {
        yield part;
      })(),
    ),
    1_000_000,
  );
  await upload.finish(whole.digest);
  t.true(await repository.hasBlob(whole.digest));
  const pulled = new MemoryBlobs();
  await pulled.put(repository.blob(whole), whole);
  t.is(pulled.content.size, 1);
  // From the middle on.
  let rest = 0;
  for await (const bytes of repository.blob(whole, 2_500_000)) rest += bytes.length;
  t.is(rest, 500_000);

  const wrong = await repository.startUpload();
  await wrong.write(
    (async function* () {
      yield part;
    })(),
  );
  const error = await t.throwsAsync(wrong.finish(whole.digest));
  t.regex(String(error), /DIGEST_INVALID/);
  await (await repository.startUpload()).cancel();
});

test("tags are listed through all pages; what is not there is said by name", async (t) => {
  await using client = anonymousClient();
  const ours = new MemoryBlobs();
  const image = await makeImage(ours);
  for (const tag of ["a", "b", "c"]) await pushImage(client, image, parseReference(`${plain.host}/tags:${tag}`), ours);
  const repository = client.repository(parseReference(`${plain.host}/tags`));
  t.deepEqual((await repository.tags()).sort(), ["a", "b", "c"]);
  const error = await t.throwsAsync(repository.manifest("nope"), { code: "REG_NOT_FOUND" } as object);
  t.regex(String(error), /cannot fetch manifest nope at 127\.0\.0\.1:\d+\/tags: HTTP 404: MANIFEST_UNKNOWN/);
});

test("wbuild.local is never asked", (t) => {
  const client = anonymousClient();
  const error = t.throws(() => client.repository(parseReference("wbuild.local/linux")));
  t.true(isWbuildError(error, "REG_LOCAL_ONLY"));
  t.is((error as { hint?: string }).hint, "make it with: wbuild base linux");
});
