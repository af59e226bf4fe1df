import { createHash } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { scene } from "./scene.ts";

const files = {
  Dockerfile: 'FROM wbuild.local/linux\nCOPY hello /hello\nRUN rm /etc/shells\nLABEL kept=yes\nCMD ["cat", "/hello"]\n',
  hello: "hello\n",
};

const formats: [format: string, reader: string][] = [
  ["oci", "oci-archive"],
  ["docker", "docker-archive"],
];
for (const [format, reader] of formats) {
  test(`save and load: ${format}; skopeo reads it; the image is the same and has its name`, async (t) => {
    const s = await scene(t);
    t.is((await s.build(await s.files("context", files), "-t", "app:1")).code, 0);
    const id = (await s.wbuild("inspect", "--format", "{{.Id}}", "app:1")).stdout;
    const saved = await s.wbuild("save", "--format", format, "-o", "app.tar", "app:1");
    t.is(saved.code, 0, saved.stderr);
    const seen = JSON.parse(await s.tool("skopeo", "inspect", "--config", `${reader}:app.tar`));
    t.is(seen.config.Labels.kept, "yes");

    await rm(s.env.WBUILD_HOME, { recursive: true });
    const loaded = await s.wbuild("load", "-i", "app.tar");
    t.is(loaded.code, 0, loaded.stderr);
    t.regex(loaded.stdout, /app:1/);
    t.is((await s.wbuild("inspect", "--format", "{{.Id}}", "app:1")).stdout, id);
    t.is(await s.run("app:1"), "hello\n");
  });
}

test("what skopeo writes for docker is loaded", async (t) => {
  const s = await scene(t);
  t.is(
    (await s.build(await s.files("context", files), "-t", "app:1", "-o", "type=oci,dest=app.tar,compression=gzip"))
      .code,
    0,
  );
  await s.tool("skopeo", "copy", "-q", "oci-archive:app.tar", "docker-archive:docker.tar:example.org/there:2");
  const loaded = await s.wbuild("load", "-i", "docker.tar");
  t.is(loaded.code, 0, loaded.stderr);
  t.is(await s.run("example.org/there:2"), "hello\n");
});

test("plain layers of a docker archive get gzip, or are the blobs that the store has of them", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nCOPY f /f\n", f: "f" });
  t.is((await s.build(context, "-t", "app", "--compression", "gzip")).code, 0);
  t.is((await s.wbuild("save", "-o", "app.tar", "app")).code, 0);
  await s.tool(
    "skopeo",
    "--insecure-policy",
    "copy",
    "-q",
    "oci-archive:app.tar",
    "docker-archive:docker.tar:app:again",
  );
  const layers = async (image: string) => {
    await s.tool("rm", "-rf", "saved");
    t.is((await s.wbuild("copy", "-q", image, "oci:saved:1")).code, 0);
    const shown = await s.wbuild("manifest", "show", "--raw", "oci:saved:1");
    return (JSON.parse(shown.stdout) as { layers: { mediaType: string; digest: string }[] }).layers;
  };
  const before = await layers("store:app");
  t.is((await s.wbuild("load", "-i", "docker.tar")).code, 0);
  t.deepEqual(await layers("store:app:again"), before, "nothing is new to a registry that has the image");
  const other = await scene(t, { base: false });
  const loaded = await other.wbuild("copy", "-q", `docker-archive:${join(s.folder, "docker.tar")}`, "oci:copied:1");
  t.is(loaded.code, 0, loaded.stderr);
  const shown = await other.wbuild("manifest", "show", "--raw", "oci:copied:1");
  const copied = (JSON.parse(shown.stdout) as { layers: { mediaType: string }[] }).layers;
  t.deepEqual(
    copied.map(({ mediaType }) => mediaType),
    before.map(() => "application/vnd.oci.image.layer.v1.tar+gzip"),
  );
});

test("outputs: a folder, a tar, and both agree with export", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", files);
  const built = await s.build(context, "-t", "app", "-o", "type=local,dest=out", "-o", "type=tar,dest=out.tar");
  t.is(built.code, 0, built.stderr);
  t.is(await s.tool("cat", "out/hello"), "hello\n");
  await t.throwsAsync(stat(join(s.folder, "out/etc/shells")));
  await mkdir(join(s.folder, "untarred"));
  await s.tool("tar", "-xpf", "out.tar", "-C", "untarred");
  await s.tool("diff", "-r", "--no-dereference", "out", "untarred");
  t.is((await s.build(context, "-t", "app")).code, 0);
  t.is((await s.wbuild("export", "-o", "export.tar", "app")).code, 0);
  const list = async (tar: string) => (await s.tool("tar", "-tf", tar)).split("\n").sort();
  t.deepEqual(await list("export.tar"), await list("out.tar"));
});

test("SOURCE_DATE_EPOCH: two stores, two times, the same bytes", async (t) => {
  const digests: string[] = [];
  for (const mtime of ["2020-01-01", "2024-06-01"]) {
    const s = await scene(t);
    const context = await s.files("context", {
      ...files,
      Dockerfile:
        "FROM wbuild.local/linux\nCOPY hello /hello\nRUN date > /dev/null; mkdir /made; echo 1 > /made/1; ln /made/1 /made/2\n",
    });
    await s.tool("touch", "-d", mtime, join(context, "hello"));
    const args = ["build", "--progress", "plain", "--network", "none", "-o", "type=oci,dest=app.tar", context];
    const built = await s.wbuildWith({ env: { SOURCE_DATE_EPOCH: "1000000000" } }, ...args);
    t.is(built.code, 0, built.stderr);
    await s.tool("mkdir", "layout");
    await s.tool("tar", "-xf", "app.tar", "-C", "layout");
    const blobs = (await readdir(join(s.folder, "layout/blobs/sha256"))).sort().join("\n");
    digests.push(createHash("sha256").update(blobs).digest("hex"));
  }
  t.is(digests[0], digests[1]);
});

const broken: [name: string, make: string][] = [
  ["nothing", ": > bad.tar"],
  ["no archive", "echo 'no tar at all, but some text' > bad.tar"],
  ["cut short", "head -c 100000 good.tar > bad.tar"],
  [
    "without its index",
    "mkdir x && tar -xf good.tar -C x && rm -f x/index.json x/manifest.json && tar -cf bad.tar -C x .",
  ],
  [
    "a blob that is not what its name says",
    "mkdir x && tar -xf good.tar -C x && for f in x/blobs/sha256/*; do echo junk > $f; done && tar -cf bad.tar -C x .",
  ],
];
for (const [name, make] of broken) {
  test(`load: ${name} is refused and nothing is stored under a name`, async (t) => {
    const s = await scene(t);
    t.is((await s.wbuild("save", "-o", "good.tar", "wbuild.local/linux")).code, 0);
    await s.tool("sh", "-c", make);
    await rm(s.env.WBUILD_HOME, { recursive: true });
    const loaded = await s.wbuild("load", "-i", "bad.tar");
    t.true(loaded.code >= 1 && loaded.code <= 4, `${loaded.code} ${loaded.stderr}`);
    t.notRegex(loaded.stderr, /internal error/);
    t.is((await s.wbuild("images", "-q")).stdout, "");
  });
}
