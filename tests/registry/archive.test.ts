/** Archives of images: ours read by skopeo and umoci, theirs read by us, and damaged ones refused by name. */
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGunzip, gzipSync } from "node:zlib";
import anyTest, { type TestFn } from "ava";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { NamedImage } from "../../registry/archive/layout.ts";
import { loadArchive } from "../../registry/archive/load.ts";
import type { Decompress } from "../../registry/archive/members.ts";
import { type SaveOptions, type SaveTarget, saveImages } from "../../registry/archive/save.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { parseConfig, parseManifest } from "../../registry/oci/schema.ts";
import { makeImage, makeIndex, tarOf } from "../doubles/images.ts";
import { MemoryBlobs } from "../doubles/memory-blobs.ts";

const run = promisify(execFile);
const test = anyTest as TestFn<{ dir: string }>;

test.beforeEach(async (t) => {
  t.context.dir = await mkdtemp(join(tmpdir(), "wbuild-archive-"));
});
test.afterEach.always((t) => rm(t.context.dir, { recursive: true, force: true }));

const decompress: Decompress = (bytes, compression) => {
  if (compression === "gzip") return Readable.from(bytes).pipe(createGunzip());
  const tool = spawn(compression, ["-dc"], { stdio: ["pipe", "pipe", "ignore"] });
  void pipeline(Readable.from(bytes), tool.stdin).catch(() => {});
  return tool.stdout;
};

/** zstd layers to gzip, as builder does it with the native codec. */
function transcoder(from: MemoryBlobs): NonNullable<SaveOptions["transcodeLayer"]> {
  return async (layer) => {
    const { decompress: unzstd } = await import("zstd-napi");
    const bytes = gzipSync(unzstd(Buffer.from(from.content.get(layer.digest) ?? [])));
    const descriptor = { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(bytes), size: bytes.length };
    return { descriptor, bytes: Readable.from([bytes]) };
  };
}

const two = [
  { name: "a", content: "a".repeat(200_000) },
  { name: "b", content: "b" },
];
const ref = "docker.io/library/hello:1.0";

async function saved(
  dir: string,
  format: "oci" | "docker",
  tar: boolean,
  compression: "gzip" | "zstd" | "none" = "gzip",
) {
  const blobs = new MemoryBlobs();
  const image = await makeImage(blobs, { layers: two, compression });
  const path = join(dir, tar ? "image.tar" : "image");
  await saveImages(
    [{ descriptor: image, refs: [ref] }],
    blobs,
    { to: { path }, format, tar },
    { transcodeLayer: transcoder(blobs) },
  );
  return { blobs, image, path };
}

for (const format of ["oci", "docker"] as const)
  for (const tar of [true, false])
    test(`${format} ${tar ? "tar" : "folder"}: what we save, we load, byte for byte`, async (t) => {
      const { blobs, image, path } = await saved(t.context.dir, format, tar);
      const into = new MemoryBlobs();
      const loaded = await loadArchive({ path }, into, { decompress });
      t.deepEqual(loaded, [{ descriptor: image, refs: [ref], ...(loaded[0]?.tag ? { tag: loaded[0].tag } : {}) }]);
      t.deepEqual([...into.content].sort(), [...blobs.content].sort());
    });

test("the same images give the same archive", async (t) => {
  const first = await saved(t.context.dir, "docker", true);
  const bytes = await readFile(first.path);
  const second = await saved(t.context.dir, "docker", true);
  t.true(bytes.equals(await readFile(second.path)));
});

/** loadArchive for archives that hold an image. */
async function loadOne(...args: Parameters<typeof loadArchive>): Promise<[NamedImage]> {
  const [first] = await loadArchive(...args);
  if (!first) throw new Error("no image was loaded");
  return [first];
}

