import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type CliOptions, runCli, sandboxOf } from "../../doubles/cli.ts";

/** A store with an image `app`: a file from the context, an empty layer, a label. */
async function built(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  const context = join(folder, "context");
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), 'FROM scratch\nCOPY a.txt /dir/\nLABEL x=1\nCMD ["/dir/a.txt"]\n');
  writeFileSync(join(context, "a.txt"), "hello\n");
  const cli = (args: readonly string[], options: CliOptions = {}) =>
    runCli(args, { cwd: folder, ...options, env: { ...env, ...options.env } });
  const first = await cli(["-t", "app", "context"], { env: { SOURCE_DATE_EPOCH: "1000000000" } });
  t.is(first.code, 0, first.stderr);
  t.is(first.stdout, "");
  return { folder, context, cli };
}

test("build, images, inspect, history", async (t) => {
  const { cli } = await built(t);
  const images = await cli(["images"]);
  t.regex(images.stdout, /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\napp +latest +[0-9a-f]{12} /);
  const [image] = JSON.parse((await cli(["inspect", "app"])).stdout);
  t.deepEqual(image.RepoTags, ["app:latest"]);
  t.deepEqual(image.Config.Cmd, ["/dir/a.txt"]);
  t.deepEqual(image.Config.Labels, { x: "1" });
  const id = (await cli(["images", "-q", "--no-trunc"])).stdout.trim();
  t.is(id, image.Id);
  t.is((await cli(["inspect", "-f", "{{.Id}}", id.slice(7, 15)])).stdout.trim(), id, "found by the start of its ID");
  const history = await cli(["history", "--format", "{{.CreatedBy}}|{{.Size}}", "app"]);
  t.is(history.stdout.split("\n").length, 4, history.stdout);
  t.regex(history.stdout, /^CMD \["\/dir\/a\.txt"\]\|0B\nLABEL x=1\|0B\nCOPY a\.txt \/dir\//);
  t.regex(
    (await cli(["history", "--dockerfile", "app"])).stdout,
    /^FROM scratch\n[\s\S]*\nCOPY a\.txt \/dir\/\nLABEL x=1\n/m,
  );
});

test("build: iidfile, metadata file, quiet, cached, outputs", async (t) => {
  const { cli, folder } = await built(t);
  const out = join(folder, "out");
  const again = await cli(["--iidfile", "iid", "--metadata-file", "meta.json", "-q", "-t", "app", "context"], {
    env: { SOURCE_DATE_EPOCH: "1000000000" },
  });
  t.is(again.code, 0, again.stderr);
  t.is(again.stderr, "");
  t.is(again.stdout.trim(), readFileSync(join(folder, "iid"), "utf8").trim());
  t.is(
    JSON.parse(readFileSync(join(folder, "meta.json"), "utf8"))["containerimage.config.digest"],
    again.stdout.trim(),
  );
  const json = await cli(["--progress", "json", "-o", "out", "context"]);
  const events = json.stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.true(events.some((event) => event.kind === "done" && event.cached));
  t.is(readFileSync(join(out, "dir/a.txt"), "utf8"), "hello\n");
  const tar = await cli(["-q", "-o", "-", "context"]);
  t.is(tar.code, 0);
  t.true(tar.stdout.includes("dir/a.txt"));
});

test("tag, diff, save, load, rmi, prune, du", async (t) => {
  const { cli, context, folder } = await built(t);
  writeFileSync(join(context, "a.txt"), "changed\n");
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY . /dir/\n");
  t.is((await cli(["-t", "app:2", "context"])).code, 0);
  t.is(
    (await cli(["diff", "app", "app:2"])).stdout,
    "C /dir\nA /dir/Dockerfile\nC /dir/a.txt\n".replace("C /dir\n", ""),
  );
  t.is((await cli(["diff", "app"])).stdout, "A /dir\nA /dir/a.txt\n");
  t.deepEqual(JSON.parse((await cli(["diff", "--json", "app", "app:2"])).stdout)[1], {
    path: "/dir/a.txt",
    kind: "changed",
    what: ["content"],
    before: 6,
    after: 8,
  });
  for (const format of ["oci", "docker"]) {
    t.is((await cli(["save", "--format", format, "-o", `${format}.tar`, "app", "app:2"])).code, 0);
    const other = { env: { WBUILD_HOME: join(folder, `other-${format}`) } };
    const loaded = await cli(["load", "-i", `${format}.tar`], other);
    t.is(loaded.stdout, "Loaded image: app:latest\nLoaded image: app:2\n", loaded.stderr);
    t.is((await cli(["images", "-q", "app:2"], other)).stdout, (await cli(["images", "-q", "app:2"])).stdout);
    t.is((await cli(["diff", "app", "app:2"], other)).stdout, (await cli(["diff", "app", "app:2"])).stdout);
  }
  t.is((await cli(["save", "-o", "layout/", "app"])).code, 0);
  t.deepEqual(readdirSync(join(folder, "layout")).sort(), ["blobs", "index.json", "oci-layout"]);
  t.is((await cli(["tag", "app:2", "registry.example.com/team/app:3"])).code, 0);
  t.is((await cli(["rmi", "app:2"])).stdout, "Untagged: app:2\n");
  const id = (await cli(["images", "-q", "*/team/app"])).stdout.trim();
  const removal = await cli(["rmi", id]);
  t.is(removal.code, 0, removal.stderr);
  t.regex(removal.stdout, /^Untagged: registry\.example\.com\/team\/app:3\nDeleted: sha256:[0-9a-f]{64}\n$/);
  t.is((await cli(["images", "--format", "{{.Repository}}"])).stdout, "app\n");
  t.regex((await cli(["prune", "-a", "-f"])).stdout, /^Freed /);
  t.is(JSON.parse((await cli(["du", "--json"])).stdout).cache.count, 0);
  t.is((await cli(["export", "app"])).stdout.includes("hello\n"), true, "the image is whole after all that");
});

test("plan prints the graph in three forms and builds nothing", async (t) => {
  const { cli, folder } = await built(t);
  const home = { env: { WBUILD_HOME: join(folder, "fresh") } };
  t.regex((await cli(["plan", "context"], home)).stdout, /COPY a\.txt \/dir\//);
  t.regex((await cli(["plan", "--mermaid", "context"], home)).stdout, /^(graph|flowchart) /);
  t.true(JSON.stringify(JSON.parse((await cli(["plan", "--json", "context"], home)).stdout)).includes("COPY a.txt"));
  t.is((await cli(["images", "-q"], home)).stdout, "");
});

const failures: readonly (readonly [name: string, args: readonly string[], code: number, stderr: RegExp])[] = [
  [
    "an unknown command",
    ["hisotry", "app"],
    2,
    /^error\[CLI_COMMAND\]: "hisotry" is neither .*\n {2}help: did you mean `wbuild history`\?\n$/,
  ],
  [
    "an unknown flag",
    ["images", "--formt", "x"],
    2,
    /^error\[CLI_FLAG\]: .*--formt\n {2}help: did you mean --format\?\n$/,
  ],
  ["an unknown flag of the default command", ["--tga", "x", "."], 2, /did you mean --tag\?/],
  ["a missing operand", ["tag", "app"], 2, /CLI_USAGE\]: wbuild tag needs IMAGE NAME/],
  ["one operand too many", ["du", "x"], 2, /CLI_USAGE\]: wbuild du takes no operands, not "x"/],
  ["a flag without its value", ["-t"], 2, /CLI_USAGE\]: the flag -t, --tag name needs a value/],
  ["a wrong value", ["-m", "lots", "."], 2, /CLI_VALUE\]: --memory: "lots" is not a size/],
  ["a wrong face", ["--progress", "loud", "context"], 2, /CLI_VALUE\]: --progress/],
  ["a folder that is not there", ["./nowhere"], 2, /CTX_/],
  [
    "an image that is not there",
    ["inspect", "ap"],
    2,
    /IMG_NOT_FOUND\]: the store has no image "ap"\n {2}help: did you mean app\?/,
  ],
  ["a name that is none", ["-t", "UPPER", "context"], 2, /REG_REFERENCE/],
  ["a push without a name", ["--push", "context"], 2, /CLI_USAGE\]: a push needs a name/],
  ["a registry that is not there", ["pull", "127.0.0.1:1/x"], 3, /REG_UNREACHABLE/],
  ["run's own failure", ["run", "wbuild.local/none"], 125, /IMG_NOT_FOUND/],
  ["run's own flags", ["run", "--volume", "name:/x", "app"], 125, /named volumes do not exist here/],
];
for (const [name, args, code, stderr] of failures)
  test(`says what is wrong: ${name}`, async (t) => {
    const { cli } = await built(t);
    const result = await cli(args);
    t.is(result.code, code, result.stderr);
    t.regex(result.stderr, stderr);
    t.is(result.stdout, "");
    t.notRegex(result.stderr, /\n\s+at /, "no stack");
  });

