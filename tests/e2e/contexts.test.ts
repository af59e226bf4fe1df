/** Contexts that are no folder: tars, URLs, repositories; and contexts with names. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";
import type { Pack } from "tar-stream";
import { fileServer } from "../doubles/file-server.ts";
import { gitDaemon, gitFolder, gitRepository, noGit } from "../doubles/git-server.ts";
import { compressors, packedTar } from "../doubles/packed-tar.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { outcome, type Scene, scene, stepsOf } from "./scene.ts";

const execute = promisify(execFile);
const gitTest = testUnless(noGit());

const dockerfile = "FROM wbuild.local/linux\nCOPY . /all/\n";

/** A tar of these files, by the system's own tar. */
async function tarOf(s: Scene, name: string, files: Record<string, string>, command = "cat"): Promise<Buffer> {
  const folder = await s.files(name, files);
  const line = `tar -C ${folder} -cf - . | ${command}`;
  return (await execute("sh", ["-c", line], { encoding: "buffer", maxBuffer: 64 << 20 })).stdout;
}

const listOf = (s: Scene, image: string) => s.run(image, "sh", "-c", "cd /all && find . -type f | sort | tr '\\n' ' '");

for (const [name, command] of compressors)
  test(`${name} on standard input is a context`, async (t) => {
    const s = await scene(t);
    const files = { Dockerfile: dockerfile, "a/b": "1", dropped: "2", ".dockerignore": "dropped\nDockerfile\n" };
    const input = await tarOf(s, "in", files, command);
    const build = () => s.wbuildWith({ input }, "build", "--progress", "plain", "-t", "app", "-");
    const first = await build();
    t.is(first.code, 0, first.stderr);
    t.is(await listOf(s, "app"), "./.dockerignore ./a/b ");
    const again = await build();
    t.deepEqual([...stepsOf(again.stderr).values()], ["CACHED", "CACHED"], again.stderr);
  });

test("-f looks into a tar; a text is a Dockerfile; both at once are an error", async (t) => {
  const s = await scene(t);
  const input = await tarOf(s, "in", { "sub/other": dockerfile, "sub/other.dockerignore": "sub\n", kept: "1" });
  const build = (input: string | Buffer, ...flags: string[]) =>
    s.wbuildWith({ input }, "build", "--progress", "plain", "-t", "app", ...flags, "-");
  const found = await build(input, "-f", "sub/other");
  t.is(found.code, 0, found.stderr);
  t.is(await listOf(s, "app"), "./kept ");
  t.regex((await build(input)).stderr, /CTX_NO_DOCKERFILE/);
  t.regex((await build(input, "-f", "../../../etc/passwd")).stderr, /CTX_NO_DOCKERFILE/);
  t.is((await build("FROM wbuild.local/linux\nRUN true\n")).code, 0);
  t.regex((await build("FROM scratch\n", "-f", "x")).stderr, /CTX_TAR/);
  t.regex((await build("FROM scratch\nCOPY a /\n")).stderr, /CTX_NONE/);
  t.regex((await build("x".repeat(5_000_000))).stderr, /larger than 4 MiB/);
});

