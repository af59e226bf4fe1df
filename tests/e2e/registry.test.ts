import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { noRoot, testUnless } from "../doubles/test-unless.ts";
import { outcome, type Scene, scene } from "./scene.ts";

const rich = `FROM wbuild.local/linux
COPY --chmod=4755 tool /usr/local/bin/tool
COPY --chown=33:33 tree/ /srv/tree/
RUN ln /srv/tree/a /srv/tree/hard && ln -s ../srv/tree /etc/tree && mkfifo /run/pipe && chmod 600 /run/pipe \\
    && rm /etc/shells && rm -r /usr/share && mkdir /usr/share && echo new > /usr/share/new && touch "/srv/ü name"
ENV GREETING="hello world"
WORKDIR /srv
CMD ["sh", "-c", "echo $GREETING"]
`;
const files = { Dockerfile: rich, tool: "#!/bin/sh\necho tool\n", "tree/a": "a\n", "tree/deep/b": "b\n" };

/** What find and sha256sum say of a folder: types, modes, owners, links, sizes, times, content. */
async function fingerprint(s: Scene, folder: string): Promise<string> {
  const list = await s.tool(
    "sh",
    "-c",
    `cd ${folder} && find . ! -path . -printf '%P %y %m %U:%G %n %l %T@\\n' | sort`,
  );
  const sums = await s.tool("sh", "-c", `cd ${folder} && find . -type f -print0 | sort -z | xargs -0 sha256sum`);
  // Folder sizes and link counts of folders depend on the file system.
  return list.replace(/^(.* d \S+ \S+) \d+/gm, "$1") + sums;
}

async function differences(s: Scene, left: string, right: string): Promise<string> {
  const [a, b] = [(await fingerprint(s, left)).split("\n"), (await fingerprint(s, right)).split("\n")];
  return [
    ...a.filter((line) => !b.includes(line)).map((line) => `- ${line}`),
    ...b.filter((line) => !a.includes(line)).map((line) => `+ ${line}`),
  ].join("\n");
}

async function unpackTar(s: Scene, archive: string, folder: string): Promise<string> {
  await mkdir(join(s.folder, folder));
  await s.tool("tar", "--numeric-owner", "--same-owner", "-xpf", archive, "-C", join(s.folder, folder));
  return join(s.folder, folder);
}

const asRoot = testUnless(noRoot);

