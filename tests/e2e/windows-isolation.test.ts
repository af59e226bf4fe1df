/** What a Windows step can reach: its own container, and nothing else of the host or of the next step. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { printed, windows, windowsScene } from "./windows-scene.ts";

/** Names, targets and bytes of all below a folder, but for the registries that steps begin with. */
function stateOf(folder: string): string {
  const hash = createHash("sha256");
  const visit = (path: string) => {
    for (const name of readdirSync(path).sort()) {
      const at = join(path, name);
      const info = lstatSync(at);
      if (path === folder && name === "sessions") continue;
      hash.update(`${at}\0${info.mode}\0`);
      if (info.isSymbolicLink()) hash.update(readlinkSync(at));
      else if (info.isDirectory()) visit(at);
      // The large ones are Wine's own, hard links of the host's or links to them.
      else if (info.size < 2_000_000) hash.update(readFileSync(at));
    }
  };
  visit(folder);
  return hash.digest("hex");
}

windows("a step that deletes all files and keys it can ruins only its own container", async (t) => {
  const s = await windowsScene(t, []);
  const wine = join(s.env.WBUILD_HOME, "wine");
  t.is(await s.run("programs", "cmd", "/c", "echo before"), "before\r\n");
  const before = stateOf(wine);
  const ruin =
    "del /f /s /q C:\\* & rmdir /s /q C:\\Users & rmdir /s /q C:\\Windows & reg delete HKLM\\Software /f & reg delete HKLM\\System /f & reg delete HKCU\\Software /f";
  await s.wbuild("run", "--network", "none", "programs", "cmd", "/c", ruin);
  const context = await s.files("ruin", { Dockerfile: `FROM programs\nRUN ${ruin} & exit 0\n` });
  await s.build(context, "-t", "ruined");
  t.is(stateOf(wine), before, "Wine's own tree and registry");
  t.is(await s.run("programs", "cmd", "/c", "echo after"), "after\r\n");
  const key = "HKLM\\Software\\Microsoft\\Windows NT\\CurrentVersion";
  t.regex(await s.run("programs", "reg", "query", key, "/v", "CurrentBuildNumber"), /REG_SZ/);
});

windows("no drive and no path of Wine's leads to the host", async (t) => {
  const s = await windowsScene(t, []);
  const folder = await s.files("secret", { "word.txt": "a word of the host" });
  const unix = join(folder, "word.txt").replaceAll("/", "\\");
  for (const path of [`Z:${unix}`, `\\\\?\\unix${unix}`, "\\\\?\\unix\\etc\\shadow", "\\\\?\\unix\\root\\.bashrc"]) {
    const read = await s.wbuild("run", "--network", "none", "programs", "cmd", "/c", `type ${path}`);
    t.not(read.code, 0, path);
    t.false((read.stdout + read.stderr).includes("a word of the host"), path);
  }
  const top = await s.run("programs", "cmd", "/c", "dir /b \\\\?\\unix\\ & exit /b 0");
  t.notRegex(top, /home|root|srv|opt|boot/, top);
});

windows("two containers of one image at once: files, registry and processes of one are not the other's", async (t) => {
  const s = await windowsScene(t, []);
  const script = (mine: string, other: string) =>
    `echo ${mine}> C:\\${mine}.txt & reg add HKLM\\Software\\${mine} /f > nul & ping -n 3 127.0.0.1 > nul & dir /b C:\\*.txt & reg query HKLM\\Software\\${other} & tasklist & exit /b 0`;
  const [a, b] = await Promise.all([
    s.wbuild("run", "programs", "cmd", "/c", script("alpha", "beta")),
    s.wbuild("run", "programs", "cmd", "/c", script("beta", "alpha")),
  ]);
  for (const [mine, other, { stdout, stderr }] of [
    ["alpha", "beta", a],
    ["beta", "alpha", b],
  ] as const) {
    t.true(stdout.includes(`${mine}.txt`), stdout + stderr);
    t.false(stdout.includes(`${other}.txt`), stdout);
    t.false(stdout.includes(`Software\\${other}`), stdout);
    t.is(stdout.match(/^cmd\.exe/gim)?.length, 1, stdout);
  }
});

windows("a program that speaks to Linux and puts links to the host in our way gets nothing of the host", async (t) => {
  const s = await windowsScene(t, ["linux"]);
  const host = await s.files("secret", { "word.txt": "a word of the host" });
  const word = join(host, "word.txt");
  for (const [line, code] of [
    [`drive ${host}`, "WIN_DRIVE"],
    [`link /wine/journal ${word}`, "WIN_JOURNAL"],
  ] as const) {
    const built = await s.tries(`RUN C:\\t\\linux.exe ${line}`);
    t.true(printed(built).includes("done=0"), built.stderr);
    t.true(built.stderr.includes(`error[${code}]`), built.stderr);
    t.false(built.stderr.includes("a word of the host"), built.stderr);
  }
});
