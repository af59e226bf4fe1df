/** Foreign layers through the program: pull, build on top, push with and without them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { Descriptor } from "../../../layerfs/store/descriptor.ts";
import { openRegistry } from "../../../registry/client.ts";
import { parseManifest } from "../../../registry/oci/schema.ts";
import { parseReference } from "../../../registry/reference.ts";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { startFake } from "../../doubles/fake-registry.ts";
import { makeImage } from "../../doubles/images.ts";
import { MemoryBlobs } from "../../doubles/memory-blobs.ts";

test("a base's foreign layer stays what it is through pull, build, --compression and push", async (t) => {
  await using registry = await startRegistry({ allowUrls: true });
  let content: Uint8Array = Buffer.alloc(0);
  await using maker = await startFake((_request, response) => void response.end(content));
  const { folder, env } = sandboxOf(t);
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });

  const blobs = new MemoryBlobs();
  const made = await makeImage(blobs);
  const manifest = parseManifest(blobs.content.get(made.digest) as Uint8Array, made.mediaType);
  const mediaType = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
  const foreign = { ...(manifest.layers[0] as Descriptor), mediaType, urls: [`http://${maker.host}/layer`] };
  content = blobs.content.get(foreign.digest) as Uint8Array;
  const base = `${registry.host}/base:1`;
  await using client = openRegistry({ userAgent: "wbuild-test", warn() {} });
  const repository = (name: string) => client.repository(parseReference(name));
  await repository(base).pushBlob(manifest.config, () => blobs.open(manifest.config));
  await repository(base).pushManifest(
    Buffer.from(JSON.stringify({ ...manifest, layers: [foreign] })),
    made.mediaType,
    "1",
  );

  const pulled = await cli("pull", "--platform", "linux/amd64", base);
  t.is(pulled.code, 0, pulled.stderr);
  t.deepEqual(
    maker.requests.map(({ path }) => path),
    ["/layer"],
  );

  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), `FROM ${base}\nCOPY Dockerfile /\n`);
  const name = `${registry.host}/app:1`;
  const platform = ["--platform", "linux/amd64"];
  const built = await cli(...platform, "--compression", "zstd", "-t", name, "--push", "context");
  t.is(built.code, 0, built.stderr);
  t.regex(built.stderr, /one foreign layer was left out/);
  const layersOf = async (text: string) => {
    const { bytes, mediaType: type } = await repository(text).manifest("1");
    return parseManifest(bytes, type).layers;
  };
  const layers = await layersOf(name);
  t.deepEqual(layers[0], foreign);
  t.regex(layers[1]?.mediaType ?? "", /tar\+zstd$/);
  t.false(await repository(name).hasBlob(foreign.digest));

  const again = await cli("push", name);
  t.is(again.code, 0, again.stderr);
  t.regex(again.stderr, /--allow-nondistributable pushes it too/);
  t.false(await repository(name).hasBlob(foreign.digest));

  for (const [index, flag] of ["--allow-nondistributable", "--allow-nondistributable-artifacts"].entries()) {
    const target = `${registry.host}/mirror${index}:1`;
    t.is((await cli("tag", name, target)).code, 0);
    const mirrored = await cli("push", flag, target);
    t.is(mirrored.code, 0, mirrored.stderr);
    t.notRegex(mirrored.stderr, /left out/);
    t.true(await repository(target).hasBlob(foreign.digest));
    t.deepEqual(await layersOf(target), layers);
  }
  const direct = `${registry.host}/direct:1`;
  const pushed = await cli(...platform, "--allow-nondistributable", "-t", direct, "--push", "context");
  t.is(pushed.code, 0, pushed.stderr);
  t.true(await repository(direct).hasBlob(foreign.digest));

  // An archive has the bytes as they are, under the same descriptor.
  const archive = join(folder, "app.tar");
  t.is((await cli("save", "--format", "oci", "-o", archive, name)).code, 0);
  const other = { cwd: folder, env: { ...env, WBUILD_HOME: join(folder, "other") } };
  const loaded = await runCli(["load", "-i", archive], other);
  t.is(loaded.code, 0, loaded.stderr);
  const raw = await runCli(["inspect", "--raw", name], other);
  t.deepEqual((JSON.parse(raw.stdout) as { layers: Descriptor[] }).layers, layers);

  // Without its bytes the image is still complete: whoever needs them fetches them.
  t.is(maker.requests.length, 1);
});

test("a foreign layer that nobody has any more is told with its addresses", async (t) => {
  await using registry = await startRegistry({ allowUrls: true });
  await using maker = await startFake((_request, response) => void response.writeHead(410).end());
  const { folder, env } = sandboxOf(t);
  const blobs = new MemoryBlobs();
  const made = await makeImage(blobs);
  const manifest = parseManifest(blobs.content.get(made.digest) as Uint8Array, made.mediaType);
  const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  const layers = manifest.layers.map((layer) => ({ ...layer, mediaType, urls: [`http://${maker.host}/x`] }));
  const base = `${registry.host}/base:1`;
  await using client = openRegistry({ userAgent: "wbuild-test", warn() {} });
  const repository = client.repository(parseReference(base));
  await repository.pushBlob(manifest.config, () => blobs.open(manifest.config));
  await repository.pushManifest(Buffer.from(JSON.stringify({ ...manifest, layers })), made.mediaType, "1");
  const pulled = await runCli(["pull", "--platform", "linux/amd64", base], { cwd: folder, env });
  t.is(pulled.code, 3);
  t.regex(pulled.stderr, /error\[REG_FOREIGN\]: .*\n?.*\/x: HTTP 410/);
});
