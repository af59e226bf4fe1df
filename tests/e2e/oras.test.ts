/**
 * oras as the maker of artifacts that we copy, show and list, and as judge of what we copied: with a registry that lists
 * referrers, with docker's, which keeps them under a tag, and with layouts.
 */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { digestOf } from "../../layerfs/store/digest.ts";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { peer, testWithPeers } from "../doubles/peers.ts";
import { startSpecRegistry } from "../doubles/spec-registry.ts";
import { type Scene, scene } from "./scene.ts";

const program = peer("oras").program ?? "oras";
const testOras = testWithPeers("oras");

let near: RunningRegistry;
let far: RunningRegistry;
test.before(async () => {
  [near, far] = await Promise.all([startRegistry(), startRegistry()]);
});
test.after.always(() => Promise.all([near, far].map((registry) => registry?.close())));

const artifact = "application/vnd.acme.rocket";

interface Bench {
  readonly s: Scene;
  /** Standard output of oras in the scene's folder, which has an empty configuration of its own. */
  oras(...args: string[]): Promise<string>;
  wbuild(...args: string[]): Promise<string>;
}

async function bench(t: ExecutionContext): Promise<Bench> {
  const s = await scene(t, { base: false });
  await s.files(".", { "a.json": '{"a":1}', "b.txt": "b", none: "", "folder/x": "x" });
  const run = (...args: string[]) => s.tool("env", `DOCKER_CONFIG=${s.env.DOCKER_CONFIG}`, program, ...args);
  return {
    s,
    oras: (...args) => run(...args),
    async wbuild(...args) {
      const { code, stdout, stderr } = await s.wbuild(...args);
      t.is(code, 0, `wbuild ${args.join(" ")}: ${stderr}`);
      return stdout;
    },
  };
}

/** Several files of several types, one of them empty, one a folder, annotations, an empty configuration. */
async function pushArtifact({ oras }: Bench, name: string): Promise<string> {
  const files = ["a.json:application/json", "b.txt", "none:application/x-none", "folder/"];
  await oras("push", "--plain-http", "--artifact-type", artifact, "-a", "k=v", name, ...files);
  return (await oras("resolve", "--plain-http", name)).trim();
}

/** Two artifacts about the subject, and one about the first of them. */
async function attachTo({ oras }: Bench, name: string): Promise<void> {
  const repository = name.replace(/:[^:/]*$/, "");
  const attach = (to: string, type: string, ...what: string[]) =>
    oras("attach", "--plain-http", "--format", "json", "--artifact-type", type, to, ...what);
  const first = JSON.parse(await attach(name, "doc/example", "b.txt", "-a", "note=hi")) as { digest: string };
  await attach(name, "sbom/example", "a.json");
  await attach(`${repository}@${first.digest}`, "sig/example", "-a", "only=annotation");
}

interface Found {
  readonly digest: string;
  readonly artifactType: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly referrers?: readonly Found[];
}

/** What refers to it, as oras finds it: type, digest, annotations, and the same of what refers to those. */
async function discovered({ oras }: Bench, name: string, ...flags: string[]): Promise<unknown> {
  const plain = ({ digest, artifactType, annotations, referrers = [] }: Found): unknown => ({
    ...{ digest, artifactType, annotations },
    referrers: [...referrers].sort((a, b) => a.digest.localeCompare(b.digest)).map(plain),
  });
  const where = flags.length > 0 ? flags : ["--plain-http"];
  const found = JSON.parse(await oras("discover", ...where, "--format", "json", name)) as Found;
  return (plain({ ...found, artifactType: "" }) as { referrers: unknown }).referrers;
}

testOras("files, types, an empty file, a folder: what we copied oras pulls as it was pushed", async (t) => {
  const b = await bench(t);
  const name = `${near.host}/files:1`;
  const digest = await pushArtifact(b, name);
  for (const [from, to] of [
    [name, `${far.host}/files:1`],
    [`${far.host}/files:1`, "oci:layout:1"],
    ["oci:layout:1", "oci-archive:files.tar:1"],
    ["oci-archive:files.tar", `${near.host}/files-again:1`],
  ] as const)
    t.true((await b.wbuild("copy", "-q", from, to)).endsWith(`@${digest}\n`));
  for (const [i, from] of [
    ["--plain-http", `${far.host}/files:1`],
    ["--plain-http", `${near.host}/files-again:1`],
    ["--oci-layout", "layout:1"],
    ["--oci-layout", "files.tar:1"],
  ].entries()) {
    await b.oras("pull", "-o", `out${i}`, ...from);
    for (const file of ["a.json", "b.txt", "none", "folder/x"])
      t.deepEqual(await readFile(join(b.s.folder, `out${i}`, file)), await readFile(join(b.s.folder, file)), file);
  }
  const shown = await b.wbuild("manifest", "show", name);
  for (const word of [artifact, "application/json", "application/x-none", "k  "]) t.true(shown.includes(word), word);
  const bytes = await b.oras("manifest", "fetch", "--plain-http", name);
  t.is(await b.wbuild("manifest", "show", "--raw", name), bytes);
});

