/** Windows images changed without building, and started with Wine: what the steps before said is still so. */
import { join } from "node:path";
import { changes, windows, windowsScene } from "./windows-scene.ts";

windows("squash, mutate and append on a Windows image: its registry and files are there when it runs", async (t) => {
  const s = await windowsScene(t);
  await s.steps(
    "RUN reg add HKLM\\SOFTWARE\\Mine /v One /d 1 /f && echo one> C:\\one.txt\n" +
      "RUN reg add HKLM\\SOFTWARE\\Mine /v Two /d 2 /f && reg delete HKLM\\SOFTWARE\\Mine /v One /f && del C:\\one.txt && echo two> C:\\two.txt",
  );
  const wbuild = async (...args: string[]) => {
    const result = await s.wbuildWith({ env: { SOURCE_DATE_EPOCH: "1700000000" } }, ...args);
    t.is(result.code, 0, `wbuild ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  const first = await wbuild("squash", "app", "-t", "flat");
  t.is(await wbuild("squash", "app", "-t", "flat"), first);
  t.regex(await wbuild("inspect", "--verify", "flat"), /2 layers\n0 errors, 0 warnings/);
  t.deepEqual(await wbuild("diff", "app", "flat"), "");
  const [own = []] = await changes(s, "flat");
  t.true(own.some((line) => /Mine.*Two/.test(line)));
  t.false(own.some((line) => /one\.txt|Mine.*One/.test(line)));

  const files = await s.files("files", { "data.txt": "appended\r\n" });
  await s.tool("tar", "-C", files, "-czf", join(s.folder, "data.tar.gz"), "data.txt");
  await wbuild("append", "-b", "flat", "-f", "data.tar.gz", "--path", "c:\\Data", "-t", "more");
  const line = "type C:\\two.txt & type C:\\data\\data.txt & reg query HKLM\\SOFTWARE\\Mine /v Two & echo %GREETING%";
  await wbuild("mutate", "more", "--cmd", line, "--env", "GREETING=hello", "-t", "more");
  t.regex(await wbuild("inspect", "--verify", "more"), /3 layers\n0 errors, 0 warnings/);
  const said = await s.run("more");
  for (const part of [/^two/m, /^appended/m, /Two\s+REG_SZ\s+2/, /^hello/m]) t.regex(said, part);

  const shapeless = await s.wbuild("append", "-b", "flat", "-f", "data.tar.gz", "-t", "x");
  t.is(shapeless.code, 2);
  t.regex(shapeless.stderr, /IMG_EDIT.*shape[\s\S]*--path/);
});
