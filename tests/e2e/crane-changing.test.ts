/**
 * crane's append, mutate, rebase, flatten and export beside ours, on the same image: files, settings and layers are the same,
 * and where we do otherwise on purpose the titles say so.
 */
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type RunningRegistry, startRegistry } from "../doubles/docker-registry.ts";
import { peer, testWithPeers } from "../doubles/peers.ts";
import { type Scene, scene } from "./scene.ts";

const crane = peer("crane").program ?? "crane";
const testCrane = testWithPeers("crane");

let registry: RunningRegistry;
test.before(async () => {
  registry = await startRegistry();
});
test.after.always(() => registry?.close());

const rich = `FROM wbuild.local/linux
RUN mkdir -p /a/b /a/deep/er && echo one > /a/one && ln /a/one /a/b/two && ln -s one /a/link && echo gone > /a/gone \\
    && mkfifo /a/pipe && chown 33:34 /a/one && chmod 4755 /a/one && touch -d @1500000000 /a/one && echo x > /a/deep/er/x
RUN rm /a/gone /etc/shells && ln /a/one /a/three && echo new > /a/b/n && echo y > /a/deep/er/y
RUN rm -r /a/deep/er && mkdir /a/l && touch "/a/l/ü name"
ENV A=1 KEPT=2
LABEL l=1
CMD ["cat", "/a/one"]
`;

interface Both {
  readonly s: Scene;
  readonly image: string;
  readonly ours: string;
  readonly theirs: string;
}

async function bothOf(t: ExecutionContext, repository: string, dockerfile: string): Promise<Both> {
  const s = await scene(t);
  const at = (name: string) => `${registry.host}/${repository}/${name}:1`;
  const context = await s.files("context", { Dockerfile: dockerfile });
  const built = await s.build(context, "-t", at("image"), "--push", "--compression", "gzip");
  t.is(built.code, 0, built.stderr);
  return { s, image: at("image"), ours: at("ours"), theirs: at("theirs") };
}

/** Makes ours and pushes it. */
async function made(t: ExecutionContext, s: Scene, ours: string, ...args: string[]): Promise<void> {
  for (const line of [
    [...args, "-t", ours],
    ["push", "-q", ours],
  ]) {
    const { code, stderr } = await s.wbuild(...line);
    t.is(code, 0, `wbuild ${line.join(" ")}: ${stderr}`);
  }
}

interface Config {
  readonly architecture: string;
  readonly os: string;
  readonly created: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
}

const configOf = async (s: Scene, image: string) => JSON.parse(await s.tool(crane, "config", image)) as Config;
const manifestOf = async (s: Scene, image: string) =>
  JSON.parse(await s.tool(crane, "manifest", image)) as {
    readonly layers: readonly { readonly digest: string }[];
    readonly annotations?: object;
  };
const lines = ({ history }: Config) => history.map(({ created_by }) => created_by);

/** What bsdtar says of every file of a tar: type, owner, mode, time, size, link, content. Order does not count. */
async function filesOf(s: Scene, tar: string): Promise<string[]> {
  const keys = "--options=!all,type,uid,gid,mode,time,size,link,sha256";
  const text = await s.tool("bsdtar", "-cf", "-", "--format=mtree", keys, `@${tar}`);
  return text
    .split("\n")
    .map((line) => line.replace(/^(\S+)\/ /, "$1 "))
    .sort();
}

async function exported(s: Scene, image: string, by: "crane" | "wbuild"): Promise<string[]> {
  const tar = join(s.folder, `${by}.tar`);
  if (by === "crane") await s.tool(crane, "export", image, tar);
  else if ((await s.wbuild("export", "-o", tar, image)).code !== 0) throw new Error(`cannot export ${image}`);
  return filesOf(s, tar);
}

