/** Images changed without building, by the real program: what skopeo, umoci, tar and a registry make of the results. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { type NaiveEntry, naiveTar } from "../doubles/naive-tar.ts";
import { noRoot, testUnless } from "../doubles/test-unless.ts";
import { savedImage } from "./layouts.ts";
import { type Scene, scene } from "./scene.ts";

const asRoot = testUnless(noRoot);
const epoch = { SOURCE_DATE_EPOCH: "1700000000" };

const rich = `FROM wbuild.local/linux
RUN mkdir -p /a/b /a/deep/er && echo one > /a/one && ln /a/one /a/b/two && ln -s one /a/link && echo gone > /a/gone \\
    && mkfifo /a/pipe && chown 33:34 /a/one && chmod 4755 /a/one && touch -d @1500000000 /a/one && echo x > /a/deep/er/x
RUN rm /a/gone /etc/shells && ln /a/one /a/three && rm -r /a/b && mkdir /a/b && echo new > /a/b/n && echo y > /a/deep/er/y
RUN rm -r /a/deep/er && rm /a/link && mkdir /a/link && touch "/a/link/ü name"
ENV A=1
CMD ["cat", "/a/one"]
`;

async function richScene(t: ExecutionContext): Promise<Scene> {
  const s = await scene(t);
  const built = await s.build(await s.files("context", { Dockerfile: rich }), "-t", "app", "--compression", "gzip");
  t.is(built.code, 0, built.stderr);
  return s;
}

async function changed(t: ExecutionContext, s: Scene, ...args: string[]): Promise<string> {
  const result = await s.wbuildWith({ env: epoch }, ...args);
  t.is(result.code, 0, `wbuild ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

async function inspected(t: ExecutionContext, s: Scene, image: string) {
  const text = await changed(t, s, "inspect", image);
  return JSON.parse(text)[0] as { Config: Record<string, unknown>; RootFS: { Layers: string[] } };
}

/** As umoci unpacks an image: types, modes, owners, links, times, content. */
async function unpacked(s: Scene, image: string, folder: string): Promise<string> {
  const saved = await s.wbuild("save", "-o", `${folder}.layout/`, image);
  if (saved.code !== 0) throw new Error(saved.stderr);
  await s.tool("umoci", "unpack", "--image", `${folder}.layout:latest`, folder);
  const at = join(s.folder, folder, "rootfs");
  const list = await s.tool("sh", "-c", `cd ${at} && find . -printf '%P %y %m %U:%G %n %l %T@ %s\\n' | sort`);
  const sums = await s.tool("sh", "-c", `cd ${at} && find . -type f -print0 | sort -z | xargs -0 sha256sum`);
  return list.replace(/^(.* d \S+ \S+) \d+(.*) \d+$/gm, "$1$2") + sums;
}

for (const [command, layers] of [
  ["flatten", 1],
  ["squash", 2],
] as const) {
  asRoot(`${command}: umoci unpacks the same tree, twice the same digest, and it runs`, async (t) => {
    const s = await richScene(t);
    const first = await changed(t, s, command, "app", "-t", "flat");
    t.is(await changed(t, s, command, "app", "-t", "flat"), first);
    t.is((await inspected(t, s, "flat")).RootFS.Layers.length, layers);
    t.is(await unpacked(s, "flat", "flat"), await unpacked(s, "app", "app"));
    t.is(await changed(t, s, "diff", "app", "flat"), "");
    t.regex(await changed(t, s, "inspect", "--verify", "flat"), /0 errors, 0 warnings/);
    t.is(await s.run("flat"), "one\n");
    t.deepEqual((await inspected(t, s, "flat")).Config, (await inspected(t, s, "app")).Config);
  });
}

