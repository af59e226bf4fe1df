/** The mounts of RUN for an ordinary user, with one id: the same, but that every file is root's. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { bundled, program } from "../doubles/cli.ts";
import { scene } from "./scene.ts";

const uid = 4321;
const asUser = ["--reuid", String(uid), "--regid", String(uid), "--clear-groups"];

/** Why it cannot be tried here; undefined where it can. */
function reason(): string | undefined {
  if (process.geteuid?.() !== 0) return "needs root, to become somebody else";
  const reaches = spawnSync("setpriv", [...asUser, "ls", program], { stdio: "ignore" }).status === 0;
  return reaches ? undefined : "an ordinary user cannot reach this checkout";
}

const why = reason();
const run = why === undefined ? test : test.skip;

run(`an ordinary user has every mount${why === undefined ? "" : ` (skipped: ${why})`}`, async (t) => {
  await bundled();
  const s = await scene(t, { base: false });
  const context = await s.files("c", {
    Dockerfile: `FROM wbuild.local/linux AS made
RUN mkdir /d && echo f > /d/f
FROM wbuild.local/linux
RUN --mount=target=/src,rw echo x >> /src/a && cat /src/a > /got
RUN --mount=from=made,source=d,target=/m cat /m/f >> /got; echo no > /m/f 2>/dev/null || echo refused >> /got
RUN --mount=type=cache,target=/c echo kept >> /c/l; cat /c/l >> /got
RUN --mount=type=secret,id=k,target=/s,mode=0400 wc -c < /s >> /got
RUN --mount=type=tmpfs,target=/t,size=1m stat -c %a /t >> /got
RUN --mount=type=secret,id=k,target=/s,uid=5,gid=6 --mount=type=cache,target=/d,uid=5 stat -c %u:%g /s /d >> /got
`,
    a: "a\n",
    key: "secretvalue\n",
  });
  chmodSync(s.folder, 0o755);
  execFileSync("chown", ["-R", `${uid}:${uid}`, s.folder]);
  const wbuild = (...args: string[]) =>
    spawnSync("setpriv", [...asUser, process.execPath, program, ...args], {
      cwd: s.folder,
      env: { ...s.env, PATH: process.env.PATH, HOME: s.folder, TMPDIR: s.folder },
      encoding: "utf8",
    });
  t.is(wbuild("base", "linux").status, 0);
  const args = ["build", "--progress", "plain", "--network", "none", "-o", join(s.folder, "out"), context];
  const done = wbuild(...args, "--secret", `id=k,src=${context}/key`);
  t.is(done.status, 0, done.stderr);
  t.is(await s.tool("cat", "out/got"), "a\nx\nf\nrefused\nkept\n12\n1777\n0:0\n0:0\n");
  const pruned = wbuild("prune", "-f", "--filter", "type=exec.cachemount", "--json");
  t.deepEqual(
    JSON.parse(pruned.stdout).removed.map(({ kind }: { kind: string }) => kind),
    ["cache mount", "cache mount"],
  );
});
