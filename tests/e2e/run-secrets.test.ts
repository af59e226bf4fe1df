/** RUN --mount=type=secret with the real program: where the step finds a value, and that nobody else does. */
import { join } from "node:path";
import test from "ava";
import { scene } from "./scene.ts";
import { base } from "./step-scene.ts";

test("secret: as a file, as a variable, both; required, and where it is missing", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}
RUN --mount=type=secret,id=a stat -c '%a %u:%g' /run/secrets/a > /got && md5sum < /run/secrets/a >> /got
RUN --mount=type=secret,id=a,target=/x/y,mode=0444,uid=5,gid=6 stat -c '%a %u:%g' /x/y >> /got
RUN --mount=type=secret,id=b,env=B echo \${#B} >> /got; ls /run/secrets 2>/dev/null || echo no file >> /got
RUN --mount=type=secret,id=b,env=B,target=/b [ "$B" = "$(cat /b)" ] && echo same >> /got
RUN --mount=type=secret,id=none,env=NONE ls /run/secrets/none 2>/dev/null || echo absent \${NONE-unset} >> /got
RUN --mount=type=secret,id=a grep /run/secrets/a /proc/mounts | grep -q ' tmpfs ro' && echo in memory >> /got
`,
    need: `${base}\nRUN --mount=type=secret,id=none,required cat /run/secrets/none\n`,
    value: Buffer.from([0x00, 0xff, 0x0a]),
  });
  const flags = ["--secret", `id=a,src=${context}/value`, "--secret", "id=b,env=SECRET_B"];
  const env = { SECRET_B: "twelve chars" };
  const args = ["build", "--progress", "plain", "--network", "none", "-t", "out", ...flags];
  const done = await s.wbuildWith({ env }, ...args, context);
  t.is(done.code, 0, done.stderr);
  t.is(
    await s.run("out", "cat", "/got"),
    `400 0:0\n${(await s.tool("md5sum", join(context, "value"))).slice(0, 32)}  -\n444 5:6\n12\nno file\nsame\nabsent unset\nin memory\n`,
  );
  t.is((await s.run("out", "sh", "-c", "ls -d /run/secrets /x /b 2>/dev/null; echo .")).trim(), ".");
  const refused = await s.build(context, "-f", join(context, "need"));
  t.is(refused.code, 1);
  t.regex(refused.stderr, /STEP_SECRET.*"none" is required/s);
});

test("secret: its value is in no key, and in nothing that is printed or kept", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}\nARG FAIL=0\nRUN --mount=type=secret,id=k,env=K echo $K; cat /proc/self/environ; exit $FAIL\n`,
  });
  const build = (value: string, ...more: string[]) =>
    s.wbuildWith(
      { env: { K: value } },
      ...["--debug", "build", "--network", "none", "-t", "out", "--secret", "id=k,env=K", ...more, context],
    );
  const values = ["first-value-1234", "second-value-5678"];
  const first = await build(values[0] ?? "", "--progress", "plain");
  t.is(first.code, 0, first.stderr);
  t.regex(first.stderr, /\*\*\*\*\*\*/);
  const second = await build(values[1] ?? "", "--progress", "plain");
  t.regex(second.stderr, /CACHED/);
  const failed = await build(values[1] ?? "", "--progress", "json", "--build-arg", "FAIL=3");
  t.is(failed.code, 1);
  const history = await s.wbuild("history", "--no-trunc", "out");
  for (const text of [first, second, failed, history].map(({ stdout, stderr }) => stdout + stderr))
    for (const value of values) t.false(text.includes(value), text);
  // Nowhere in the store, be it as a name, a row or a file.
  for (const value of values)
    await t.throwsAsync(s.tool("grep", "-r", "-l", "-a", value, s.env.WBUILD_HOME), undefined, value);
});

test("secret: those of a bake's targets are hidden, too", async (t) => {
  const s = await scene(t);
  const context = await s.files("c", {
    Dockerfile: `${base}\nRUN --mount=type=secret,id=k,env=K echo "[$K]"\n`,
    "docker-bake.json": JSON.stringify({ target: { default: { secret: ["id=k,env=BAKED"] } } }),
  });
  const env = { BAKED: "value-of-a-target" };
  const done = await s.wbuildWith({ env, cwd: context }, "bake", "--progress", "plain");
  t.is(done.code, 0, done.stderr);
  t.regex(done.stderr, /\[\*+\]/);
  t.false((done.stdout + done.stderr).includes("value-of-a-target"));
});
