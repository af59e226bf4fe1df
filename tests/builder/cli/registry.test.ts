import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { type CliOptions, runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";

const password = "correct-horse-battery";

test("login, push, pull, logout with a registry that wants a password", async (t) => {
  await using registry = await startRegistry({ auth: { username: "ci", password } });
  const { folder, env } = sandboxOf(t);
  const cli = (args: readonly string[], options: CliOptions = {}) =>
    runCli(args, { cwd: folder, ...options, env: { ...env, ...options.env } });
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), "FROM scratch\nCOPY . /\n");
  const name = `${registry.host}/team/app:1`;
  t.is((await cli(["-t", name, "context"])).code, 0);

  const refused = await cli(["push", name]);
  t.is(refused.code, 3);
  t.regex(refused.stderr, /error\[REG_UNAUTHORIZED\]/);

  const wrong = await cli(["login", "-u", "ci", "--password-stdin", registry.host], { input: "wrong-word-here\n" });
  t.is(wrong.code, 3);
  t.false(wrong.stderr.includes("wrong-word-here"));
  const login = await cli(["login", "-u", "ci", "--password-stdin", registry.host], { input: `${password}\n` });
  t.is(login.stdout, `Logged in to ${registry.host}\n`, login.stderr);
  t.regex(login.stderr, /unencrypted/);

  const push = await cli(["push", "--debug", name]);
  t.is(push.code, 0, push.stderr);
  const digest = /@(sha256:[0-9a-f]{64})\n$/.exec(push.stdout)?.[1] ?? "";
  t.is(push.stdout, `${name}@${digest}\n`);
  t.regex(push.stderr, /#1 push .*\n(#1 .*\n)*#1 DONE/);

  const other = { env: { WBUILD_HOME: join(folder, "other") } };
  const pull = await cli(["pull", name], other);
  t.is(pull.stdout, `${name}@${digest}\n`, pull.stderr);
  t.is((await cli(["inspect", "--raw", name], other)).stdout, (await cli(["inspect", "--raw", name])).stdout);
  t.is((await cli(["pull", "-q", `${registry.host}/team/app@${digest}`], other)).stderr, "");
  const pushed = await cli(["--push", "-t", `${registry.host}/team/other:2`, "context"]);
  t.is(pushed.code, 0, pushed.stderr);

  t.regex((await cli(["logout", registry.host])).stdout, /^Removed/);
  t.regex((await cli(["logout", registry.host])).stdout, /^There were no/);
  t.is((await cli(["push", name])).code, 3);
  for (const { stdout, stderr } of [login, push, pull]) t.false((stdout + stderr).includes(password));
  t.false(readFileSync(join(folder, "docker/config.json"), "utf8").includes(registry.host));
});

test("login asks for nothing where there is no terminal", async (t) => {
  const { env } = sandboxOf(t);
  const bare = await runCli(["login", "127.0.0.1:1"], { env });
  t.is(bare.code, 2);
  t.regex(bare.stderr, /no terminal[\s\S]*--password-stdin/);
  const both = await runCli(["login", "-u", "a", "-p", "seen-by-all", "--password-stdin", "127.0.0.1:1"], { env });
  t.is(both.code, 2);
  t.false(both.stderr.includes("seen-by-all"));
});

test("an image that the store does not have is pulled to be run", async (t) => {
  await using registry = await startRegistry();
  const { folder, env } = sandboxOf(t);
  const cli = (args: readonly string[], home?: string) =>
    runCli(args, { cwd: folder, env: { ...env, ...(home ? { WBUILD_HOME: join(folder, home) } : {}) } });
  t.is((await cli(["base", "linux", "--name", `${registry.host}/linux`])).code, 0);
  t.is((await cli(["push", `${registry.host}/linux`])).code, 0);
  const run = await cli(["run", `${registry.host}/linux`, "echo", "pulled"], "other");
  t.is(run.stdout, "pulled\n", run.stderr);
});

test("a pull for a platform that the registry's only image is not made for says so", async (t) => {
  await using registry = await startRegistry();
  const { folder, env } = sandboxOf(t);
  const cli = (...args: string[]) => runCli(args, { cwd: folder, env });
  const name = `${registry.host}/linux`;
  t.is((await cli("base", "linux", "--name", name)).code, 0);
  t.is((await cli("push", name)).code, 0);
  const pull = await cli("pull", "--platform", "linux/s390x", name);
  t.is(pull.code, 0, pull.stderr);
  t.regex(pull.stderr, /WARNING: the registry has this image for linux\/\w+ alone, not for linux\/s390x/);
  t.notRegex((await cli("pull", name)).stderr, /WARNING/);
});
