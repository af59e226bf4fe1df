/** `pull --all-platforms`: an index with all its images comes into the store, and leaves it as it came. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { runCli, sandboxOf } from "../../doubles/cli.ts";
import { startRegistry } from "../../doubles/docker-registry.ts";
import { startFaultProxy } from "../../doubles/fault-proxy.ts";

test("pull --all-platforms: every image can be used, nothing is collected, and the digest stays", async (t) => {
  await using registry = await startRegistry();
  const { folder, env } = sandboxOf(t);
  const there = (...args: string[]) => runCli(args, { cwd: folder, env });
  writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nARG TARGETARCH\nCOPY Dockerfile /$TARGETARCH\n");
  const name = `${registry.host}/many:1`;
  const platforms = "linux/arm64,linux/s390x,linux/riscv64";
  const built = await there("build", "--platform", platforms, "-t", name, "--push", "--provenance", "mode=min", ".");
  t.is(built.code, 0, built.stderr);
  const raw = (await there("manifest", "show", "--raw", name)).stdout;

  const far = { cwd: folder, env: { ...env, WBUILD_HOME: join(folder, "far") } };
  const here = (...args: string[]) => runCli(args, far);
  await using proxy = await startFaultProxy(registry.host);
  const through = `${proxy.host}/many:1`;
  const pulled = await here("pull", "-q", "--all-platforms", through);
  t.deepEqual([pulled.code, pulled.stdout], [0, `${digestOf(raw)}\n`], pulled.stderr);
  t.is((await here("prune", "--force")).code, 0);
  for (const platform of ["linux/arm64", "linux/s390x", "linux/riscv64"])
    t.is((await here("inspect", "--verify", "--platform", platform, through)).code, 0, platform);

  proxy.requests.length = 0;
  t.is((await here("pull", "--all-platforms", through)).stdout, `${through}@${digestOf(raw)}\n`);
  t.deepEqual(
    proxy.requests.filter((line) => line.includes("/blobs/")),
    [],
    "what is here is not fetched again",
  );
  const pushed = await here("copy", "-q", `store:${through}`, `${registry.host}/again:1`);
  t.is(pushed.stdout, `${registry.host}/again:1@${digestOf(raw)}\n`, pushed.stderr);
});

for (const flag of ["--lazy", "--platform=linux/amd64"])
  test(`pull --all-platforms ${flag}: refused`, async (t) => {
    const { folder, env } = sandboxOf(t);
    const { code, stderr } = await runCli(["pull", "--all-platforms", flag, "x"], { cwd: folder, env });
    t.is(code, 2);
    t.regex(stderr, /exclude each other/);
  });
