/** `wbuild ci-cache warm`: a store that needs no registry afterwards. */
import test from "ava";
import { startRegistry } from "../doubles/docker-registry.ts";
import { outcome, scene } from "./scene.ts";

test("a warmed store builds without its registry, also after leftovers were removed, and carries out nothing", async (t) => {
  t.timeout(120_000);
  const registry = await startRegistry();
  t.teardown(() => registry.close());
  const one = await scene(t);
  const name = (what: string) => `${registry.host}/team/${what}`;
  for (const what of ["base:1", "other:1"]) {
    const dockerfile = `FROM wbuild.local/linux\nRUN echo ${what} > /made\n`;
    const made = await one.build(await one.files("base", { Dockerfile: dockerfile }), "-t", name(what), "--push");
    t.is(made.code, 0, made.stderr);
  }
  const context = await one.files("app", {
    Dockerfile: `FROM ${name("base:1")} AS built
COPY a /a
RUN cat /a > /b
FROM ${name("other:1")} AS unrelated
RUN cat /made > /c
FROM ${name("base:1")}
COPY --from=built /b /b
`,
    a: "hello\n",
  });
  const built = await one.build(context, "--cache-to", `type=registry,mode=max,ref=${name("app:cache")}`);
  t.is(built.code, 0, built.stderr);

  const two = await scene(t, { base: false });
  const warm = ["ci-cache", "warm", "--progress", "plain", "--cache-from", name("app:cache")];
  const warmed = await two.wbuild(...warm, context);
  t.is(warmed.code, 0, warmed.stderr);
  t.is(warmed.stdout, "2 base images, 3 cached results\n");
  const lost = await two.wbuild(...warm, "--cache-from", name("app:none"), "--target", "built", "-q", context);
  t.is(lost.code, 0);
  t.is(lost.stdout, "");
  t.is((await two.wbuild("prune")).code, 0);
  await registry.close();

  const again = await two.build(context);
  t.is(again.code, 0, again.stderr);
  for (const step of ["COPY a", "RUN cat /a", "COPY --from"]) t.is(outcome(again, step), "CACHED", again.stderr);
  const changed = await two.build(await two.files("app", { Dockerfile: `FROM ${name("other:1")}\nRUN cat /made\n` }));
  t.is(changed.code, 0, changed.stderr);
  t.is(outcome(changed, "RUN cat"), "DONE");
});

test("a base that nobody has fails at its line, and another verb is refused", async (t) => {
  const s = await scene(t, { base: false });
  const context = await s.files("c", { Dockerfile: "FROM scratch\nFROM wbuild.local/nothing\n" });
  const failed = await s.wbuild("ci-cache", "warm", context);
  t.is(failed.code, 2, failed.stderr);
  t.regex(failed.stderr, /Dockerfile:2/);
  const refused = await s.wbuild("ci-cache", "cool", context);
  t.is(refused.code, 2);
  t.regex(refused.stderr, /CLI_VALUE.*warm/s);
});