for (const compression of ["zstd", "gzip"]) {
  asRoot(`pushed with ${compression}: skopeo copies it, umoci unpacks the same tree as our export`, async (t) => {
    await using registry = await startRegistry();
    const s = await scene(t);
    const name = `${registry.host}/team/rich:1`;
    const built = await s.build(await s.files("context", files), "-t", name, "--push", "--compression", compression);
    t.is(built.code, 0, built.stderr);
    t.is((await s.wbuild("export", "-o", "export.tar", name)).code, 0);
    const ours = await unpackTar(s, "export.tar", "ours");

    const raw = JSON.parse(await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`));
    t.true(raw.layers.every((layer: { mediaType: string }) => layer.mediaType.endsWith(`tar+${compression}`)));
    await s.tool("skopeo", "copy", "-q", "--src-tls-verify=false", `docker://${name}`, "oci:layout:1");
    if (compression === "gzip") {
      await s.tool("umoci", "unpack", "--image", "layout:1", "bundle");
      t.is(await differences(s, join(s.folder, "bundle/rootfs"), ours), "");
    }
    const config = JSON.parse(await s.tool("skopeo", "inspect", "--config", "--tls-verify=false", `docker://${name}`));
    t.like(config.config, { WorkingDir: "/srv", Cmd: ["sh", "-c", "echo $GREETING"] });
    t.true(config.config.Env.includes("GREETING=hello world"));
    t.is(
      config.history.filter((step: { empty_layer?: boolean }) => !step.empty_layer).length,
      config.rootfs.diff_ids.length,
    );
  });
}

test("an image that umoci made and skopeo pushed: pulled, run, and pushed elsewhere with the same digests", async (t) => {
  await using registry = await startRegistry();
  await using other = await startRegistry();
  const s = await scene(t);
  const rootless = process.getuid?.() === 0 ? [] : ["--rootless"];
  await s.tool("umoci", "init", "--layout", "layout");
  await s.tool("umoci", "new", "--image", "layout:1");
  await s.tool("umoci", "unpack", ...rootless, "--image", "layout:1", "bundle");
  await s.files("bundle/rootfs", { "hello.txt": "made by umoci\n" });
  await s.tool("cp", "/bin/busybox", "bundle/rootfs/busybox");
  await s.tool("umoci", "repack", "--image", "layout:1", "bundle");
  const command = ["/busybox", "cat", "/hello.txt"].flatMap((word) => ["--config.cmd", word]);
  await s.tool("umoci", "config", "--image", "layout:1", ...command);
  const name = `${registry.host}/umoci:1`;
  await s.tool("skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:layout:1", `docker://${name}`);

  const pulled = await s.wbuild("pull", name);
  t.is(pulled.code, 0, pulled.stderr);
  t.is(await s.run(name), "made by umoci\n");
  const elsewhere = `${other.host}/copy:2`;
  t.is((await s.wbuild("tag", name, elsewhere)).code, 0);
  const pushed = await s.wbuild("push", elsewhere);
  t.is(pushed.code, 0, pushed.stderr);
  const digest = async (of: string) =>
    createHash("sha256")
      .update(await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${of}`))
      .digest("hex");
  t.is(await digest(elsewhere), await digest(name));
});

test("a base from a registry: fetched when first needed, cached afterwards also without the registry", async (t) => {
  const s = await scene(t);
  let context = "";
  {
    await using registry = await startRegistry();
    const name = `${registry.host}/base:1`;
    t.is((await s.wbuild("tag", "wbuild.local/linux", name)).code, 0);
    t.is((await s.wbuild("push", name)).code, 0);
    await rm(s.env.WBUILD_HOME, { recursive: true });
    context = await s.files("context", { Dockerfile: `FROM ${name}\nRUN echo fetched > /made\n` });
    const built = await s.build(context, "-t", "app");
    t.is(built.code, 0, built.stderr);
    t.is(await s.run("app", "cat", "/made"), "fetched\n");
  }
  const again = await s.build(context, "-t", "app");
  t.is(again.code, 0, again.stderr);
  t.is(outcome(again, "RUN echo fetched"), "CACHED", again.stderr);
});

asRoot(
  "pull --unpack lays out what comes, and run does so of an image that is not here: neither needs the registry again",
  async (t) => {
    const registry = await startRegistry();
    const s = await scene(t);
    const name = `${registry.host}/team/rich:1`;
    const built = await s.build(await s.files("context", files), "-t", name, "--push");
    t.is(built.code, 0, built.stderr);
    const look = [name, "sh", "-c", "cat /srv/tree/a /usr/share/new"];
    const [pulling, running] = [join(s.folder, "pulling"), join(s.folder, "running")];

    const pulled = await s.wbuild("--home", pulling, "pull", "--unpack", name);
    t.is(pulled.code, 0, pulled.stderr);
    const snapshots = () => readdir(join(pulling, "store-v1/snapshots"));
    const unpacked = await snapshots();
    t.true(unpacked.length > 1);
    const ran = await s.wbuild("--home", running, "run", ...look);
    t.is(ran.stdout, "a\nnew\n", ran.stderr);
    await registry[Symbol.asyncDispose]();

    for (const home of [pulling, running]) {
      t.is((await s.wbuild("--home", home, "run", ...look)).stdout, "a\nnew\n");
      // Blobs and their digests, not files alone.
      t.is((await s.wbuild("--home", home, "save", "-o", join(home, "all.tar"), name)).code, 0);
    }
    t.deepEqual(await snapshots(), unpacked);
  },
);

for (const flags of [
  ["--lazy", "--unpack"],
  ["--all-platforms", "--unpack"],
  ["--all-platforms", "--lazy"],
])
  test(`pull ${flags.join(" ")}: refused`, async (t) => {
    const s = await scene(t, { base: false });
    const refused = await s.wbuild("pull", ...flags, "127.0.0.1:1/x");
    t.is(refused.code, 2);
    t.true(refused.stderr.includes(`${flags[0]} and ${flags[1]} exclude each other`), refused.stderr);
  });

test("login, refused and accepted; the password is nowhere but in Docker's file", async (t) => {
  const password = "s3cret-Passw0rd";
  await using registry = await startRegistry({ auth: { username: "me", password } });
  const s = await scene(t);
  const name = `${registry.host}/app:1`;
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nRUN echo > /a\n" });
  const seen: string[] = [];
  const step = async (code: number, input: string, ...args: string[]) => {
    const result = await s.wbuildWith({ input }, ...args);
    seen.push(result.stdout, result.stderr);
    t.is(result.code, code, `${args.join(" ")}: ${result.stderr}`);
    return result;
  };
  const anonymous = await step(
    3,
    "",
    "--debug",
    "build",
    "--progress",
    "plain",
    "--network",
    "none",
    "-t",
    name,
    "--push",
    context,
  );
  t.regex(anonymous.stderr, /wbuild login/);
  await step(3, "wrong-Passw0rd", "--debug", "login", "-u", "me", "--password-stdin", registry.host);
  await step(0, password, "--debug", "login", "-u", "me", "--password-stdin", registry.host);
  await step(0, "", "--debug", "push", name);
  t.true((await readFile(join(s.env.DOCKER_CONFIG, "config.json"), "utf8")).includes(registry.host));
  await step(0, "", "logout", registry.host);
  await step(3, "", "pull", name);
  const secrets = [password, "wrong-Passw0rd", Buffer.from(`me:${password}`).toString("base64")];
  for (const secret of secrets)
    t.false(
      seen.some((text) => text.includes(secret)),
      "a secret was printed",
    );
});

test("a blob that the registry changed is refused, and not stored", async (t) => {
  await using registry = await startRegistry();
  const s = await scene(t);
  const name = `${registry.host}/app:1`;
  const built = await s.build(await s.files("context", files), "-t", name, "--push");
  t.is(built.code, 0, built.stderr);
  const manifest = JSON.parse(await s.tool("skopeo", "inspect", "--raw", "--tls-verify=false", `docker://${name}`));
  const digest = manifest.layers[1].digest.slice("sha256:".length);
  const blob = join(registry.storage, "docker/registry/v2/blobs/sha256", digest.slice(0, 2), digest, "data");
  await s.tool("sh", "-c", `printf X | dd of=${blob} bs=1 seek=40 conv=notrunc status=none`);
  await rm(s.env.WBUILD_HOME, { recursive: true });
  const pulled = await s.wbuild("pull", name);
  t.true(pulled.code !== 0, pulled.stdout);
  t.regex(pulled.stderr, /STORE_DIGEST_MISMATCH/);
  t.is((await s.wbuild("inspect", name)).code, 2);
});