test("squash leaves nothing of what came and went, and bsdtar reads the layer", async (t) => {
  const s = await richScene(t);
  await changed(t, s, "squash", "app", "-t", "flat:latest", "--compression", "none");
  const layers = await tarsOf(s, "flat");
  const names = (layers.at(-1) ?? []).map(({ name }) => name.replace(/\/$/, ""));
  t.true(names.includes("etc/.wh.shells"));
  t.deepEqual(
    names.filter((name) => /gone|deep\/er|two/.test(name)),
    [],
  );
  const folder = join(s.folder, "saved/blobs/sha256");
  const tar = (await readdir(folder)).map((name) => join(folder, name));
  const lists = await Promise.all(tar.map((path) => s.tool("bsdtar", "-tf", path).catch(() => "")));
  t.true(lists.some((list) => list.includes("etc/.wh.shells") && list.includes("a/three")));
});

test("flatten --from keeps the layers below, and refuses a layer that is not there", async (t) => {
  const s = await richScene(t);
  await changed(t, s, "flatten", "app", "--from", "3", "-t", "flat");
  const [before, after] = [await inspected(t, s, "app"), await inspected(t, s, "flat")];
  t.deepEqual(after.RootFS.Layers.slice(0, 2), before.RootFS.Layers.slice(0, 2));
  t.is(after.RootFS.Layers.length, 3);
  t.is(await changed(t, s, "diff", "app", "flat"), "");
  const refused = await s.wbuild("flatten", "app", "--from", "9", "-t", "x");
  t.is(refused.code, 2);
  t.regex(refused.stderr, /IMG_EDIT/);
});

test("mutate: the layers stay, skopeo sees the new configuration, history tells it in one line", async (t) => {
  const s = await richScene(t);
  const flags = ["--env", "B=2", "--env", "A-", "--label", "k=v", "--annotation", "n=w", "--exposed-port", "80"];
  const more = ["--entrypoint", '["/bin/cat"]', "--cmd", '["/a/three"]', "--user", "33", "--workdir", "/a"];
  const first = await changed(t, s, "mutate", "app", ...flags, ...more, "-t", "two");
  t.is(await changed(t, s, "mutate", "app", ...flags, ...more, "-t", "two"), first);
  const [before, after] = [await inspected(t, s, "app"), await inspected(t, s, "two")];
  t.deepEqual(after.RootFS.Layers, before.RootFS.Layers);
  await changed(t, s, "save", "-o", "two.tar", "two");
  const seen = JSON.parse(await s.tool("skopeo", "inspect", "--config", "oci-archive:two.tar"));
  t.deepEqual(seen.config.Entrypoint, ["/bin/cat"]);
  t.deepEqual(seen.config.Env.slice(-1), ["B=2"]);
  t.is(seen.created, "2023-11-14T22:13:20Z");
  t.regex(seen.history.at(-1).created_by, /^wbuild mutate --env B=2 --env A- --label k=v .*--workdir \/a$/);
  t.true(seen.history.at(-1).empty_layer);
  const raw = JSON.parse(await s.tool("skopeo", "inspect", "--raw", "oci-archive:two.tar"));
  t.deepEqual(raw.annotations, { n: "w" });
  t.is(await s.run("two"), "one\n");
  t.deepEqual(await inspected(t, s, "app"), before);
});

test("mutate says what is wrong: nothing to do, a bad value, an image that is not there", async (t) => {
  const s = await scene(t);
  const rows = [
    [["mutate", "wbuild.local/linux"], 2, /CLI_USAGE.*nothing says what to change/],
    [["mutate", "wbuild.local/linux", "--env", "A"], 2, /CLI_VALUE.*--env/],
    [["mutate", "wbuild.local/linux", "--exposed-port", "http"], 2, /IMG_EDIT/],
    [["mutate", "nobody", "--user", "x"], 2, /IMG_NOT_FOUND/],
    [["mutate", "wbuild.local/linux", "--user", "x", "--push"], 2, /CLI_USAGE.*--push/],
    [["mutate", "wbuild.local/linux", "--set-platform", "windows/amd64"], 2, /IMG_EDIT/],
  ] as const;
  for (const [args, code, says] of rows) {
    const result = await s.wbuild(...args);
    t.is(result.code, code, args.join(" "));
    t.regex(result.stderr, says);
  }
});

