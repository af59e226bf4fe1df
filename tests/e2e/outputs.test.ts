/** `-o` with its attributes, annotations and --metadata-file; skopeo and a registry are the judges. */
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { type Scene, scene } from "./scene.ts";

interface Document {
  readonly mediaType: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: { readonly mediaType: string };
  readonly layers?: readonly { readonly mediaType: string; readonly digest: string }[];
  readonly manifests?: readonly {
    readonly digest: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly platform?: { readonly architecture: string };
  }[];
}

const raw = async (s: Scene, name: string): Promise<Document> =>
  JSON.parse((await s.wbuild("inspect", "--raw", name)).stdout);

async function small(t: ExecutionContext): Promise<{ s: Scene; context: string }> {
  const s = await scene(t);
  return { s, context: await s.files("c", { Dockerfile: "FROM wbuild.local/linux\nCOPY f /f\n", f: "f\n" }) };
}

/** A document of a layout folder, by digest. */
const inLayout = async (s: Scene, folder: string, digest: string): Promise<Document> =>
  JSON.parse(await readFile(join(s.folder, folder, "blobs/sha256", digest.slice(7)), "utf8"));

test("several outputs at once: each as it says, all of one build", async (t) => {
  const { s, context } = await small(t);
  const outputs = [
    "out",
    "type=tar,dest=t.tar",
    "type=oci,dest=o.tar,name=r.test/a:1",
    "type=docker,dest=d.tar",
    "type=image,name=kept",
  ];
  const built = await s.build(context, ...outputs.flatMap((one) => ["-o", one]));
  t.is(built.code, 0, built.stderr);
  t.is(await readFile(join(s.folder, "out/f"), "utf8"), "f\n");
  t.is(await s.tool("tar", "-xOf", "t.tar", "f"), "f\n");
  const lastLayer = async (from: string) =>
    (JSON.parse(await s.tool("skopeo", "inspect", "--raw", from)) as Document).layers?.at(-1)?.mediaType ?? "";
  t.regex(await lastLayer("oci-archive:o.tar"), /zstd$/);
  t.notRegex(await lastLayer("docker-archive:d.tar"), /zstd$/);
  t.is((await raw(s, "kept")).layers?.length, 2);
});

test("cacheonly writes nothing", async (t) => {
  const { s, context } = await small(t);
  t.is((await s.build(context, "-t", "app", "-o", "type=cacheonly")).code, 0);
  t.regex((await s.wbuild("inspect", "app")).stderr, /IMG_NOT_FOUND/);
});

test("annotations reach the document that they name", async (t) => {
  const { s, context } = await small(t);
  const flags = [
    ...["--annotation", "all=1", "--annotation", "index,manifest-descriptor:two=2"],
    ...["--annotation", "manifest[linux/arm64]:all=arm", "--annotation", "index-descriptor:outer=a=b,c"],
    ...["-o", "type=oci,dest=l,tar=false,annotation.own=o,annotation-index.i=o,annotation-manifest[linux/amd64].x=86"],
  ];
  const context2 = await s.files("c2", { Dockerfile: "FROM scratch\nCOPY f /f\n", f: "f\n" });
  const built = await s.build(context2, "--platform", "linux/amd64,linux/arm64", ...flags);
  t.is(built.code, 0, built.stderr);
  const layout = JSON.parse(await readFile(join(s.folder, "l/index.json"), "utf8")) as Document;
  const [entry] = layout.manifests ?? [];
  t.deepEqual(entry?.annotations, { outer: "a=b,c" });
  const index = await inLayout(s, "l", entry?.digest ?? "");
  t.deepEqual(index.annotations, { i: "o", two: "2" });
  for (const one of index.manifests ?? []) {
    t.deepEqual(one.annotations, { two: "2" });
    const expected =
      one.platform?.architecture === "arm64" ? { all: "arm", own: "o" } : { all: "1", own: "o", x: "86" };
    t.deepEqual((await inLayout(s, "l", one.digest)).annotations, expected);
  }
  const lost = await s.build(context, "--annotation", "index:a=b");
  t.is(lost.code, 2);
  t.regex(lost.stderr, /annotation a is for an index, and one image alone has none/);
});