const readers: [kind: string, format: "oci" | "docker", tar: boolean, source: (path: string) => string][] = [
  ["oci folder", "oci", false, (path) => `oci:${path}:1.0`],
  ["oci tar", "oci", true, (path) => `oci-archive:${path}:1.0`],
  ["docker tar", "docker", true, (path) => `docker-archive:${path}:hello:1.0`],
];
for (const [kind, format, tar, source] of readers)
  for (const compression of ["gzip", "none", "zstd"] as const)
    test(`skopeo reads our ${kind} (${compression} layers)`, async (t) => {
      const { blobs, image, path } = await saved(t.context.dir, format, tar, compression);
      const out = join(t.context.dir, "out");
      await run("skopeo", ["copy", source(path), `dir:${out}`]);
      const manifest = parseManifest(blobs.content.get(image.digest) ?? new Uint8Array(), image.mediaType);
      const copied = JSON.parse(await readFile(join(out, "manifest.json"), "utf8"));
      t.is(copied.config.digest, manifest.config.digest);
      if (format === "oci") t.is(digestOf(await readFile(join(out, "manifest.json"))), image.digest);
      else t.is(copied.layers.length, 2);
    });

test("umoci unpacks our OCI folder", async (t) => {
  const { path } = await saved(t.context.dir, "oci", false);
  const bundle = join(t.context.dir, "bundle");
  await run("umoci", ["unpack", "--rootless", "--image", `${path}:1.0`, bundle]);
  t.is(await readFile(join(bundle, "rootfs", "b"), "utf8"), "b");
});

test("docker load takes our docker archive apart as manifest.json says", async (t) => {
  const { path } = await saved(t.context.dir, "docker", true, "zstd");
  const { stdout } = await run("tar", ["-xOf", path, "manifest.json"]);
  const [entry] = JSON.parse(stdout);
  t.deepEqual(entry.RepoTags, ["hello:1.0"]);
  const { stdout: config } = await run("tar", ["-xOf", path, entry.Config]);
  const { diff_ids } = parseConfig(Buffer.from(config)).rootfs;
  for (const [i, layer] of entry.Layers.entries()) {
    const bytes = (await run("tar", ["-xOf", path, layer], { encoding: "buffer" })).stdout;
    const hash = createHash("sha256");
    for await (const part of Readable.from([bytes]).pipe(createGunzip())) hash.update(part);
    t.is(`sha256:${hash.digest("hex")}`, diff_ids[i] ?? "");
  }
});

test("skopeo's docker archive: plain layers, links and names are understood, and the image keeps its id", async (t) => {
  const { blobs, image, path } = await saved(t.context.dir, "oci", false);
  const archive = join(t.context.dir, "docker.tar");
  await run("skopeo", ["copy", `oci:${path}:1.0`, `docker-archive:${archive}:registry.test/app:2`]);
  const into = new MemoryBlobs();
  const [loaded] = await loadOne({ path: archive }, into, { decompress });
  t.deepEqual(loaded?.refs, ["registry.test/app:2"]);
  const theirs = parseManifest(
    into.content.get(loaded.descriptor.digest) ?? new Uint8Array(),
    loaded.descriptor.mediaType,
  );
  const ours = parseManifest(blobs.content.get(image.digest) ?? new Uint8Array(), image.mediaType);
  const diffIds = (store: MemoryBlobs, config: Descriptor) =>
    parseConfig(store.content.get(config.digest) ?? new Uint8Array()).rootfs.diff_ids;
  t.deepEqual(diffIds(into, theirs.config), diffIds(blobs, ours.config));
  t.is(theirs.layers.length, 2);
});