test("an index stays an index: each of its images is changed, what was said about them is left out with a warning", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM scratch\nCOPY x /x\n", x: "x" });
  const built = await s.build(context, "-t", "both", "--platform", "linux/amd64,linux/arm64", "--sbom=true");
  t.is(built.code, 0, built.stderr);
  const result = await s.wbuildWith({ env: epoch }, "mutate", "both", "--user", "7", "-t", "seven");
  t.is(result.code, 0, result.stderr);
  t.regex(result.stderr, /2 entries of the index/);
  const index = JSON.parse(await changed(t, s, "inspect", "--raw", "seven"));
  t.deepEqual(
    index.manifests.map(({ platform }: { platform: { architecture: string } }) => platform.architecture),
    ["amd64", "arm64"],
  );
  for (const platform of ["linux/amd64", "linux/arm64"]) {
    const user = await changed(t, s, "inspect", "--platform", platform, "-f", "{{.Config.User}}", "seven");
    t.is(user, "7\n");
  }
});

test("append: tars in every compression, byte for byte; below a folder with --path; from standard input", async (t) => {
  const s = await richScene(t);
  const at = await s.files("files", { "srv/new/x": "hello\n" });
  await s.tool("tar", "-C", at, "-cf", "l.tar", "srv");
  for (const program of ["gzip", "zstd", "xz", "bzip2"])
    await s.tool("sh", "-c", `${program} -c l.tar > l.tar.${program}`);
  const diffId = `sha256:${(await s.tool("sha256sum", "l.tar")).slice(0, 64)}`;
  for (const name of ["l.tar", "l.tar.gzip", "l.tar.zstd", "l.tar.xz", "l.tar.bzip2"]) {
    await changed(t, s, "append", "-b", "app", "-f", name, "-t", "more");
    t.is((await inspected(t, s, "more")).RootFS.Layers.at(-1), diffId, name);
  }
  t.is(await changed(t, s, "diff", "app", "more"), "A /srv/new\nA /srv/new/x\n");
  t.is(await s.run("more", "cat", "/srv/new/x"), "hello\n");

  const input = await readFile(join(s.folder, "l.tar.xz"));
  const piped = await s.wbuildWith(
    { env: epoch, input },
    "append",
    "-b",
    "app",
    "-f",
    "-",
    "--path",
    "/a/b",
    "-t",
    "in",
  );
  t.is(piped.code, 0, piped.stderr);
  // The folders on the way stay as they are.
  t.is(await changed(t, s, "diff", "app", "in"), "A /a/b/srv\nA /a/b/srv/new\nA /a/b/srv/new/x\n");

  await changed(t, s, "append", "-f", "l.tar", "-f", "l.tar.gzip", "-t", "alone");
  t.is((await inspected(t, s, "alone")).RootFS.Layers.length, 2);
  t.regex(await changed(t, s, "inspect", "--verify", "alone"), /0 errors, 0 warnings/);
});

