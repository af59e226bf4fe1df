import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { top } from "../doubles/cli.ts";
import { outcome, scene } from "./scene.ts";

const sample = (name: string, ...path: string[]) => join(top, "samples", name, ...path);

test("hello-linux: builds offline, prints what it shall, says how it was made, and is cached afterwards", async (t) => {
  const s = await scene(t);
  const built = await s.build(sample("hello-linux"), "-t", "hello-linux");
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("hello-linux"), await readFile(sample("hello-linux", "expected.txt"), "utf8"));
  t.is(await s.run("hello-linux", "heart"), "heart:\n  tyger:14\n  tyger:15\n");
  t.is((await s.wbuild("run", "--network", "none", "hello-linux", "absent")).code, 1);

  const history = await s.wbuild("history", "hello-linux");
  t.is(history.code, 0, history.stderr);
  for (const text of ["IMAGE", "CREATED BY", "SIZE", "ENTRYPOINT", "COPY", "USER reader"]) {
    t.true(history.stdout.includes(text), `${text} in\n${history.stdout}`);
  }
  const dockerfile = await s.wbuild("history", "--dockerfile", "hello-linux");
  t.regex(dockerfile.stdout, /^ENTRYPOINT \["lookup"\]$/m);
  t.regex(dockerfile.stdout, /^USER reader$/m);

  const again = await s.build(sample("hello-linux"), "-t", "hello-linux");
  t.is(again.code, 0, again.stderr);
  t.deepEqual(
    [...new Set(again.steps.values())].filter((result) => result !== "CACHED" && result !== "DONE"),
    [],
  );
  for (const step of ["RUN awk", "RUN cat", "RUN for", "COPY texts/", "COPY --from=index"]) {
    t.is(outcome(again, step), "CACHED", again.stderr);
  }
});

// The one test that needs more than loopback: a Debian mirror, as this host's apt has it.
test("debian-c: a base from packages, a compiler through the step's own network, one file in the end", async (t) => {
  t.timeout(300_000);
  const s = await scene(t, { base: false });
  const made = await s.wbuild("base", "debian", "--progress", "plain");
  if (made.code !== 0 && /resolve|Could not connect|unreachable/i.test(made.stderr)) {
    t.log("skipped: no Debian mirror can be reached from here");
    return t.pass();
  }
  t.is(made.code, 0, made.stderr);
  const built = await s.wbuild("build", "--progress", "plain", "-t", "primes", sample("debian-c"));
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("primes"), await readFile(sample("debian-c", "expected.txt"), "utf8"));
  t.is(await s.run("primes", "100"), "25 primes up to 100\n");
  t.is((await s.wbuild("run", "--network", "none", "primes", "1")).code, 2);
  t.is((await s.wbuild("export", "-o", "primes.tar", "primes")).code, 0);
  t.is(await s.tool("tar", "-tf", "primes.tar"), "primes\n");
});