test("a tar on standard input cannot leave its folder", async (t) => {
  const s = await scene(t, { base: false });
  const attacks: [string, (archive: Pack) => void][] = [
    ["a name that climbs out", (archive) => archive.entry({ name: "../../escaped" }, "x")],
    [
      "a file through a link",
      (archive) => {
        archive.entry({ name: "way", type: "symlink", linkname: s.folder });
        archive.entry({ name: "way/escaped" }, "x");
      },
    ],
    ["a hard link out", (archive) => archive.entry({ name: "mine", type: "link", linkname: "../../../etc/passwd" })],
  ];
  for (const [name, attack] of attacks) {
    const input = await packedTar((archive) => {
      archive.entry({ name: "Dockerfile" }, "FROM scratch\nCOPY . /\n");
      attack(archive);
    });
    const built = await s.wbuildWith({ input }, "build", "-");
    t.not(built.code, 0, name);
    t.regex(built.stderr, /CTX_TAR[\s\S]*LAYER_|LAYER_/, name);
  }
  const cut = (await tarOf(s, "in", { Dockerfile: "FROM scratch\n", a: "1".repeat(5000) }, "gzip")).subarray(0, 120);
  t.regex((await s.wbuildWith({ input: cut }, "build", "-")).stderr, /error\[/);
});

test("the URL of a tar is a context, that of a text a Dockerfile", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  const bytes = await tarOf(s, "in", { Dockerfile: dockerfile, a: "1" }, "gzip");
  server.files.set("/context", { bytes, etag: '"1"' });
  server.files.set("/text", { bytes: Buffer.from("FROM wbuild.local/linux\nRUN true\n") });
  const first = await s.build(`${server.url}/context`, "-t", "app");
  t.is(first.code, 0, first.stderr);
  t.is(await listOf(s, "app"), "./Dockerfile ./a ");
  const again = await s.build(`${server.url}/context`, "-t", "app");
  t.deepEqual([...again.steps.values()], ["CACHED", "CACHED"]);
  t.deepEqual(
    server.asked.map((one) => one.status),
    [200, 304],
  );
  t.is((await s.build(`${server.url}/text`)).code, 0);
  const elsewhere = await s.build(await s.files("local", { a: "1" }), "-f", `${server.url}/text`);
  t.is(elsewhere.code, 0, elsewhere.stderr);
  const none = await s.build(`${server.url.replace("//", "//me:s3cret@")}/none?sig=s3cret`);
  t.regex(none.stderr, /CTX_FETCH.*404/);
  t.notRegex(none.stderr, /s3cret/);
});

gitTest("a repository is a context: ref, folder, .git on demand, Dockerfile from elsewhere", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const url = `${await gitDaemon(t, folder)}/r`;
  await repository.commit({ Dockerfile: dockerfile, a: "1", "sub/Dockerfile": dockerfile, "sub/b": "2" });
  const first = await s.build(url, "-t", "app");
  t.is(first.code, 0, first.stderr);
  t.is(await listOf(s, "app"), "./Dockerfile ./a ./sub/Dockerfile ./sub/b ");
  await s.build(`${url}#main:sub`, "-t", "app");
  t.is(await listOf(s, "app"), "./Dockerfile ./b ");
  const kept = await s.build(url, "-t", "app", "--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1");
  t.is(kept.code, 0, kept.stderr);
  t.regex(await listOf(s, "app"), /\.\/\.git\/HEAD /);
  t.is((await s.build(`${url}#main`, "-f", "sub/Dockerfile", "-t", "app")).code, 0);
  const input = "FROM wbuild.local/linux\nCOPY a /all/only\n";
  const lone = await s.wbuildWith({ input }, "build", "-t", "app", "-f", "-", url);
  t.is(lone.code, 0, lone.stderr);
  t.is(await listOf(s, "app"), "./only ");
  // Another commit with the same files is the same to a COPY.
  await repository.commit({}, "nothing new");
  t.is(outcome(await s.build(url), "COPY"), "CACHED");
  await repository.commit({ a: "changed" });
  t.is(outcome(await s.build(url), "COPY"), "DONE");
  t.regex((await s.build(`${url}#nope`)).stderr, /CTX_GIT_REF/);
});