test("append refuses what would harm a host, what is no tar, and what cannot be read; nothing gets a name", async (t) => {
  const s = await scene(t);
  const at = await s.files("files", { x: "x".repeat(3000) });
  await s.tool("tar", "-C", at, "-cf", "l.tar", "x");
  await s.tool("tar", "-C", at, "-cPf", "evil.tar", "--transform", "s,^x,../../etc/x,", "x");
  await s.tool(
    "sh",
    "-c",
    "head -c 1500 l.tar > cut.tar; echo no > no.tar; gzip -c l.tar | head -c 60 > cut.gz; : > empty.tar",
  );
  const rows = [
    ["evil.tar", 1, /LAYER_ESCAPE.*evil\.tar/],
    ["cut.tar", 1, /LAYER_TRUNCATED.*cut\.tar/],
    ["cut.gz", 1, /LAYER_TRUNCATED.*cut\.gz/],
    ["no.tar", 1, /LAYER_HEADER.*no\.tar/],
    ["empty.tar", 1, /LAYER_HEADER.*empty\.tar/],
    ["nowhere.tar", 2, /CLI_VALUE.*nowhere\.tar/],
  ] as const;
  for (const [file, code, says] of rows) {
    const result = await s.wbuild("append", "-b", "wbuild.local/linux", "-f", file, "-t", "bad");
    t.is(result.code, code, `${file}: ${result.stderr}`);
    t.regex(result.stderr, says);
  }
  t.is((await s.wbuild("inspect", "bad")).code, 2);
});

test("rebase: the new base's layers and settings, the image's own on top, and back again", async (t) => {
  const s = await richScene(t);
  const dockerfile = 'FROM wbuild.local/linux\nRUN echo 2 > /version\nENV BASE=2\nLABEL new=1\nCMD ["ash"]\n';
  const made = await s.build(await s.files("next", { Dockerfile: dockerfile }), "-t", "next");
  t.is(made.code, 0, made.stderr);
  const flags = ["--old-base", "wbuild.local/linux", "--new-base", "next"];
  const first = await changed(t, s, "rebase", "app", ...flags, "-t", "moved");
  t.is(await changed(t, s, "rebase", "app", ...flags, "-t", "moved"), first);
  const [app, next, moved] = [
    await inspected(t, s, "app"),
    await inspected(t, s, "next"),
    await inspected(t, s, "moved"),
  ];
  t.deepEqual(moved.RootFS.Layers, [...next.RootFS.Layers, ...app.RootFS.Layers.slice(1)]);
  t.like(moved.Config, { Cmd: ["cat", "/a/one"], Labels: { new: "1" } });
  t.deepEqual((moved.Config.Env as string[]).slice(1), ["BASE=2", "A=1"]);
  t.is(await changed(t, s, "diff", "app", "moved"), "A /version\n");
  t.is(await s.run("moved"), "one\n");
  t.regex(await changed(t, s, "inspect", "--verify", "moved"), /0 errors, 0 warnings/);

  // Where it stands now is in its annotations, so nobody has to say it.
  await changed(t, s, "rebase", "moved", "--new-base", "wbuild.local/linux", "-t", "back");
  t.deepEqual((await inspected(t, s, "back")).RootFS.Layers, app.RootFS.Layers);
  t.deepEqual((await inspected(t, s, "back")).Config, app.Config);

  const refused = await s.wbuild("rebase", "app", "--old-base", "next", "--new-base", "next", "-t", "x");
  t.is(refused.code, 2);
  t.regex(refused.stderr, /IMG_NOT_BASE.*the layers of next/);
});

test("in the registry alone: only manifests and configurations travel, layers are mounted or are there", async (t) => {
  await using registry = await startRegistry();
  const s = await richScene(t);
  const at = (name: string) => `${registry.host}/${name}`;
  const made = await s.build(
    await s.files("next", { Dockerfile: "FROM wbuild.local/linux\nRUN echo 2 > /version\n" }),
    "-t",
    "next",
  );
  t.is(made.code, 0, made.stderr);
  for (const [image, name] of [
    ["app", "team/app:1"],
    ["next", "base:2"],
    ["wbuild.local/linux", "base:1"],
  ] as const) {
    await changed(t, s, "tag", image, at(name));
    t.is((await s.wbuild("push", at(name))).code, 0);
  }
  const far = { ...epoch, WBUILD_HOME: join(s.folder, "far") };
  const there = async (...args: string[]) => {
    const result = await s.wbuildWith({ env: far }, ...args);
    t.is(result.code, 0, result.stderr);
    return result.stdout;
  };
  await there("mutate", "--push", at("team/app:1"), "--label", "stable=yes", "-t", at("other/app:stable"));
  const rebase = ["rebase", "--push", at("team/app:1"), "--old-base", at("base:1"), "--new-base", at("base:2")];
  const moved = await there(...rebase, "-t", at("team/app:2"));
  const images = await there("images", "-q");
  t.is(images, "", "nothing gets a name here");
  const used = await s.tool("du", "-s", "--apparent-size", "-b", join(s.folder, "far"));
  t.true(Number(used.split("\t")[0]) < 400_000, `the store stays small: ${used}`);

  const seen = await s.tool("skopeo", "inspect", "--tls-verify=false", `docker://${at("other/app:stable")}`);
  t.deepEqual(JSON.parse(seen).Labels, { stable: "yes" });
  t.is((await s.wbuild("pull", at("team/app:2"))).code, 0);
  t.is(moved.trim().split("@")[0], at("team/app:2"));
  t.is(await s.run(at("team/app:2"), "cat", "/version", "/a/one"), "2\none\n");
});