test("a Dockerfile error shows its line, and the nearest instruction", async (t) => {
  const { cli, context } = await built(t);
  writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPPY a b\n");
  const { code, stderr } = await cli(["context"]);
  t.is(code, 2);
  t.regex(
    stderr,
    /context\/Dockerfile:2:1\n {2}1 \| FROM scratch\n {2}2 \| COPPY a b\n {4}\| \^\^\^\^\^\n {2}help: did you mean COPY\?\n$/,
  );
});

test("help: on standard output, for every way to ask", async (t) => {
  for (const args of [["--help"], ["-h"], ["help"], []]) {
    const { code, stdout } = await runCli(args);
    t.is(code, 0);
    t.regex(stdout, /^wbuild \d/);
  }
  const page = (await runCli(["history", "--help"])).stdout;
  for (const args of [
    ["help", "history"],
    ["history", "app", "-h"],
    ["history", "--json", "--help"],
  ])
    t.is((await runCli(args)).stdout, page);
  t.regex((await runCli(["--version"])).stdout, /^wbuild \d+\.\d+\.\d+\n$/);
  t.is((await runCli(["version"])).stdout, (await runCli(["--version"])).stdout);
});

test("--home wins over $WBUILD_HOME, which wins over the XDG folder", async (t) => {
  const { folder } = sandboxOf(t);
  const env = { HOME: join(folder, "user"), XDG_DATA_HOME: join(folder, "xdg"), WBUILD_HOME: join(folder, "env") };
  await runCli(["--home", join(folder, "flag"), "images"], { env });
  t.deepEqual(readdirSync(folder), ["flag"]);
  await runCli(["images"], { env });
  t.true(existsSync(join(folder, "env")));
  await runCli(["images"], { env: { ...env, WBUILD_HOME: undefined } });
  t.true(existsSync(join(folder, "xdg/wbuild")));
  await runCli(["images"], { env: { ...env, WBUILD_HOME: undefined, XDG_DATA_HOME: undefined } });
  t.true(existsSync(join(folder, "user/.local/share/wbuild")));
});

test("colours only where they are wanted", async (t) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for colours.
  const colour = /\x1b\[/;
  t.notRegex((await runCli(["nosuchcommand"])).stderr, colour);
  t.regex((await runCli(["nosuchcommand"], { env: { FORCE_COLOR: "1" } })).stderr, colour);
  t.notRegex((await runCli(["nosuchcommand"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stderr, colour);
});

test("doctor lists findings for people and programs", async (t) => {
  const { env } = sandboxOf(t);
  const findings = JSON.parse((await runCli(["doctor", "--json"], { env })).stdout);
  t.true(findings.length > 5);
  for (const { name, state, what, hint } of findings) {
    t.regex(name, /^[a-z][a-z0-9-]*$/);
    t.true(["fine", "limited", "missing"].includes(state));
    t.true(what.length > 5);
    t.true(state === "fine" || typeof hint === "string", `${name} is ${state} and says not what to do`);
  }
  t.regex((await runCli(["doctor"], { env })).stdout, /^(ok|!!|--) {2}/);
});
