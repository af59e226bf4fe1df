/** `wbuild base windows` as a user meets it: through a registry into another store, and as the base of a build. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { startRegistry } from "../doubles/docker-registry.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, scene } from "./scene.ts";

const missing = noWindows();
const running = testUnless(missing);
const run = promisify(execFile);

running("a base is pushed, pulled into an empty store and proved there", async (t) => {
  await using registry = await startRegistry();
  const name = `${registry.host}/team/windows:base`;
  const [first, second] = [await scene(t, { base: "windows" }), await scene(t, { base: false })];
  t.is((await first.wbuild("tag", "wbuild.local/windows", name)).code, 0);
  const pushed = await first.wbuild("push", name);
  t.is(pushed.code, 0, pushed.stderr);
  const pulled = await second.wbuild("pull", "--platform", "windows/amd64", name);
  t.is(pulled.code, 0, pulled.stderr);
  const verified = await second.wbuild("inspect", "--verify", name);
  t.is(verified.code, 0, verified.stdout);
  t.regex(verified.stdout, /0 errors, 0 warnings/);

  const config = await run("skopeo", ["inspect", "--config", "--tls-verify=false", `docker://${name}`]).catch(() => {
    t.log("skopeo is not there: what it says was not compared");
  });
  if (config) {
    t.like(JSON.parse(config.stdout), {
      os: "windows",
      architecture: "amd64",
      "os.version": "10.0.20348.0",
      config: { User: "ContainerAdministrator", Cmd: ["c:\\windows\\system32\\cmd.exe"] },
    });
  }
});

running("--build-context lets FROM mean it, and images on it are without fault", async (t) => {
  const s = await scene(t, { base: "windows" });
  const context = await s.files("context", {
    Dockerfile: [
      "# escape=`",
      "FROM mcr.microsoft.com/windows/servercore:ltsc2022",
      "WORKDIR C:\\app",
      "COPY hello.txt C:\\windows\\SYSTEM32\\drivers\\etc\\",
    ].join("\n"),
    "hello.txt": "hello",
  });
  const swap = "mcr.microsoft.com/windows/servercore:ltsc2022=docker-image://wbuild.local/windows";
  const built = await s.build(context, "--build-context", swap, "-t", "app");
  t.is(built.code, 0, built.stderr);
  const verified = await s.wbuild("inspect", "--verify", "app");
  t.is(verified.code, 0, verified.stdout);
  const tar = join(s.folder, "app.tar");
  t.is((await s.wbuild("export", "-o", tar, "app")).code, 0);
  const names = (await s.tool("tar", "-tf", tar)).split("\n").map((line) => line.replace(/\/$/, ""));
  t.true(names.includes("Windows/System32/drivers/etc/hello.txt"));
  t.false(
    names.some((path) => path.endsWith(".dll") || path.endsWith(".exe")),
    "Wine's programs stay with the host",
  );
});