test("rebase --push knows a base that only this host has, and tells nobody else to look for it", async (t) => {
  await using registry = await startRegistry();
  const at = (name: string) => `${registry.host}/${name}`;
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux AS next\nCOPY version /\nFROM wbuild.local/linux\nCOPY one /\n",
    one: "one\n",
    version: "2\n",
  });
  t.is((await s.build(context, "-t", at("app:1"), "--push")).code, 0);
  t.is((await s.build(context, "--target", "next", "-t", "wbuild.local/next")).code, 0);
  const moved = ["rebase", "--push", at("app:1"), "--new-base", "wbuild.local/next", "-t", at("app:2")];
  const done = await s.wbuild(...moved);
  t.is(done.code, 0, done.stderr);
  const raw = await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${at("app:2")}`);
  t.deepEqual(Object.keys(JSON.parse(raw).annotations), ["org.opencontainers.image.base.digest"]);
  t.is((await s.wbuild("pull", at("app:2"))).code, 0);
  t.is(await s.run(at("app:2"), "cat", "/version", "/one"), "2\none\n");

  const elsewhere = { env: { WBUILD_HOME: join(s.folder, "elsewhere") } };
  const told = await s.wbuildWith(elsewhere, ...moved, "--old-base", "wbuild.local/linux");
  t.is(told.code, 2);
  t.regex(told.stderr, /REG_LOCAL_ONLY.*wbuild\.local\/linux was made on a host/s);
  t.notRegex(told.stderr, /wbuild base linux/);
});

test("from one registry to another, an index too: layers pass through, the result is whole there", async (t) => {
  await using left = await startRegistry();
  await using right = await startRegistry();
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM scratch\nCOPY x /x\n", x: "x" });
  const from = `${left.host}/app:1`;
  const built = await s.build(context, "-t", from, "--platform", "linux/amd64,linux/arm64", "--push");
  t.is(built.code, 0, built.stderr);
  const to = `${right.host}/there:1`;
  const env = { ...epoch, WBUILD_HOME: join(s.folder, "far") };
  const result = await s.wbuildWith({ env }, "mutate", "--push", from, "--user", "7", "-t", to);
  t.is(result.code, 0, result.stderr);
  for (const architecture of ["amd64", "arm64"]) {
    const flags = ["--override-arch", architecture, "--src-tls-verify=false"];
    await s.tool("skopeo", "copy", "-q", ...flags, `docker://${to}`, `oci:${architecture}:1`);
    const config = JSON.parse(await s.tool("skopeo", "inspect", "--config", `oci:${architecture}:1`));
    t.like(config, { architecture, config: { User: "7" } });
  }
});

async function tarsOf(s: Scene, image: string): Promise<NaiveEntry[][]> {
  const { layers } = await savedImage(s, image);
  return layers.filter(({ mediaType }) => mediaType.endsWith("tar")).map(({ bytes }) => naiveTar(bytes));
}