test("oci-mediatypes=false writes Docker's documents, which docker's tools take", async (t) => {
  await using registry = await startRegistry();
  const { s, context } = await small(t);
  const name = `${registry.host}/app:1`;
  const built = await s.build(context, "-o", `type=image,name=${name},push=true,oci-mediatypes=false`);
  t.is(built.code, 0, built.stderr);
  const manifest = JSON.parse(
    await s.tool("skopeo", "inspect", "--tls-verify=false", "--raw", `docker://${name}`),
  ) as Document;
  t.is(manifest.mediaType, "application/vnd.docker.distribution.manifest.v2+json");
  t.is(manifest.config?.mediaType, "application/vnd.docker.container.image.v1+json");
  for (const layer of manifest.layers ?? []) t.is(layer.mediaType, "application/vnd.docker.image.rootfs.diff.tar.gzip");
  await s.tool("skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, "dir:d");
  const annotated = await s.build(context, "-t", "a", "--annotation", "k=v", "-o", "type=image,oci-mediatypes=false");
  t.is(annotated.code, 0);
  t.is((await raw(s, "a")).mediaType, "application/vnd.oci.image.manifest.v1+json", "Docker's have no annotations");
});

test("compression is for all layers; force-compression=false leaves the base's alone", async (t) => {
  const { s, context } = await small(t);
  const kinds = async (name: string) =>
    ((await raw(s, name)).layers ?? []).map(({ mediaType }) => mediaType.replace(/.*tar\+?/, ""));
  const outputs = {
    own: "type=image,name=own,compression=gzip,force-compression=false",
    all: "type=image,name=all,compression=gzip,compression-level=9",
    plain: "type=image,name=plain,compression=uncompressed,force-compression=true",
  };
  const built = await s.build(context, ...Object.values(outputs).flatMap((one) => ["-o", one]));
  t.is(built.code, 0, built.stderr);
  t.deepEqual(await kinds("own"), ["zstd", "gzip"]);
  t.deepEqual(await kinds("all"), ["gzip", "gzip"]);
  t.deepEqual(await kinds("plain"), ["", ""]);
  for (const name of Object.keys(outputs)) t.is(await s.run(name, "cat", "/f"), "f\n");
});

test("push-by-digest leaves no tag behind, and the metadata tells the digest", async (t) => {
  await using registry = await startRegistry();
  const { s, context } = await small(t);
  const output = `type=image,name=${registry.host}/app,push=true,push-by-digest=true,store=false`;
  const built = await s.build(context, "-o", output, "--metadata-file", "m.json");
  t.is(built.code, 0, built.stderr);
  const metadata = JSON.parse(await readFile(join(s.folder, "m.json"), "utf8"));
  const digest = metadata["containerimage.digest"];
  await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${registry.host}/app@${digest}`);
  await t.throwsAsync(
    s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${registry.host}/app:latest`),
  );
  t.is(metadata["image.name"], `${registry.host}/app`);
  t.is(metadata["containerimage.descriptor"].digest, digest);
  t.regex(metadata["containerimage.config.digest"], /^sha256:/);
  t.regex((await s.wbuild("inspect", `${registry.host}/app`)).stderr, /IMG_NOT_FOUND/, "store=false");
});

test("names that nobody gave: dangling-name-prefix and name-canonical", async (t) => {
  const { s, context } = await small(t);
  t.is(
    (await s.build(context, "-o", "type=image,dangling-name-prefix=made/here", "--metadata-file", "m.json")).code,
    0,
  );
  const { "containerimage.digest": digest } = JSON.parse(await readFile(join(s.folder, "m.json"), "utf8"));
  t.is((await s.wbuild("inspect", `made/here@${digest}`)).code, 0);
  t.is((await s.build(context, "-o", "type=image,name=r.test/app:1,name-canonical=true")).code, 0);
  t.is((await s.wbuild("inspect", `r.test/app@${digest}`)).code, 0);
  const names = (await s.wbuild("inspect", "-f", "{{json .RepoTags}}", "r.test/app:1")).stdout;
  t.deepEqual(JSON.parse(names), ["r.test/app:1"]);
});

test("unpack=true has the layers unpacked when the build ends", async (t) => {
  const { s, context } = await small(t);
  const snapshots = () =>
    readdirSync(join(s.env.WBUILD_HOME, "store-v1/snapshots"), { recursive: true }).filter((name) =>
      String(name).endsWith("/f"),
    );
  t.is((await s.build(context, "-t", "app")).code, 0);
  t.deepEqual(snapshots(), []);
  t.is((await s.build(context, "-t", "app", "-o", "type=image,unpack=true")).code, 0);
  t.is(snapshots().length, 1);
});

test("with SOURCE_DATE_EPOCH a layer that was kept from a build without it is bounded, too", async (t) => {
  const { s, context } = await small(t);
  t.is((await s.build(context, "-t", "before")).code, 0);
  const epoch = { env: { SOURCE_DATE_EPOCH: "1000000000" } };
  const args = ["build", "--network", "none", context, "-t"];
  t.is((await s.wbuildWith(epoch, ...args, "bounded", "-o", "type=image,rewrite-timestamp=true")).code, 0);
  t.is((await s.wbuildWith(epoch, ...args, "anew", "--no-cache")).code, 0);
  const layers = async (name: string) => (await raw(s, name)).layers?.map(({ digest }) => digest);
  t.deepEqual(await layers("bounded"), await layers("anew"));
  t.notDeepEqual(await layers("bounded"), await layers("before"));
  t.is((await layers("bounded"))?.[0], (await layers("before"))?.[0], "the base is not ours to change");
  t.deepEqual(await raw(s, "bounded"), await raw(s, "anew"), "history and configuration as well");
  t.is(await s.run("bounded", "stat", "-c", "%Y", "/f"), "1000000000\n");
  const asArg = await s.wbuild(...args, "arg", "--build-arg", "SOURCE_DATE_EPOCH=1000000000");
  t.is(asArg.code, 0, asArg.stderr);
  t.deepEqual(await raw(s, "arg"), await raw(s, "anew"), "as a build argument it means the same");
});

const refused: [what: string, output: string, told: RegExp][] = [
  [
    "an attribute of another type",
    "type=local,dest=x,push=true",
    /"push" is not an attribute of an output of type local/,
  ],
  ["an annotation of files", "type=tar,dest=x,annotation.a=b", /"annotation\.a" is not an attribute/],
  ["an annotation of nothing", "type=image,annotation-layer.a=b", /is not an annotation of manifest/],
  [
    "an index's annotation for a platform",
    "type=image,annotation-index[linux/arm64].a=b",
    /an index is for all platforms/,
  ],
  ["a compression that is not there", "type=image,compression=estargz", /one of zstd, gzip/],
];
for (const [what, output, told] of refused)
  test(`refuses ${what}`, async (t) => {
    const s = await scene(t, { base: false });
    const context = await s.files("c", { Dockerfile: "FROM scratch\n" });
    const result = await s.build(context, "-o", output);
    t.is(result.code, 2);
    t.regex(result.stderr, told);
    t.false(existsSync(join(s.folder, "x")));
  });