test("umoci's and skopeo's OCI layouts are read, also as a tar from a pipe", async (t) => {
  const layout = join(t.context.dir, "layout");
  await run("umoci", ["init", "--layout", layout]);
  for (const tag of ["one", "two"]) {
    await run("umoci", ["new", "--image", `${layout}:${tag}`]);
    await run("umoci", ["insert", "--image", `${layout}:${tag}`, "/etc/hostname", `/${tag}`]);
  }
  const loaded = await loadArchive({ path: layout }, new MemoryBlobs());
  t.deepEqual(loaded.map(({ refs, tag }) => [refs, tag]).sort(), [
    [[], "one"],
    [[], "two"],
  ]);
  const archive = join(t.context.dir, "oci.tar");
  await run("skopeo", ["copy", `oci:${layout}:two`, `oci-archive:${archive}:example.org/two:3`]);
  const [two_] = await loadArchive({ stream: createReadStream(archive, { highWaterMark: 700 }) }, new MemoryBlobs());
  t.deepEqual(two_?.refs, ["example.org/two:3"]);
});

for (const tool of ["gzip", "zstd", "xz"] as const)
  test(`an archive compressed with ${tool} is recognised by its first bytes`, async (t) => {
    const { image, path } = await saved(t.context.dir, "docker", true);
    await run(tool, tool === "zstd" ? ["-q", "--rm", path] : [path]);
    const [file] = (await readdir(t.context.dir)).filter((name) => name.startsWith("image.tar"));
    const packed = join(t.context.dir, file ?? "");
    const [loaded] = await loadArchive({ path: packed }, new MemoryBlobs(), { decompress });
    t.is(loaded?.descriptor.digest, image.digest);
    await t.throwsAsync(loadArchive({ path: packed }, new MemoryBlobs()), {
      code: "REG_ARCHIVE",
      message: new RegExp(`compressed with ${tool}`),
    } as object);
  });

test("an index goes whole into an OCI layout, one platform of it into a docker archive", async (t) => {
  const blobs = new MemoryBlobs();
  const index = await makeIndex(blobs, ["amd64", "arm64"]);
  const images = [{ descriptor: index, refs: [ref] }];
  const oci = join(t.context.dir, "oci");
  await saveImages(images, blobs, { to: { path: oci }, format: "oci", tar: false });
  const into = new MemoryBlobs();
  const [whole] = await loadArchive({ path: oci }, into);
  t.is(whole?.descriptor.digest, index.digest);
  t.is(into.content.size, blobs.content.size);
  const choose = (manifests: readonly Descriptor[]) => manifests.find((m) => m.platform?.architecture === "arm64");
  const [one] = await loadArchive({ path: oci }, new MemoryBlobs(), { choose });
  t.is(one?.descriptor.platform?.architecture, "arm64");

  const docker: SaveTarget = { to: { path: join(t.context.dir, "d.tar") }, format: "docker", tar: true };
  await t.throwsAsync(saveImages(images, blobs, docker), { code: "REG_ARCHIVE_FORMAT" } as object);
  t.deepEqual((await readdir(t.context.dir)).sort(), ["oci"], "a failed save leaves nothing");
  await saveImages(images, blobs, docker, { choose });
  const [loaded] = await loadArchive({ path: join(t.context.dir, "d.tar") }, new MemoryBlobs());
  t.is(loaded?.descriptor.digest, one?.descriptor.digest);
});

test("a layout folder gains images, keeps others, and moves a name", async (t) => {
  const blobs = new MemoryBlobs();
  const [a, b] = [await makeImage(blobs), await makeImage(blobs, { layers: two })];
  const target: SaveTarget = { to: { path: join(t.context.dir, "layout") }, format: "oci", tar: false };
  await saveImages([{ descriptor: a, refs: ["x.test/a:1", "x.test/keep:1"] }], blobs, target);
  await saveImages([{ descriptor: b, refs: ["x.test/a:1"] }], blobs, target);
  const loaded = await loadArchive({ path: join(t.context.dir, "layout") }, new MemoryBlobs());
  const names = Object.fromEntries(loaded.map(({ descriptor, refs }) => [descriptor.digest, refs]));
  t.deepEqual(names, { [a.digest]: ["x.test/keep:1"], [b.digest]: ["x.test/a:1"] });

  await mkdir(join(t.context.dir, "mine"));
  await writeFile(join(t.context.dir, "mine", "thesis.txt"), "");
  await t.throwsAsync(saveImages([], blobs, { ...target, to: { path: join(t.context.dir, "mine") } }), {
    code: "REG_ARCHIVE_TARGET",
  } as object);
});