testCrane("export and flatten give the same files, with every attribute", async (t) => {
  const { s, image, ours, theirs } = await bothOf(t, "flatten", rich);
  const files = await exported(s, image, "wbuild");
  t.true(files.length > 100);
  t.deepEqual(await exported(s, image, "crane"), files);
  await made(t, s, ours, "flatten", image);
  await s.tool(crane, "flatten", image, "-t", theirs);
  t.deepEqual(await exported(s, ours, "crane"), files);
  t.deepEqual(await exported(s, ours, "wbuild"), files);
  t.is((await s.wbuild("pull", theirs)).code, 0);
  t.deepEqual(await exported(s, theirs, "wbuild"), files);
  t.is((await s.wbuild("diff", theirs, ours)).stdout, "");
});

testCrane("flatten keeps settings as crane does, and history as lines, where crane makes one text of it", async (t) => {
  const { s, image, ours, theirs } = await bothOf(t, "flatten-history", rich);
  await made(t, s, ours, "flatten", image);
  await s.tool(crane, "flatten", image, "-t", theirs);
  const [before, mine, other] = await Promise.all([image, ours, theirs].map((name) => configOf(s, name)));
  t.deepEqual(mine?.config, other?.config);
  t.is(mine?.rootfs.diff_ids.length, 1);
  t.is(other?.history.length, 1);
  t.deepEqual(mine && lines(mine), [...(before ? lines(before) : []), "wbuild flatten"]);
  t.is(mine?.history.filter(({ empty_layer }) => empty_layer !== true).length, 1);
});

testCrane("a folder that was made anew hides what it held: crane's export still shows it, ours does not", async (t) => {
  const again = `FROM wbuild.local/linux\nRUN mkdir /d && echo old > /d/old\nRUN rm -r /d && mkdir /d && echo new > /d/new\n`;
  const { s, image } = await bothOf(t, "opaque", again);
  const below = (files: readonly string[]) => files.flatMap((line) => /^\.\/d\/(\S+)/.exec(line)?.[1] ?? []);
  t.deepEqual(below(await exported(s, image, "wbuild")), ["new"]);
  t.true(below(await exported(s, image, "crane")).includes("new"));
});

testCrane(
  "mutate: the same settings, annotations and layers; a port without a protocol is Docker's 80/tcp",
  async (t) => {
    const { s, image, ours, theirs } = await bothOf(t, "mutate", rich);
    const same = ["-e", "B=2", "-e", "A=9", "-l", "l=2", "-l", "z=y", "-a", "n=w", "-u", "33", "-w", "/a"];
    const ports = ["--exposed-port", "80", "--exposed-port", "53/udp"];
    const command = ["--entrypoint", '["/bin/cat"]', "--cmd", '["/a/three","/a/one"]'];
    await made(t, s, ours, "mutate", image, ...same, ...ports, ...command);
    const spelling = ["--exposed-ports", "80/tcp,53/udp", "--entrypoint", "/bin/cat", "--cmd", "/a/three,/a/one"];
    await s.tool(crane, "mutate", image, ...same, ...spelling, "-t", theirs);
    const [mine, other] = await Promise.all([ours, theirs].map((name) => configOf(s, name)));
    t.deepEqual(mine?.config, other?.config);
    t.deepEqual(mine?.rootfs, other?.rootfs);
    const manifests = await Promise.all([ours, theirs].map((name) => manifestOf(s, name)));
    t.deepEqual(manifests[0]?.layers, manifests[1]?.layers);
    t.deepEqual(manifests[0]?.annotations, { n: "w" });
    t.deepEqual(manifests[1]?.annotations, { n: "w" });
    t.deepEqual(mine && lines(mine).slice(0, -1), other && lines(other), "our history has a line for the change");
  },
);

