/** GitHub's cache service, from the command line: addresses and token come from the environment of a workflow. */
import test from "ava";
import { startGha } from "../doubles/gha-cache.ts";
import { scene, stepsOf } from "./scene.ts";

for (const version of [1, 2] as const)
  test(`a workflow's next run finds what the last one built (version ${version}), and nobody reads its token`, async (t) => {
    const double = await startGha();
    t.teardown(() => double[Symbol.asyncDispose]());
    const one = await scene(t);
    const context = await one.files("context", {
      Dockerfile: "FROM scratch AS s\nCOPY a /a\nFROM wbuild.local/linux\nCOPY --from=s /a /a\nRUN cat /a > /b\n",
      a: "hello\n",
    });
    const env =
      version === 1
        ? { ACTIONS_CACHE_URL: double.url, ACTIONS_RUNTIME_TOKEN: double.token }
        : { ACTIONS_RESULTS_URL: double.url, ACTIONS_RUNTIME_TOKEN: double.token, ACTIONS_CACHE_SERVICE_V2: "True" };
    const args = ["build", "--progress", "plain", "--network", "none", context];
    const first = await one.wbuildWith({ env }, ...args, "--cache-to", "type=gha,scope=main,mode=max");
    t.is(first.code, 0, first.stderr);
    const two = await scene(t);
    const second = await two.wbuildWith({ env }, ...args, "--cache-from", "type=gha,scope=main");
    t.is(second.code, 0, second.stderr);
    for (const [title, how] of stepsOf(second.stderr)) if (/COPY|RUN/.test(title)) t.is(how, "CACHED", second.stderr);

    double.misbehave = (_, response) => {
      response.writeHead(401).end(`bad token ${double.token}`);
      return true;
    };
    const failed = await one.wbuildWith({ env }, ...args, "--cache-to", "type=gha,scope=main");
    t.not(failed.code, 0);
    t.regex(failed.stderr, /cannot export the cache to GitHub Actions \(scope main\)/);
    for (const { stdout, stderr } of [first, second, failed]) t.false(`${stdout}${stderr}`.includes(double.token));
  });
