/** ADD of what lies elsewhere: files behind URLs, git repositories. */
import { execFileSync } from "node:child_process";
import { chmod, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { join } from "node:path";
import test from "ava";
import { fileServer, sha256 } from "../doubles/file-server.ts";
import { gitDaemon, gitFolder, gitRepository, gitWeb, noGit } from "../doubles/git-server.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { outcome, type Scene, scene } from "./scene.ts";

const gitTest = testUnless(noGit());
const modified = "Wed, 01 Jan 2020 00:00:00 GMT";

async function add(s: Scene, lines: string, ...flags: string[]) {
  const context = await s.files("context", { Dockerfile: `FROM wbuild.local/linux\n${lines}\n`, local: "local\n" });
  return s.build(context, "-t", "app", ...flags);
}

test("ADD of a URL: root's, 0600, dated by the server, named by the URL", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/a/file.txt", { bytes: Buffer.from("one\n"), lastModified: modified });
  server.files.set("/", { bytes: Buffer.from("two\n") });
  const { url } = server;
  const built = await add(
    s,
    `ADD ${url}/a/file.txt?x=1 /in/
ADD ${url}/a/file.txt /as
ADD --chmod=755 --chown=1:2 ${url}/a/file.txt local /both/
ADD ${url}/ /root/`,
  );
  t.is(built.code, 0, built.stderr);
  t.is(
    await s.run("app", "sh", "-c", "stat -c '%a %u:%g %Y %n' /in/* /as /both/file.txt /root/*; cat /as /both/local"),
    `600 0:0 1577836800 /in/file.txt
600 0:0 1577836800 /as
755 1:2 1577836800 /both/file.txt
600 0:0 0 /root/__unnamed__
one
local
`,
  );
});

test("ADD of a URL is cached by what the server says, and made again when the file is another", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  const file = { bytes: Buffer.from("one\n"), etag: '"1"' };
  server.files.set("/f", file);
  const build = () => add(s, `ADD ${server.url}/f /f\nRUN cat /f`);
  t.is(outcome(await build(), "ADD"), "DONE");
  t.is(outcome(await build(), "ADD"), "CACHED");
  server.files.set("/f", { ...file, etag: '"2"' });
  t.is(outcome(await build(), "RUN"), "CACHED");
  server.files.set("/f", { bytes: Buffer.from("two\n"), etag: '"3"' });
  const changed = await build();
  t.deepEqual([outcome(changed, "ADD"), outcome(changed, "RUN")], ["DONE", "DONE"]);
  t.deepEqual(
    server.asked.map((one) => one.status),
    [200, 304, 200, 200],
  );
});

test("--checksum holds, and spares the server", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  const bytes = Buffer.from("one\n");
  server.files.set("/f", { bytes });
  const build = (hex: string) => add(s, `ARG SUM=sha256:${hex}\nADD --checksum=$SUM ${server.url}/f /f`);
  t.is((await build(sha256(bytes))).code, 0);
  t.is(outcome(await build(sha256(bytes)), "ADD"), "CACHED");
  t.is(server.asked.length, 1);
  t.regex((await build(sha256("other"))).stderr, /CTX_CHECKSUM/);
  t.regex((await build("12")).stderr, /DF_REMOTE_SOURCE/);
  t.regex((await add(s, `ADD --checksum=sha256:${sha256("x")} local /f`)).stderr, /DF_REMOTE_SOURCE/);
});

test("a tar behind a URL stays one, unless --unpack says otherwise", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  const folder = await s.files("in", { "a/b": "content\n" });
  const bytes = execFileSync("sh", ["-c", `tar -C ${folder} -cf - a | gzip`]);
  server.files.set("/x.tgz", { bytes });
  const built = await add(s, `ADD ${server.url}/x.tgz /kept/\nADD --unpack=true ${server.url}/x.tgz /made/`);
  t.is(built.code, 0, built.stderr);
  t.is(
    await s.run("app", "sh", "-c", "find /kept /made -type f | sort; cat /made/a/b"),
    "/kept/x.tgz\n/made/a/b\ncontent\n",
  );
});

test("what a URL hides is in no log and no history; a server that refuses is blamed on the line", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/f", { bytes: Buffer.from("x"), authorization: `Basic ${btoa("me:s3cret")}` });
  const url = server.url.replace("//", "//me:s3cret@");
  const built = await add(s, `ADD ${url}/f /f`);
  t.is(built.code, 0, built.stderr);
  t.notRegex(built.stderr, /s3cret/);
  t.notRegex((await s.wbuild("history", "--no-trunc", "app")).stdout, /s3cret/);
  const refused = await add(s, `RUN true\nADD ${server.url}/f /f`);
  t.regex(refused.stderr, /CTX_FETCH[\s\S]*Dockerfile:3/);
  t.regex((await add(s, `COPY ${server.url}/f /f`)).stderr, /DF_REMOTE_SOURCE/);
});

