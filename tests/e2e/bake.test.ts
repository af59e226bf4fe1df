/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: texts of bake files. */
/** `wbuild bake` from end to end: targets of a file, links between them, what stops the others, what is written. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
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
