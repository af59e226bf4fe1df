/** Host-side tools in RUN steps of Windows images: found, used, and in no layer. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, scene } from "./scene.ts";

const compiler = "/usr/bin/x86_64-w64-mingw32-gcc";
const missing = noWindows() ?? (existsSync(compiler) ? undefined : "no mingw-w64 on this host");
const running = testUnless(missing);

const source = `#include <stdio.h>
int main(int argc, char **argv) {
  printf("stand-in");
  for (int i = 1; i < argc; i++) printf(" [%s]", argv[i]);
  puts("");
  return 0;
}
`;

running("RUN finds a PowerShell that the host has, by each of its names, and keeps nothing of it", async (t) => {
  const s = await scene(t, { base: "windows" });
  const folder = await s.files("PowerShell-7", { "pwsh.c": source, "Modules/m.psd1": "m" });
  await s.tool(compiler, "-O1", "-s", "-o", join(folder, "pwsh.exe"), join(folder, "pwsh.c"));
  const context = await s.files("context", {
    Dockerfile: [
      "# escape=`",
      "FROM wbuild.local/windows",
      'SHELL ["powershell", "-NoLogo", "-Command"]',
      "RUN Write-Host 'one two'",
      'SHELL ["cmd", "/S", "/C"]',
      "RUN pwsh -File x.ps1 && powershell Get-Date",
      "RUN C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe -Command exit",
    ].join("\n"),
  });
  const without = await s.build(context, "-t", "app");
  t.is(without.code, 1);
  t.regex(without.stderr, /wbuild tools add powershell/);

  const added = await s.wbuild("tools", "add", "powershell", folder);
  t.is(added.stdout, "C:\\Program Files\\PowerShell\\7\n", added.stderr);
  const built = await s.build(context, "-t", "app");
  t.is(built.code, 0, built.stderr);
  for (const line of [
    "[-NoLogo] [-Command] [Write-Host] [",
    "[-File] [x.ps1]",
    "[-Command] [Get-Date]",
    "[-Command] [exit]",
  ]) {
    t.true(built.stderr.includes(`stand-in ${line}`), `${line} in ${built.stderr}`);
  }
  const changes = await s.wbuild("diff", "--each-layer", "app");
  t.notRegex(changes.stdout, /PowerShell/i);

  t.is((await s.wbuild("tools", "rm", "powershell")).code, 0);
  t.is((await s.build(context, "--no-cache", "-t", "app")).code, 1, "taken away, it is not there any more");
});