testOras(
  "copy --include-referrers brings what oras cp -r brings, where the registry keeps referrers under a tag",
  async (t) => {
    const b = await bench(t);
    const name = `${near.host}/tree:1`;
    await pushArtifact(b, name);
    await attachTo(b, name);
    const there = await discovered(b, name);
    t.is((there as unknown[]).length, 2);
    const [ours, theirs] = [`${far.host}/ours:1`, `${far.host}/theirs:1`];
    await b.wbuild("copy", "-q", "--include-referrers", name, ours);
    await b.oras("cp", "-r", "--from-plain-http", "--to-plain-http", name, theirs);
    t.deepEqual(await discovered(b, ours), there);
    t.deepEqual(await discovered(b, theirs), there);
    const sorted = (text: string) => text.trim().split("\n").sort();
    const tags = sorted(await b.oras("repo", "tags", "--plain-http", `${far.host}/theirs`));
    t.is(tags.length, 3);
    t.deepEqual(sorted(await b.wbuild("tags", `${far.host}/ours`)), tags);
    t.regex(await b.oras("discover", "--plain-http", ours), /doc\/example[\s\S]*note: hi[\s\S]*sig\/example/);
  },
);

testOras("and where the registry lists them itself, from there to a tag, and back", async (t) => {
  const b = await bench(t);
  await using one = await startSpecRegistry({ referrers: true });
  await using two = await startSpecRegistry({ referrers: true });
  const name = `${one.host}/listed:1`;
  await pushArtifact(b, name);
  await attachTo(b, name);
  t.false(
    [...one.manifests.keys()].some((key) => key.startsWith("sha256-")),
    "no tag was needed",
  );
  const there = await discovered(b, name);
  t.is((there as unknown[]).length, 2);
  const tagged = `${near.host}/tagged:1`;
  for (const [from, to] of [
    [name, tagged],
    [tagged, `${two.host}/back:1`],
  ] as const) {
    await b.wbuild("copy", "-q", "--include-referrers", from, to);
    t.deepEqual(await discovered(b, to), there, to);
  }
  t.false(
    [...two.manifests.keys()].some((key) => key.startsWith("sha256-")),
    "neither did we need one",
  );
});

testOras("layouts and archives with referrers: oras finds ours, restores ours, and we copy its own", async (t) => {
  const b = await bench(t);
  const name = `${near.host}/kept:1`;
  const digest = await pushArtifact(b, name);
  await attachTo(b, name);
  const there = await discovered(b, name);
  await b.wbuild("copy", "-q", "--include-referrers", name, "oci:ours:1");
  t.deepEqual(await discovered(b, "ours:1", "--oci-layout"), there);
  await b.wbuild("copy", "-q", "--include-referrers", name, "oci-archive:ours.tar:1");
  await b.oras("restore", "--plain-http", "--input", "ours.tar", `${far.host}/restored`);
  t.deepEqual(await discovered(b, `${far.host}/restored:1`), there);

  await b.oras("cp", "-r", "--from-plain-http", "--to-oci-layout", name, "theirs:1,two");
  await b.wbuild("copy", "-q", "--include-referrers", "oci:theirs:two", `${far.host}/from-layout:1`);
  t.deepEqual(await discovered(b, `${far.host}/from-layout:1`), there);
  await b.oras("backup", "--plain-http", "--include-referrers", "-o", "backup.tar", name);
  t.true((await b.wbuild("copy", "-q", "oci-archive:backup.tar", `${far.host}/backed:1`)).endsWith(`@${digest}\n`));
});

