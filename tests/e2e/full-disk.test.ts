import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { noRoot, testUnless } from "../doubles/test-unless.ts";
import { outcome, scene, stepsOf } from "./scene.ts";

const asRoot = testUnless(noRoot);

/** A home on a disk of 24 MB that has the Linux base. */
async function smallDisk(t: ExecutionContext) {
  const s = await scene(t, { base: false });
  const home = join(s.folder, "small");
  mkdirSync(home);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "wbuild-test", home]);
  t.teardown(() => execFileSync("umount", ["-R", "-l", home]));
  const env = { WBUILD_HOME: home };
  t.is((await s.wbuildWith({ env }, "base", "linux")).code, 0);
  return { s, env };
}

asRoot("a full disk: said clearly, nothing is named, and with room again the build goes on", async (t) => {
  const { s, env } = await smallDisk(t);
  const context = await s.files("context", {
    Dockerfile:
      "FROM wbuild.local/linux\nRUN echo kept > /kept\nRUN head -c 2000000 /dev/urandom > /small\nCOPY big /big\nRUN echo > /end\n",
    big: "",
  });
  await s.tool("sh", "-c", `head -c 40000000 /dev/urandom > ${context}/big`);
  const args = ["build", "--progress", "plain", "--network", "none", "-t", "app", context];
  const full = await s.wbuildWith({ env }, ...args);
  t.true(full.code === 4 || full.code === 1, `${full.code}\n${full.stderr}`);
  t.regex(full.stderr, /STORE_FULL|no space|full/i);
  t.notRegex(full.stderr, /internal error/);
  t.is((await s.wbuildWith({ env }, "inspect", "app")).code, 2);

  rmSync(join(context, "big"));
  await s.files("context", { big: "small now\n" });
  const built = await s.wbuildWith({ env }, ...args);
  t.is(built.code, 0, built.stderr);
  const ran = await s.wbuildWith({ env }, "run", "--network", "none", "app", "cat", "/kept", "/big");
  t.is(ran.stdout, "kept\nsmall now\n", ran.stderr);
});

asRoot("a step that fills the disk fails as that step", async (t) => {
  const { s, env } = await smallDisk(t);
  const context = await s.files("context", {
    Dockerfile: "FROM wbuild.local/linux\nRUN echo kept > /kept\nRUN head -c 60000000 /dev/zero > /huge\n",
  });
  const full = await s.wbuildWith({ env }, "build", "--progress", "plain", "--network", "none", context);
  // The step's own failure, or the store's, which has no room for it either.
  t.true(full.code === 1 || full.code === 4, full.stderr);
  t.regex(full.stderr, /no space left|I\/O error/i);
  t.is(outcome({ ...full, steps: stepsOf(full.stderr) }, "RUN head"), "ERROR");
  const again = await s.wbuildWith({ env }, "build", "--progress", "plain", "--network", "none", context);
  const outcomes = { ...again, steps: stepsOf(again.stderr) };
  t.is(outcome(outcomes, "RUN echo kept"), "CACHED", again.stderr);
});