gitTest("names stand for folders, tars, repositories and images, in FROM, --from and mounts", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/x.tar", { bytes: await tarOf(s, "tar", { "in-tar": "tar\n" }) });
  server.files.set("/lone.txt", { bytes: Buffer.from("lone\n") });
  const repositories = await gitFolder(t);
  const repository = await gitRepository(repositories, "r");
  await repository.commit({ "in-git": "git\n" });
  const git = `${await gitDaemon(t, repositories)}/r`;
  await s.files("named", { "in-folder": "folder\n", dropped: "x", ".dockerignore": "dropped\n" });
  const context = await s.files("context", {
    Dockerfile: `FROM folder AS files
FROM wbuild.local/linux
COPY --from=files / /from/
COPY --from=folder . /folder/
COPY --from=tar in-tar /
COPY --from=repo . /git/
COPY --from=lone / /lone/
RUN --mount=type=bind,from=folder,target=/m --mount=type=bind,from=repo,target=/g cat /m/in-folder /g/in-git > /mounted
`,
  });
  const flags = [`folder=${s.folder}/named`, `tar=${server.url}/x.tar`, `repo=${git}`, `lone=${server.url}/lone.txt`];
  const build = () => s.build(context, "-t", "app", ...flags.flatMap((one) => ["--build-context", one]));
  const built = await build();
  t.is(built.code, 0, built.stderr);
  const list = "cd / && find from folder git lone in-tar -type f | sort | tr '\\n' ' '; cat mounted";
  t.is(
    await s.run("app", "sh", "-c", list),
    "folder/.dockerignore folder/in-folder from/.dockerignore from/in-folder git/in-git in-tar lone/context folder\ngit\n",
  );
  t.deepEqual([...new Set((await build()).steps.values())], ["CACHED"]);
});

test("a name hides a stage and an image of that name, and the stage's steps", async (t) => {
  const s = await scene(t);
  await s.files("named", { which: "context\n" });
  const context = await s.files("context", {
    Dockerfile: `FROM no.example/image AS hidden
RUN false
FROM hidden AS child
FROM wbuild.local/linux
COPY --from=hidden which /a
COPY --from=child which /b
COPY --from=busybox which /c
`,
  });
  const flags = ["hidden", "busybox:latest"].flatMap((name) => ["--build-context", `${name}=${s.folder}/named`]);
  const built = await s.build(context, "-t", "app", ...flags);
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("app", "cat", "/a", "/b", "/c"), "context\n".repeat(3));
});

test("a name stands for an image of an OCI layout, or another image", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: "FROM base\nRUN echo $FROM_LAYOUT > /seen\n",
    Base: "FROM wbuild.local/linux\nENV FROM_LAYOUT=yes\n",
  });
  t.is((await s.build(context, "-f", join(context, "Base"), "-t", "one")).code, 0);
  await s.wbuild("save", "--format", "oci", "-o", `${s.folder}/layout/`, "one");
  const base = async (value: string) => s.build(context, "-t", "app", "--build-context", `base=${value}`);
  for (const value of [
    `oci-layout://${s.folder}/layout`,
    `oci-layout://${s.folder}/layout:latest`,
    "docker-image://one",
  ]) {
    const built = await base(value);
    t.is(built.code, 0, `${value}: ${built.stderr}`);
    t.is(await s.run("app", "cat", "/seen"), "yes\n");
  }
  t.regex((await base(`oci-layout://${s.folder}/layout:other`)).stderr, /CTX_NAMED/);
  t.regex((await base("target:x")).stderr, /CTX_NAMED/);
  t.regex((await base("s3://bucket")).stderr, /CTX_NAMED/);
  t.regex((await base("./nowhere")).stderr, /CTX_NO_FOLDER/);
});

test("where a context comes from elsewhere, what it was is nowhere in the image", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  const bytes = await tarOf(s, "in", { Dockerfile: dockerfile });
  server.files.set("/c", { bytes, authorization: `Basic ${btoa("me:s3cret")}` });
  const output = join(s.folder, "image.tar");
  const built = await s.build(`${server.url.replace("//", "//me:s3cret@")}/c`, "-o", `type=oci,dest=${output}`);
  t.is(built.code, 0, built.stderr);
  t.notRegex(built.stderr, /s3cret/);
  t.false(readFileSync(output).includes("s3cret"));
});