testOras("an index of both tools is the same; one of artifacts keeps its type", async (t) => {
  const b = await bench(t);
  const repository = `${near.host}/index`;
  const context = await b.s.files("context", { Dockerfile: "FROM scratch\nCOPY f /\n", f: "f" });
  for (const arch of ["amd64", "arm64"]) {
    const flags = ["--platform", `linux/${arch}`, "--provenance=false", "--push", "-t", `${repository}:${arch}`];
    t.is((await b.s.build(context, ...flags)).code, 0);
  }
  await b.oras("manifest", "index", "create", "--plain-http", "-a", "k=v", `${repository}:theirs`, "amd64", "arm64");
  const parts = ["amd64", "arm64"].map((arch) => `${repository}:${arch}`);
  await b.wbuild("manifest", "create", "--annotation", "k=v", `${repository}:ours`, ...parts);
  const raw = async (tag: string) => JSON.parse(await b.wbuild("manifest", "show", "--raw", `${repository}:${tag}`));
  t.deepEqual(await raw("ours"), await raw("theirs"));

  const attached = ["--platform", "linux/arm64", "--artifact-type", "plat/x", "-a", "x=y", `${repository}:ours`];
  await b.oras("attach", "--plain-http", ...attached);
  await b.wbuild("copy", "-q", "--include-referrers", `${repository}:ours`, `${far.host}/index:1`);
  const child = await b.oras("resolve", "--plain-http", "--platform", "linux/arm64", `${far.host}/index:1`);
  const [about] = (await discovered(b, `${far.host}/index@${child.trim()}`)) as Found[];
  t.is(about?.artifactType, "plat/x");

  await pushArtifact(b, `${repository}:artifact`);
  const typed = ["--artifact-type", "application/vnd.acme.fleet", `${repository}:fleet`, "artifact"];
  await b.oras("manifest", "index", "create", "--plain-http", ...typed);
  await b.wbuild("copy", "-q", `${repository}:fleet`, `${far.host}/fleet:1`);
  t.is(
    await b.oras("manifest", "fetch", "--plain-http", `${far.host}/fleet:1`),
    await b.wbuild("manifest", "show", "--raw", `${repository}:fleet`),
  );
  t.true((await b.wbuild("manifest", "show", `${far.host}/fleet:1`)).includes("application/vnd.acme.fleet"));
});

testOras(
  "blobs and manifests that oras pushed one by one make an image for us, and it fetches a blob of ours",
  async (t) => {
    const b = await bench(t);
    const repository = `${near.host}/by-hand`;
    const layer = join(b.s.folder, "layer.tar");
    await writeFile(join(b.s.folder, "big"), randomBytes(100_000));
    await b.s.tool("tar", "-cf", layer, "big");
    const config = JSON.stringify({
      os: "linux",
      architecture: "amd64",
      rootfs: { type: "layers", diff_ids: [await sha256(layer)] },
    });
    await writeFile(join(b.s.folder, "config.json"), config);
    const blob = async (file: string, mediaType: string) =>
      JSON.parse(
        await b.oras("blob", "push", "--plain-http", "--descriptor", "--media-type", mediaType, repository, file),
      ) as object;
    const manifest = {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: await blob("config.json", "application/vnd.oci.image.config.v1+json"),
      layers: [await blob(layer, "application/vnd.oci.image.layer.v1.tar")],
    };
    await writeFile(join(b.s.folder, "manifest.json"), JSON.stringify(manifest));
    await b.oras("manifest", "push", "--plain-http", `${repository}:1`, "manifest.json");
    await b.wbuild("pull", "-q", `${repository}:1`);
    await b.wbuild("push", "-q", `${repository}:1`);
    await b.wbuild("export", "-o", "files.tar", `${repository}:1`);
    await b.s.tool("tar", "-xf", "files.tar", "--one-top-level=files");
    t.deepEqual(await readFile(join(b.s.folder, "files/big")), await readFile(join(b.s.folder, "big")));

    const built = await b.s.build(
      await b.s.files("context", { Dockerfile: "FROM scratch\nCOPY f /\n", f: "f" }),
      "--push",
      "-t",
      `${repository}:2`,
    );
    t.is(built.code, 0, built.stderr);
    const { layers } = JSON.parse(await b.oras("manifest", "fetch", "--plain-http", `${repository}:2`)) as {
      layers: { digest: string }[];
    };
    await b.oras("blob", "fetch", "--plain-http", "-o", "fetched", `${repository}@${layers[0]?.digest}`);
    t.is(await sha256(join(b.s.folder, "fetched")), layers[0]?.digest ?? "no layer");
  },
);

async function sha256(path: string): Promise<string> {
  return digestOf(await readFile(path));
}
