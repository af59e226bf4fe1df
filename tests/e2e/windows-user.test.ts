/** Windows images with RUN for an ordinary user: no root, no daemon, no program with a setuid bit. */
import test from "ava";
import { noUser, uid } from "../doubles/ordinary-user.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, outcome, scene } from "./scene.ts";

const why = noUser() ?? noWindows();
const run = testUnless(why, test.serial);

run("files, registry, links, access, accounts and mounts", async (t) => {
  const s = await scene(t, { base: "windows", user: "one id" });
  const context = await s.files("c", {
    Dockerfile: `# escape=\`
FROM wbuild.local/windows
WORKDIR C:\\app
COPY f.txt .
RUN reg add HKLM\\SOFTWARE\\App /v Name /d one /f && mklink l.txt f.txt && mklink /j j C:\\Users && attrib +h f.txt
RUN icacls f.txt /grant Everyone:R && reg query HKLM\\SOFTWARE\\App /v Name | findstr one && type l.txt
RUN --mount=type=cache,target=C:/c --mount=type=secret,id=k,target=C:/k.txt type C:\\k.txt > nul && echo x> C:\\c\\x
RUN ren C:\\Users\\Public Everybody && rd /s /q C:\\Users\\Everybody\\Music
USER ContainerUser
RUN echo %USERNAME%> %USERPROFILE%\\me.txt && whoami
CMD ["cmd", "/c", "type C:\\\\Users\\\\ContainerUser\\\\me.txt"]
`,
    "f.txt": "file\r\n",
    key: "secretvalue",
  });
  const built = await s.build(context, "-t", "app", "--secret", `id=k,src=${context}/key`);
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("app"), "ContainerUser \r\n");
  t.is((await s.wbuild("run", "--network", "none", "app", "cmd", "/c", "exit 7")).code, 7);
  const query = await s.run(
    "app",
    "cmd",
    "/c",
    "reg query HKLM\\SOFTWARE\\App & dir /b C:\\Users & type C:\\app\\l.txt",
  );
  for (const text of [/Name\s+REG_SZ\s+one/, /^Everybody\r$/m, /^file\r$/m]) t.regex(query, text);
  const told = await s.wbuild("diff", "--each-layer", "app");
  t.regex(told.stdout, /^A C:\\app\\j$[\s\S]*^D C:\\Users\\Public$/m);
  const verified = await s.wbuild("inspect", "--verify", "app");
  t.is(verified.code, 0, verified.stdout + verified.stderr);

  const again = await s.build(context, "-t", "app", "--secret", `id=k,src=${context}/key`);
  t.is(outcome(again, "RUN ren"), "CACHED");
  const others = await s.tool("find", ".", "!", "-uid", String(uid), "-print");
  t.is(others, "", "everything is the user's own, and can be removed by them");
});