for (const [kind, flags] of [
  ["plain", ["-cf"]],
  ["gzip", ["-czf"]],
] as const)
  testCrane(`append of a ${kind} tar: the same layer below the same settings`, async (t) => {
    const { s, image, ours, theirs } = await bothOf(t, `append-${kind}`, rich);
    await s.files("new", { "a/one": "another", "a/.wh.three": "" });
    const tar = join(s.folder, "layer.tar");
    await s.tool("tar", "-C", join(s.folder, "new"), "--owner=5", "--group=6", ...flags, tar, "a");
    await made(t, s, ours, "append", "-b", image, "-f", tar);
    await s.tool(crane, "append", "-b", image, "-f", tar, "-t", theirs);
    const [mine, other] = await Promise.all([ours, theirs].map((name) => configOf(s, name)));
    t.deepEqual(mine?.rootfs, other?.rootfs);
    t.deepEqual(mine?.config, other?.config);
    t.is(mine?.history.length, other?.history.length);
    const files = await exported(s, theirs, "crane");
    t.false(files.some((line) => line.startsWith("./a/three")));
    t.deepEqual(await exported(s, ours, "wbuild"), files);
    // What came as gzip stays as it came with both; a plain tar is compressed by each in its own way.
    if (kind === "gzip") t.deepEqual((await manifestOf(s, ours)).layers, (await manifestOf(s, theirs)).layers);
  });

testCrane("append on nothing: the same layer; ours says for which platform it is", async (t) => {
  const s = await scene(t, { base: false });
  await s.files("new", { f: "f" });
  await s.tool("tar", "-C", join(s.folder, "new"), "-czf", "layer.tar", "f");
  const [ours, theirs] = ["ours", "theirs"].map((name) => `${registry.host}/nothing/${name}:1`) as [string, string];
  await made(t, s, ours, "append", "-f", "layer.tar", "--platform", "linux/arm64");
  await s.tool(crane, "append", "-f", "layer.tar", "-t", theirs);
  const [mine, other] = await Promise.all([ours, theirs].map((name) => configOf(s, name)));
  t.deepEqual(mine?.rootfs, other?.rootfs);
  t.deepEqual([mine?.os, mine?.architecture], ["linux", "arm64"]);
  t.deepEqual([other?.os, other?.architecture], ["", ""]);
});

const baseLines = (version: number) => `FROM scratch
COPY f /f
ENV BASE=${version} KEPT=base
LABEL base=${version}
WORKDIR /w
CMD ["/base${version}"]
`;

testCrane(
  "rebase: the same layers in the same order; settings of the new base arrive, where crane keeps the old one's",
  async (t) => {
    const s = await scene(t, { base: false });
    const at = (name: string) => `${registry.host}/rebase/${name}:1`;
    const build = async (name: string, dockerfile: string, f: string) => {
      const context = await s.files(name, { Dockerfile: dockerfile, f });
      const built = await s.build(context, "-t", at(name), "--push", "--compression", "gzip");
      t.is(built.code, 0, built.stderr);
    };
    await build("old", baseLines(1), "1");
    await build("new", baseLines(2), "2");
    await build("child", `FROM ${at("old")}\nCOPY f /own\nENV OWN=1 KEPT=mine\nLABEL own=1\nUSER 7\n`, "own");
    for (const name of ["old", "new"]) t.is((await s.wbuild("pull", at(name))).code, 0);
    await made(t, s, at("ours"), "rebase", at("child"), "--old-base", at("old"), "--new-base", at("new"));
    const bases = ["--old_base", at("old"), "--new_base", at("new")];
    await s.tool(crane, "rebase", at("child"), ...bases, "-t", at("theirs"));

    const [mine, other] = await Promise.all(["ours", "theirs"].map((name) => configOf(s, at(name))));
    t.deepEqual(mine?.rootfs, other?.rootfs);
    t.deepEqual((await manifestOf(s, at("ours"))).layers, (await manifestOf(s, at("theirs"))).layers);
    t.deepEqual(await exported(s, at("ours"), "wbuild"), await exported(s, at("theirs"), "crane"));
    t.deepEqual(mine && lines(mine).slice(0, -1), other && lines(other));
    const { Env, Labels, Cmd, User, WorkingDir } = mine?.config ?? {};
    t.deepEqual([...(Env as string[])].sort().slice(0, 3), ["BASE=2", "KEPT=mine", "OWN=1"]);
    t.deepEqual([Labels, Cmd, User, WorkingDir], [{ base: "2", own: "1" }, ["/base2"], "7", "/w"]);
    t.deepEqual(other?.config.Labels, { base: "1", own: "1" });
  },
);