test("what signs a URL is in no log, no history and no error, be it written or a variable", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/f", { bytes: Buffer.from("x") });
  const signed = `${server.url}/f?X-Amz-Credential=s3cret1&v=1&X-Amz-Signature=s3cret2`;
  const given = ["--build-arg", `URL=${server.url}/f?token=s3cret3`];
  const built = await add(s, `ARG URL\nADD ${signed} /a\nADD $URL /b\nRUN echo "$URL"`, ...given);
  t.is(built.code, 0, built.stderr);
  const history = await s.wbuild("history", "--no-trunc", "app");
  t.regex(history.stdout, /f\?X-Amz-Credential=xxxxx&v=1&X-Amz-Signature=xxxxx/);
  const config = await s.wbuild("inspect", "--format", "{{json .}}", "app");
  const step = built.stderr.split("\n").filter((line) => !/^#\d+ \d/.test(line));
  t.notRegex([...step, history.stdout, config.stdout].join("\n"), /s3cret/);
  // Far behind in its line, where only a part of it is shown.
  const refused = await add(s, `ADD --checksum=sha256:${"0".repeat(64)} ${signed}&x=${"y".repeat(100)} /a`);
  t.regex(refused.stderr, /CTX_CHECKSUM/);
  const odd = await add(s, `ADD ${server.url}/x.git?token=s3cret4 /a`);
  t.regex(odd.stderr, /CTX_GIT_URL/);
  t.notRegex(refused.stderr + odd.stderr, /s3cret/);
});

test("a token for a server comes from a secret", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/f", { bytes: Buffer.from("x"), authorization: "Bearer t0ken" });
  const host = new URL(server.url).host;
  const context = await s.files("context", { Dockerfile: `FROM wbuild.local/linux\nADD ${server.url}/f /f\n` });
  const built = await s.wbuildWith(
    { env: { TOKEN: "t0ken" } },
    ...["build", "--secret", `id=HTTP_AUTH_TOKEN_${host},env=TOKEN`, context],
  );
  t.is(built.code, 0, built.stderr);
});

test("ADD goes through the proxy of the environment, and says nothing of its password", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  server.files.set("/f", { bytes: Buffer.from("through\n") });
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, client: Socket) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
    const there = connect(Number(new URL(server.url).port), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(there).pipe(client);
    });
    for (const end of [client, there]) end.on("error", () => end.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.teardown(() => void proxy.close());
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nADD http://files.example/f /f\n" });
  const url = `http://me:s3cret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const built = await s.wbuildWith({ env: { HTTP_PROXY: url } }, "build", "--progress", "plain", "-t", "app", context);
  t.is(built.code, 0, built.stderr);
  t.deepEqual(asked, [`files.example:80 Basic ${btoa("me:s3cret")}`]);
  t.is(await s.run("app", "cat", "/f"), "through\n");
  t.notRegex(built.stderr, /s3cret/);
});

gitTest("ADD of a repository: files of the commit, its times, .git on demand", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const commit = await repository.commit({ "a/b": "1", top: "2" });
  await repository.git("tag", "v1");
  const url = `${await gitDaemon(t, folder)}/r`;
  const built = await add(
    s,
    `ADD ${url} /all
ADD --chown=1:2 ${url}#v1:a /sub/
ADD --keep-git-dir --checksum=${commit} ${url}#main /kept/`,
  );
  t.is(built.code, 0, built.stderr);
  t.is(
    await s.run(
      "app",
      "sh",
      "-c",
      "cd / && stat -c '%a %u:%g %Y %n' all/a/b all/top sub/b; ls -a kept | tr '\\n' ' '; cat kept/.git/HEAD",
    ),
    `644 0:0 1577934245 all/a/b
644 0:0 1577934245 all/top
644 1:2 1577934245 sub/b
. .. .git a top ${commit}
`,
  );
  t.regex((await add(s, `ADD --checksum=${"0".repeat(40)} ${url}#main /x`)).stderr, /CTX_CHECKSUM[\s\S]*Dockerfile:2/);
  t.regex((await add(s, `ADD ${url}#nope /x`)).stderr, /CTX_GIT_REF/);
  t.regex((await add(s, `ADD ${url}#--x /x`)).stderr, /CTX_GIT_URL[\s\S]*Dockerfile:2/);
});

