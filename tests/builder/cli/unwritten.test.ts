/** Standard output or standard error that takes nothing more. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type CliResult, runCli, sandboxOf } from "../../doubles/cli.ts";

/** A context in a folder of its own; `cli` runs wbuild there with its streams led as the shell's words say. */
function context(t: ExecutionContext) {
  const { folder, env } = sandboxOf(t);
  mkdirSync(join(folder, "context"));
  writeFileSync(join(folder, "context/Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n");
  const cli = (args: readonly string[], streams: string): Promise<CliResult> =>
    runCli(args, { cwd: folder, env, prefix: ["sh", "-c", `exec "$@" ${streams}`, "sh"] });
  return { cli, store: join(folder, "home/store-v1") };
}

for (const args of [["-q", "context"], ["-o", "-", "context"], ["images"]])
  test(`wbuild ${args.join(" ")}, where the disk of standard output is full: told, and nothing is left behind`, async (t) => {
    const { cli, store } = context(t);
    const { code, stderr } = await cli(args, ">/dev/full");
    t.is(code, 4, stderr);
    t.regex(stderr, /error\[CLI_OUTPUT\]: cannot write standard output: ENOSPC/);
    t.notRegex(stderr, /prune|internal error/);
    for (const folder of ["temp", "leases"]) t.deepEqual(readdirSync(join(store, folder)), [], folder);
  });

test("a build whose log cannot be written goes on", async (t) => {
  const { cli } = context(t);
  const { code } = await cli(["--progress", "plain", "-t", "app", "context"], "2>/dev/full");
  t.is(code, 0);
  t.regex((await cli(["images"], "")).stdout, /^app /m);
});
