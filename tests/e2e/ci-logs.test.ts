/** What a build says to CI systems: folds and notes in the log, exit codes, and the metadata file's words of the build. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { scene } from "./scene.ts";

const plain = ["build", "--network", "none", "--progress", "plain"];

test("a failed step is an error at its line, in no fold, and no secret is in it", async (t) => {
  const s = await scene(t);
  await s.files("repository/app", {
    Dockerfile:
      'FROM wbuild.local/linux\nRUN --mount=type=secret,id=k echo "::add-mask::$(cat /run/secrets/k)"; \\\n  exit 3\n',
  });
  const workspace = join(s.folder, "repository");
  const env = { GITHUB_ACTIONS: "true", GITHUB_WORKSPACE: workspace, KEY: "open-sesame" };
  const built = await s.wbuildWith({ env, cwd: workspace }, ...plain, "--secret", "id=k,env=KEY", "app");
  t.is(built.code, 1);
  const commands = built.stderr.split("\n").filter((line) => /^\s*::/.test(line));
  t.regex(commands.at(-1) ?? "", /^::error file=app\/Dockerfile,line=2,title=STEP_EXIT::process .* exit code 3$/);
  t.deepEqual(
    [...new Set(commands.slice(0, -1).map((line) => line.replace(/#.*/, "#")))],
    ["::group::#", "::endgroup::"],
  );
  t.true(built.stderr.includes("error[STEP_EXIT]"));
  t.false(built.stderr.includes("open-sesame"));
  t.true(built.stderr.includes("add-mask::******"));

  const off = await s.wbuildWith({ env: { ...env, WBUILD_CI_FOLDING: "0" }, cwd: workspace }, ...plain, "app");
  t.is(off.code, 1);
  t.notRegex(off.stderr, /::group::|::error/);
});

test("a Dockerfile that cannot be read is an error at its line, and --check notes what it finds", async (t) => {
  const s = await scene(t);
  const context = await s.files("repository", {
    Dockerfile: "FROM wbuild.local/linux\nCMD echo hello\n",
    bad: "FROM wbuild.local/linux\nRNU true\n",
  });
  const env = { GITHUB_ACTIONS: "true", GITHUB_WORKSPACE: context };
  const bad = await s.wbuildWith({ env, cwd: context }, ...plain, "-f", "bad", ".");
  t.is(bad.code, 2);
  t.regex(bad.stderr, /^::error file=bad,line=2,title=DF_[A-Z_]+::/m);
  const note = /^::warning file=Dockerfile,line=2,title=JSONArgsRecommended::(?!JSONArgs)/m;
  const checked = await s.wbuildWith({ env, cwd: context }, "build", "--check", ".");
  t.is(checked.code, 1);
  t.regex(checked.stderr, note);
  const built = await s.wbuildWith({ env, cwd: context }, ...plain, ".");
  t.is(built.code, 0);
  t.regex(built.stderr, note);
  const json = await s.wbuildWith({ env, cwd: context }, "build", "--progress", "json", "--network", "none", ".");
  t.notRegex(json.stderr, /^::/m);
});

test("GitLab gets sections", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", { Dockerfile: "FROM wbuild.local/linux\nRUN echo hello\n" });
  const built = await s.wbuildWith({ env: { GITLAB_CI: "true", CI: "true" } }, "build", "--network", "none", context);
  t.is(built.code, 0, built.stderr);
  const log = built.stderr.replaceAll("\x1b[0K", "");
  const [, fold = "", title = ""] = /section_start:\d+:(wbuild_\d+)\[collapsed=true\]\r(.*RUN.*)\n/.exec(log) ?? [];
  t.true(title.includes("RUN echo hello"), built.stderr);
  t.true(log.includes(`section_end:`) && log.split(`:${fold}`).length === 3);
});

test("the metadata file tells of warnings and of how the image was made only when it is asked to", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", { Dockerfile: "FROM wbuild.local/linux\nARG A\nCMD echo hello\n" });
  const facts = async (env: Record<string, string>, ...flags: string[]) => {
    const args = [...plain, "--build-arg", "A=private", "--metadata-file", "m.json", ...flags, context];
    const built = await s.wbuildWith({ env }, ...args);
    t.is(built.code, 0, built.stderr);
    return JSON.parse(await readFile(join(s.folder, "m.json"), "utf8")) as Record<string, unknown>;
  };
  const silent = await facts({ BUILDX_METADATA_PROVENANCE: "disabled", BUILDX_METADATA_WARNINGS: "false" });
  t.deepEqual(Object.keys(silent), [
    "containerimage.config.digest",
    "containerimage.descriptor",
    "containerimage.digest",
  ]);

  const told = await facts({ BUILDX_METADATA_PROVENANCE: "max", BUILDX_METADATA_WARNINGS: "1" });
  t.is(told["containerimage.digest"], silent["containerimage.digest"]);
  const [warning] = told["buildx.build.warnings"] as Record<string, string>[];
  t.regex(Buffer.from(warning?.short ?? "", "base64").toString(), /^JSONArgsRecommended: .* \(line 3\)$/);
  t.deepEqual(warning?.range as unknown, [{ start: { line: 3 }, end: { line: 3 } }]);
  t.true(JSON.stringify(told["buildx.build.provenance"]).includes("private"));

  const both = await facts(
    { BUILDX_METADATA_PROVENANCE: "true" },
    "--platform",
    "linux/amd64,linux/arm64",
    "-f",
    await s
      .files("both", { Dockerfile: "FROM scratch\nARG A\nCOPY Dockerfile /\n" })
      .then((folder) => join(folder, "Dockerfile")),
  );
  for (const platform of ["linux/amd64", "linux/arm64"]) {
    const made = both[`buildx.build.provenance/${platform}`];
    t.is((made as { buildDefinition?: { buildType?: unknown } }).buildDefinition?.buildType !== undefined, true);
    t.false(JSON.stringify(made).includes("private"), "mode=min leaves build arguments out");
  }
});