test("a tar goes to a stream that stays open; a stream that breaks is an error", async (t) => {
  const blobs = new MemoryBlobs();
  const image = await makeImage(blobs, {
    layers: [{ name: "r", content: Buffer.alloc(3_000_000, "r") }],
    compression: "none",
  });
  const stream = new PassThrough();
  const file = join(t.context.dir, "piped.tar");
  const writing = pipeline(stream, createWriteStream(file));
  await saveImages([{ descriptor: image, refs: [] }], blobs, { to: { stream }, format: "oci", tar: true });
  t.false(stream.writableEnded);
  stream.end();
  await writing;
  t.is((await loadArchive({ path: file }, new MemoryBlobs()))[0]?.descriptor.digest, image.digest);

  const broken = new PassThrough();
  broken.once("data", () => broken.destroy(new Error("EPIPE")));
  await t.throwsAsync(
    saveImages([{ descriptor: image, refs: [] }], blobs, { to: { stream: broken }, format: "oci", tar: true }),
  );
});

type Spoil = (path: string, dir: string) => Promise<void>;
const spoiled: [title: string, code: string, spoil: Spoil, message?: RegExp][] = [
  ["a tar that is cut off", "REG_ARCHIVE", async (path) => truncate(path, 9000), /cut off before its end/],
  ["a tar that is cut off in a header", "REG_ARCHIVE", async (path) => truncate(path, 1300)],
  ["an empty file", "REG_ARCHIVE", async (path) => truncate(path, 0)],
  ["a file that is no tar", "REG_ARCHIVE", async (path) => writeFile(path, "x".repeat(5000))],
  ["a few words", "REG_ARCHIVE", async (path) => writeFile(path, "hello\n"), /is no tar: it ends after 6 bytes/],
  ["a tar of something else", "REG_ARCHIVE", async (path) => writeFile(path, await tarOf([["readme", "hi"]]))],
  ["no file", "REG_ARCHIVE", async (path) => rm(path)],
  [
    "one changed byte in a layer",
    "REG_DIGEST_MISMATCH",
    async (path) => {
      const bytes = await readFile(path);
      const at = bytes.indexOf(Buffer.from("1f8b08", "hex"));
      bytes[at + 20] = (bytes[at + 20] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
  ],
  [
    "a missing layer",
    "REG_ARCHIVE",
    async (path, dir) => {
      const folder = join(dir, "spoiled");
      await mkdir(folder);
      await run("tar", ["-xf", path, "-C", folder]);
      const sizes = (await readdir(join(folder, "blobs/sha256"))).sort();
      for (const name of sizes)
        if ((await readFile(join(folder, "blobs/sha256", name))).subarray(0, 2).toString("hex") === "1f8b")
          await rm(join(folder, "blobs/sha256", name));
      await run("tar", ["-cf", path, "-C", folder, "."]);
    },
  ],
  [
    "a member that leads out",
    "REG_ARCHIVE",
    async (path) => writeFile(path, Buffer.concat([await tarOf([["../../etc/evil", "x"]]), await readFile(path)])),
  ],
];
for (const [title, code, spoil, message = /./] of spoiled)
  test(`refused: ${title}`, async (t) => {
    const { path } = await saved(t.context.dir, "docker", true);
    await spoil(path, t.context.dir);
    await t.throwsAsync(loadArchive({ path }, new MemoryBlobs(), { decompress }), { code, message } as object);
  });

test("refused: a layout whose blob is a link to a file of this host", async (t) => {
  const { path } = await saved(t.context.dir, "oci", false);
  const blobs = join(path, "blobs/sha256");
  const [first] = await readdir(blobs);
  await cp(join(blobs, first ?? ""), join(t.context.dir, "outside"));
  await rm(join(blobs, first ?? ""));
  await symlink("../../../outside", join(blobs, first ?? ""));
  await t.throwsAsync(loadArchive({ path }, new MemoryBlobs()), { code: "REG_ARCHIVE" } as object);
});

test("refused: a docker archive whose layer is not the one of its configuration, also when it is compressed", async (t) => {
  for (const isPacked of [false, true]) {
    const layer = await tarOf([["x", "x"]]);
    const config = Buffer.from(
      JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digestOf("other")] } }),
    );
    const name = `${digestOf(config).slice(7)}.json`;
    const manifest = JSON.stringify([{ Config: name, RepoTags: ["a:1"], Layers: ["l/layer.tar"] }]);
    const tar = await tarOf([
      [name, config],
      ["l/layer.tar", isPacked ? gzipSync(layer) : layer],
      ["manifest.json", manifest],
    ]);
    const path = join(t.context.dir, "bad.tar");
    await writeFile(path, tar);
    await t.throwsAsync(loadArchive({ path }, new MemoryBlobs(), { decompress }), {
      code: "REG_DIGEST_MISMATCH",
    } as object);
  }
});

