/** The action's script over its inputs: lists of several lines, secrets, text that a shell would take for more than text. */
import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { parse } from "yaml";
import { bundled, top } from "../doubles/cli.ts";
import { type Scene, scene } from "./scene.ts";

const execute = promisify(execFile);
const action = join(top, ".github/actions/build");

interface Step {
  readonly code: number;
  readonly text: string;
  /** name → value, as the runner reads the file of outputs. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Runs the script as the runner would: every input in a variable, those that are not given with their default. */
async function run(t: ExecutionContext, s: Scene, inputs: Readonly<Record<string, string>>, env = {}): Promise<Step> {
  const { inputs: known } = parse(await readFile(join(action, "action.yml"), "utf8")) as {
    inputs: Record<string, { default: string }>;
  };
  for (const name of Object.keys(inputs)) t.true(name in known, `the action has no input ${name}`);
  const variables = Object.entries(known).map(([name, input]) => [
    `INPUT_${name.toUpperCase().replaceAll("-", "_")}`,
    inputs[name] ?? input.default,
  ]);
  const bin = join(s.folder, "bin");
  await mkdir(bin, { recursive: true });
  await bundled();
  await symlink(join(top, "dist/wbuild"), join(bin, "wbuild")).catch(() => undefined);
  const file = join(s.folder, "outputs");
  await writeFile(file, "");
  const options = {
    cwd: s.folder,
    env: {
      ...s.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      RUNNER_TEMP: s.folder,
      GITHUB_OUTPUT: file,
      ...Object.fromEntries(variables),
      ...env,
    },
  };
  const ended = await execute("bash", [join(action, "build.sh")], options).catch(
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  const outputs: Record<string, string> = {};
  const lines = (await readFile(file, "utf8")).split("\n");
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name, word] = /^(\w+)<<(.+)$/.exec(line) ?? [];
    if (name !== undefined && word !== undefined) outputs[name] = lines.splice(0, lines.indexOf(word)).join("\n");
    else if (line.includes("=")) outputs[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
  }
  return { code: "code" in ended ? ended.code : 0, text: `${ended.stdout}${ended.stderr}`, outputs };
}

test("lists have a line each, and what stands in them is text", async (t) => {
  const s = await scene(t);
  await s.files("ctx", {
    "sub/Dockerfile": [
      "FROM base AS first",
      "ARG WORD OTHER FROM_ENV",
      'RUN echo "$WORD|$OTHER|$FROM_ENV" > /out',
      "FROM first AS second",
      "RUN exit 1",
    ].join("\n"),
  });
  const step = await run(
    t,
    s,
    {
      context: "ctx",
      file: "ctx/sub/Dockerfile",
      target: "first",
      tags: "app:1, app:2\napp:3\n\n",
      labels: "one=a b\n  two=$(id); `id` \"q\" 'q'\n",
      "build-args": "WORD=$HOME; * && x\nOTHER=--push\nFROM_ENV",
      "build-contexts": "base=docker-image://wbuild.local/linux",
      network: "none",
    },
    { FROM_ENV: "from the step" },
  );
  t.is(step.code, 0, step.text);
  t.is(await s.run("app:3", "cat", "/out"), "$HOME; * && x|--push|from the step\n");
  for (const name of ["app:1", "app:2"]) t.is((await s.wbuild("inspect", name)).code, 0);
  const [{ Config: config }] = JSON.parse((await s.wbuild("inspect", "app:1")).stdout);
  t.like(config.Labels, { one: "a b", two: "$(id); `id` \"q\" 'q'" });
  const metadata = JSON.parse(step.outputs.metadata ?? "");
  t.is(step.outputs.digest, metadata["containerimage.digest"]);
  t.is(step.outputs.imageid, metadata["containerimage.config.digest"]);
});

test("secrets come as values, from variables and from files, and are in no output", async (t) => {
  const s = await scene(t);
  const mounts = ["value", "variable", "file"].map((id) => `--mount=type=secret,id=${id},required`).join(" ");
  await s.files("ctx", {
    Dockerfile: `FROM wbuild.local/linux\nRUN ${mounts} cat /run/secrets/* | sha256sum > /sum && cat /run/secrets/*`,
    "secret.txt": "in-a-file-1",
  });
  const step = await run(
    t,
    s,
    {
      context: "ctx",
      tags: "app",
      secrets: "value=a-value-2=3",
      "secret-envs": "variable=TOKEN",
      "secret-files": "file=ctx/secret.txt",
      network: "none",
    },
    { TOKEN: "in-a-variable-4" },
  );
  t.is(step.code, 0, step.text);
  const sum = await s.tool("sh", "-c", "printf in-a-file-1a-value-2=3in-a-variable-4 | sha256sum");
  t.is(await s.run("app", "cat", "/sum"), sum);
  for (const secret of ["in-a-file-1", "a-value-2=3", "in-a-variable-4"]) t.false(step.text.includes(secret), secret);
});

test("a build that fails fails the step, sets no output and leaves nothing behind", async (t) => {
  const s = await scene(t);
  await s.files("ctx", { Dockerfile: "FROM wbuild.local/linux\nRUN exit 3" });
  const step = await run(t, s, { context: "ctx", secrets: "a=secret-text", network: "none" });
  t.is(step.code, 1, step.text);
  t.deepEqual(step.outputs, {});
  t.is(await s.tool("sh", "-c", "ls | grep -c '^wbuild-' || true"), "0\n");
  const bad = await run(t, s, { context: "ctx", secrets: "no pair" });
  t.is(bad.code, 2, bad.text);
});
