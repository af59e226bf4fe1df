/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of bake files. */
/** `wbuild bake` from end to end: targets of a file, links between them, what stops the others, what is written. */
import { readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { fileServer } from "../doubles/file-server.ts";
import { gitDaemon, gitFolder, gitRepository, noGit } from "../doubles/git-server.ts";
import { tarOf } from "../doubles/images.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { scene } from "./scene.ts";

const definition = `
variable "TAG" { default = "1" }
group "default" { targets = ["app", "tool"] }
target "base" {
  dockerfile-inline = "FROM wbuild.local/linux\\nRUN echo base > /base"
}
target "app" {
  contexts = { base = "target:base" }
  dockerfile = "app.Dockerfile"
  tags = ["app:\${TAG}"]
  args = { WORD = "hello" }
}
target "tool" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\\nRUN cat /base > /tool"
  tags = ["tool:\${TAG}"]
}
target "broken" { dockerfile-inline = "FROM wbuild.local/linux\\nRUN exit 3" }
`;

test("targets are built with what they take from each other", async (t) => {
  const s = await scene(t);
  const cwd = await s.files("bake", {
    "docker-bake.hcl": definition,
    "app.Dockerfile": "FROM base\nARG WORD\nRUN echo $WORD $(cat /base) > /app\nCMD cat /app",
  });
  const built = await s.wbuildWith({ cwd, env: { TAG: "2" } }, "bake", "--metadata-file", "facts.json");
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("app:2"), "hello base\n");
  t.is(await s.run("tool:2", "cat", "/tool"), "base\n");
  const facts = JSON.parse(await readFile(join(cwd, "facts.json"), "utf8"));
  t.deepEqual(Object.keys(facts).sort(), ["app", "tool"]);
  t.is(facts.app["image.name"], "docker.io/library/app:2");
  const { stdout } = await s.wbuild("images", "--format", "{{.Repository}}");
  t.notRegex(stdout, /bake/, "the names of links are gone");
});

test("a target that fails ends the bake with its error", async (t) => {
  const s = await scene(t);
  const cwd = await s.files("bake", { "docker-bake.hcl": definition });
  const built = await s.wbuildWith({ cwd }, "bake", "broken");
  t.is(built.code, 1);
  t.regex(built.stderr, /\[broken 2\/2\] RUN exit 3/);
  t.regex(built.stderr, /error\[STEP_EXIT\]/);
});