for (const [maker, nameOf] of [
  ["docker", (digest: string) => `${digest.slice(7)}.json`],
  ["crane and kaniko", (digest: string) => digest],
  ["jib", () => "config.json"],
] as const)
  test(`a docker archive whose configuration is called as ${maker} calls it`, async (t) => {
    const layer = await tarOf([["x", "x"]]);
    const rootfs = { type: "layers", diff_ids: [digestOf(layer)] };
    const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", rootfs }));
    const name = nameOf(digestOf(config));
    const tar = await tarOf([
      [name, config],
      ["layer.tar.gz", gzipSync(layer)],
      ["manifest.json", JSON.stringify([{ Config: name, RepoTags: ["a:1"], Layers: ["layer.tar.gz"] }])],
    ]);
    const path = join(t.context.dir, "archive.tar");
    await writeFile(path, tar);
    const into = new MemoryBlobs();
    const [{ descriptor, refs }] = await loadOne({ path }, into, { decompress });
    t.deepEqual(refs, ["docker.io/library/a:1"]);
    const manifest = parseManifest(into.content.get(descriptor.digest) ?? new Uint8Array(), descriptor.mediaType);
    t.is(manifest.config.digest, digestOf(config), "the image keeps its ID");
  });

test("a docker archive with linked and gzipped layers, as a folder too", async (t) => {
  const layer = await tarOf([["x", "x"]]);
  const diffId = digestOf(layer);
  const config = Buffer.from(
    JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [diffId, diffId] } }),
  );
  const folder = join(t.context.dir, "folder");
  await mkdir(join(folder, "one"), { recursive: true });
  await mkdir(join(folder, "two"));
  await writeFile(join(folder, "one/layer.tar"), gzipSync(layer));
  await symlink("../one/layer.tar", join(folder, "two/layer.tar"));
  await writeFile(join(folder, "config.json"), config);
  await rename(join(folder, "config.json"), join(folder, `${digestOf(config).slice(7)}.json`));
  const manifest = [
    { Config: `${digestOf(config).slice(7)}.json`, RepoTags: null, Layers: ["one/layer.tar", "two/layer.tar"] },
  ];
  await writeFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  const path = join(t.context.dir, "linked.tar");
  await run("tar", ["-cf", path, "-C", folder, "."]);
  for (const source of [{ path }, { path: folder }]) {
    const into = new MemoryBlobs();
    const [loaded] = await loadOne(source, into, { decompress });
    t.deepEqual(loaded?.refs, []);
    const { layers } = parseManifest(
      into.content.get(loaded.descriptor.digest) ?? new Uint8Array(),
      loaded.descriptor.mediaType,
    );
    t.deepEqual(
      layers.map(({ mediaType }) => mediaType),
      [mediaTypes.ociLayerGzip, mediaTypes.ociLayerGzip],
    );
  }
});