gitTest("a repository by its commit needs no server a second time", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const commit = await repository.commit({ a: "1" });
  const { url, asked } = await gitWeb(t, folder);
  const build = () => add(s, `ADD ${url}/r/.git#${commit} /r`);
  t.is(outcome(await build(), "ADD"), "DONE");
  const requests = asked.length;
  await rm(repository.folder, { recursive: true });
  t.is(outcome(await build(), "ADD"), "CACHED");
  t.is(asked.length, requests);
});

gitTest("a private repository is fetched with a secret, which stays one", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  await repository.commit({ a: "1" });
  const { url } = await gitWeb(t, folder, `basic ${btoa("x-access-token:t0ken")}`);
  const context = await s.files("context", { Dockerfile: `FROM wbuild.local/linux\nADD ${url}/r/.git /r\n` });
  const build = (env: Record<string, string>, ...flags: string[]) =>
    s.wbuildWith({ env }, "build", "--progress", "plain", "-t", "app", ...flags, context);
  const refused = await build({});
  t.regex(refused.stderr, /CTX_GIT[\s\S]*GIT_AUTH_TOKEN/);
  const built = await build({ TOKEN: "t0ken" }, "--secret", "id=GIT_AUTH_TOKEN,env=TOKEN");
  t.is(built.code, 0, built.stderr);
  t.notRegex(built.stderr, /t0ken/);
});

test("a missing git is told", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: "FROM wbuild.local/linux\nADD git://127.0.0.1:1/r /r\n" });
  const built = await s.wbuildWith({ env: { PATH: "/nowhere" } }, "build", context);
  t.regex(built.stderr, /CTX_NO_GIT[\s\S]*install the package git/);
});

gitTest("a repository by ssh is fetched with the key that --ssh gives, and with no other", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  await repository.commit({ a: "1" });
  // In ssh's place: what it was called with and which keys the agent has, then the command, as a server would run it.
  const programs = await s.files("programs", {
    ssh: `#!/bin/sh
echo "$@" > ${s.folder}/asked
ssh-add -L > ${s.folder}/keys 2>&1
for last; do :; done
exec sh -c "$last"
`,
    key: execFileSync("sh", ["-c", `ssh-keygen -q -t ed25519 -N '' -C mine -f ${s.folder}/key && cat ${s.folder}/key`]),
  });
  await chmod(join(programs, "ssh"), 0o755);
  const context = await s.files("context", {
    Dockerfile: `FROM wbuild.local/linux\nADD ssh://git@host.example${repository.folder} /r\n`,
  });
  const build = (...flags: string[]) =>
    s.wbuildWith(
      { env: { PATH: `${programs}:${process.env.PATH}`, SSH_AUTH_SOCK: undefined } },
      "build",
      ...flags,
      context,
    );
  const built = await build("--ssh", `default=${s.folder}/key`);
  t.is(built.code, 0, built.stderr);
  t.regex(await readFile(join(s.folder, "keys"), "utf8"), /^ssh-ed25519 \S+ mine/);
  t.regex(await readFile(join(s.folder, "asked"), "utf8"), /^-F \/dev\/null .*IdentityFile=none.* git@host\.example /);
  await repository.commit({ b: "2" });
  t.is((await build()).code, 0);
  t.notRegex(await readFile(join(s.folder, "keys"), "utf8"), /ssh-/);
});

test("ADD into a Windows image takes files, tars and named folders to C:", async (t) => {
  const s = await scene(t, { base: false });
  const server = await fileServer(t);
  const folder = await s.files("in", { "a/b": "content\n" });
  server.files.set("/tool.exe", { bytes: Buffer.from("MZ") });
  server.files.set("/x.tgz", { bytes: execFileSync("sh", ["-c", `tar -C ${folder} -cf - a | gzip`]) });
  const context = await s.files("context", {
    Dockerfile: `# escape=\`
FROM scratch
ADD ${server.url}/tool.exe C:\\tools\\
ADD --unpack=true ${server.url}/x.tgz C:\\made\\
COPY --from=named . C:\\named\\
`,
  });
  const flags = [
    "--platform",
    "windows/amd64",
    "--build-context",
    `named=${folder}`,
    "-o",
    `type=tar,dest=${s.folder}/out.tar`,
  ];
  const built = await s.build(context, ...flags);
  t.is(built.code, 0, built.stderr);
  const names = execFileSync("tar", ["-tf", `${s.folder}/out.tar`], { encoding: "utf8" });
  for (const path of ["tools/tool.exe", "made/a/b", "named/a/b"]) t.true(names.split("\n").includes(path), names);
});