test("what targets have in common is carried out once", async (t) => {
  const s = await scene(t);
  const cwd = await s.files("bake", {
    "docker-bake.hcl": 'target "default" {\n name = "t${n}"\n matrix = { n = [1, 2, 3, 4] }\n target = "t${n}"\n}',
    Dockerfile: [
      "FROM wbuild.local/linux AS common",
      "RUN sleep 0.5; echo made",
      ...[1, 2, 3, 4].map((n) => `FROM common AS t${n}\nRUN echo ${n}`),
    ].join("\n"),
  });
  const built = await s.wbuildWith({ cwd }, "bake", "--progress", "plain");
  t.is(built.code, 0, built.stderr);
  t.is(built.stderr.match(/^#\d+ [\d.]+ made$/gm)?.length, 1, built.stderr);
});

test("--print and --list build nothing", async (t) => {
  const s = await scene(t, { base: false });
  const cwd = await s.files("bake", { "docker-bake.hcl": definition });
  const printed = await s.wbuildWith({ cwd }, "bake", "--print", "--set", "app.args.WORD=x", "app");
  t.is(JSON.parse(printed.stdout).target.app.args.WORD, "x");
  t.regex((await s.wbuildWith({ cwd }, "bake", "--list", "targets")).stdout, /^tool\b/m);
  t.regex((await s.wbuildWith({ cwd, env: { TAG: "9" } }, "bake", "--list", "variables")).stdout, /^TAG +9/m);
});

test("a file that reaches outside of its folder is refused before anything is read", async (t) => {
  const s = await scene(t, { base: false });
  const cwd = await s.files("bake", { "docker-bake.hcl": 'target "default" {\n  context = "/etc"\n}\n' });
  const built = await s.wbuildWith({ cwd }, "bake");
  t.is(built.code, 2);
  t.regex(built.stderr, /error\[BAKE_ALLOW\][\s\S]*--allow fs\.read=\/etc/);
});

const gitTest = testUnless(noGit());

gitTest("a definition from a repository is built from that repository; cwd:// is this folder", async (t) => {
  const s = await scene(t);
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  await repository.commit({
    "docker-bake.hcl": `
group "default" { targets = ["whole", "sub", "mixed", "given"] }
target "whole" { tags = ["whole"] }
target "sub" {
  context = "sub"
  dockerfile-inline = "FROM wbuild.local/linux\\nCOPY only /"
  tags = ["sub"]
}
target "mixed" {
  contexts = { here = "cwd://" }
  dockerfile = "cwd://own.Dockerfile"
  tags = ["mixed"]
}
target "given" {
  context = BAKE_CMD_CONTEXT
  dockerfile-inline = "FROM wbuild.local/linux\\nCOPY . /given"
  tags = ["given"]
}
`,
    Dockerfile: "FROM wbuild.local/linux\nCOPY top /\n",
    top: "top\n",
    "sub/only": "only\n",
  });
  const url = `${await gitDaemon(t, folder)}/r`;
  const cwd = await s.files("here", {
    mine: "mine\n",
    "own.Dockerfile": "FROM wbuild.local/linux\nCOPY top /\nCOPY --from=here mine /\n",
  });
  const printed = await s.wbuildWith({ cwd }, "bake", url, "--print", "sub");
  t.is(JSON.parse(printed.stdout).target.sub.context, `${url}#:sub`, printed.stderr);
  const built = await s.wbuildWith({ cwd }, "bake", url);
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("whole", "cat", "/top"), "top\n");
  t.is(await s.run("sub", "cat", "/only"), "only\n");
  t.is(await s.run("mixed", "cat", "/top", "/mine"), "top\nmine\n");
  t.is(await s.run("given", "cat", "/given/mine"), "mine\n");
  const other = await s.wbuildWith({ cwd }, "bake", url, `${url}#main:sub`, "given");
  t.is(other.code, 0, other.stderr);
  t.is(await s.run("given", "ls", "/given"), "only\n");
  const checked = await s.wbuildWith({ cwd }, "bake", url, "--check", "mixed");
  t.is(checked.code, 0, checked.stderr);
  const own = await s.files("laid", { "more.hcl": 'target "whole" { tags = ["laid"] }\n' });
  const laid = await s.wbuildWith({ cwd: own }, "bake", "-f", "docker-bake.hcl", "-f", "cwd://more.hcl", url, "whole");
  t.is(laid.code, 0, laid.stderr);
  t.is(await s.run("laid", "cat", "/top"), "top\n");
  t.regex(
    (await s.wbuildWith({ cwd: own }, "bake", "-f", "more.hcl", url)).stderr,
    /BAKE_FILE[\s\S]*cwd:\/\/more\.hcl/,
  );
});

gitTest("a definition from elsewhere cannot be a link to a file of this host", async (t) => {
  const s = await scene(t, { base: false });
  const folder = await gitFolder(t);
  const repository = await gitRepository(folder, "r");
  const secret = join(await s.files("secret", { key: "S3CRET = \n" }), "key");
  await symlink(secret, join(repository.folder, "docker-bake.hcl"));
  await repository.commit({ a: "1" });
  const url = `${await gitDaemon(t, folder)}/r`;
  for (const flags of [[], ["-f", `../../../../../../..${secret}`]]) {
    const refused = await s.wbuild("bake", ...flags, url);
    t.regex(refused.stderr, /BAKE_FILE/);
    t.notRegex(refused.stderr, /S3CRET/);
  }
});

test("a definition may be a file behind a URL, with paths of this host, or a tar with its own", async (t) => {
  const s = await scene(t);
  const server = await fileServer(t);
  const text = 'target "default" {\n dockerfile-inline = "FROM wbuild.local/linux\\nCOPY f /"\n tags = ["app"]\n}\n';
  server.files.set("/x.hcl", { bytes: Buffer.from(text) });
  server.files.set("/x.tar", {
    bytes: await tarOf([
      ["docker-bake.hcl", text],
      ["f", "of the tar\n"],
    ]),
  });
  const cwd = await s.files("here", { f: "of this host\n" });
  for (const [name, expected] of [
    ["x.hcl", "of this host\n"],
    ["x.tar", "of the tar\n"],
  ] as const) {
    const built = await s.wbuildWith({ cwd }, "bake", `${server.url}/${name}`);
    t.is(built.code, 0, built.stderr);
    t.is(await s.run("app", "cat", "/f"), expected);
  }
});
