/** `rebase --check`: what of an image would hide a new base's files, as people ask for it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";

/** Two bases whose list of packages differs, and an image on the first with a list of its own. */
async function scene(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });
  const build = async (name: string, from: string, files: Record<string, string>) => {
    const context = join(folder, name.replace(":", "-"));
    mkdirSync(context);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(context, file), text);
    writeFileSync(join(context, "Dockerfile"), `FROM ${from}\nCOPY ${Object.keys(files).join(" ")} /var/lib/\n`);
    const { code, stderr } = await cli("build", "-q", "-t", name, context);
    t.is(code, 0, stderr);
  };
  await build("base:1", "scratch", { status: "one", same: "same" });
  await build("base:2", "scratch", { status: "one two", same: "same" });
  await build("app:1", "base:1", { status: "one mine", same: "also mine" });
  return { folder, env, cli };
}

const hidden = "changed replaced /var/lib/status\n";

test("rebase --check lists what is hidden, makes nothing, and a rebase warns of it", async (t) => {
  const { cli } = await scene(t);
  const flags = ["app:1", "--old-base", "base:1"];
  const before = (await cli("images", "-q")).stdout;
  const found = await cli("rebase", "--check", ...flags, "--new-base", "base:2", "-t", "app:2");
  t.deepEqual([found.code, found.stdout], [1, hidden]);
  const none = await cli("rebase", "--check", ...flags, "--new-base", "base:1");
  t.deepEqual([none.code, none.stdout], [0, ""]);
  t.is((await cli("images", "-q")).stdout, before);

  const moved = await cli("rebase", ...flags, "--new-base", "base:2", "-t", "app:2");
  t.is(moved.code, 0);
  t.regex(
    moved.stderr,
    /one file of the image hides what the new base changed: \/var\/lib\/status; --check lists them/,
  );
  const same = await cli("rebase", ...flags, "--new-base", "base:1", "-t", "app:3");
  t.notRegex(same.stderr, /hides/);
});

test("rebase --check --push reads layers of the registry, and pushes nothing", async (t) => {
  await using registry = await startRegistry();
  const { folder, env, cli } = await scene(t);
  const at = (name: string) => `${registry.host}/${name}`;
  for (const name of ["base:1", "base:2", "app:1"]) t.is((await cli("copy", "-q", `store:${name}`, at(name))).code, 0);
  const far = { cwd: folder, env: { ...env, WBUILD_HOME: join(folder, "far") } };
  const flags = ["--push", at("app:1"), "--old-base", at("base:1"), "--new-base", at("base:2")];
  const found = await runCli(["rebase", "--check", ...flags], far);
  t.deepEqual([found.code, found.stdout], [1, hidden], found.stderr);
  t.is((await cli("tags", at("app"))).stdout, "1\n");
  // A rebase in the registry fetches no layer for a look.
  const other = { ...far, env: { ...env, WBUILD_HOME: join(folder, "other") } };
  const moved = await runCli(["rebase", ...flags, "-t", at("app:2")], other);
  t.is(moved.code, 0, moved.stderr);
  t.notRegex(moved.stderr, /hides/);
});
