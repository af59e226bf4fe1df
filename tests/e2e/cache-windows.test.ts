/** Layers of Windows steps, hives in them, from another machine's cache. */
import { join } from "node:path";
import { startRegistry } from "../doubles/docker-registry.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, outcome, scene } from "./scene.ts";

const reason = noWindows();

testUnless(reason)(
  `Windows steps are found in a registry: no Wine is started${reason === undefined ? "" : ` (${reason})`}`,
  async (t) => {
    const registry = await startRegistry();
    t.teardown(() => registry.close());
    const one = await scene(t, { base: "windows" });
    const base = `${registry.host}/windows:1`;
    t.is((await one.wbuild("tag", "wbuild.local/windows", base)).code, 0);
    t.is((await one.wbuild("push", base)).code, 0);
    const context = await one.files("context", {
      Dockerfile: `FROM ${base}\nCOPY a.txt C:/a.txt\nRUN reg add HKLM\\Software\\Mine /v x /d 1 /f\nRUN type C:\\a.txt > C:\\b.txt\n`,
      "a.txt": "hello\r\n",
    });
    const ref = `${registry.host}/app:cache`;
    const first = await one.build(
      context,
      "-t",
      "app",
      "--iidfile",
      join(one.folder, "id"),
      "--cache-to",
      `type=registry,ref=${ref},mode=max`,
    );
    t.is(first.code, 0, first.stderr);
    t.is(outcome(first, "reg add"), "DONE", first.stderr);

    const two = await scene(t, { base: false });
    const second = await two.build(context, "-t", "app", "--iidfile", join(two.folder, "id"), "--cache-from", ref);
    t.is(second.code, 0, second.stderr);
    for (const step of ["COPY a.txt", "reg add", "type C:"]) t.is(outcome(second, step), "CACHED", second.stderr);
    t.is(await two.tool("cat", join(two.folder, "id")), await one.tool("cat", join(one.folder, "id")));
    t.is((await two.wbuild("pull", base)).code, 0);
    const shown = await two.wbuild("diff", base, "app");
    t.regex(shown.stdout, /Software\\Mine/i, shown.stderr);
  },
);
