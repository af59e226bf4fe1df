/** Windows scenes with programs of the tests in C:\t, and what their layers hold. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test, { type ExecutionContext, type ImplementationFn } from "ava";
import { type NaiveEntry, naiveTar } from "../doubles/naive-tar.ts";
import { testUnless } from "../doubles/test-unless.ts";
import { noWine } from "../doubles/wine.ts";
import { savedImage } from "./layouts.ts";
import { type BuildOutcome, type Scene, scene } from "./scene.ts";

const execute = promisify(execFile);
const compiler = "x86_64-w64-mingw32-gcc";

/** One after the other: each keeps a machine busy. Skipped, with the reason in its title, where there is no Wine. */
export function windows(title: string, run: ImplementationFn<[]>): void {
  testUnless(noWine, test.serial)(title, run);
}

const compiled = new Map<string, Promise<Buffer>>();

/** A program of tests/e2e/programs, compiled once in a test process. `flags` are for the linker, from a folder of its own. */
export function compileProgram(name: string): Promise<Buffer> {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const made = (async () => {
    const folder = await mkdtemp(join(tmpdir(), "wbuild-program-"));
    const source = fileURLToPath(new URL(`programs/${name}.c`, import.meta.url));
    const output = join(folder, `${name}.exe`);
    await execute(compiler, ["-O1", "-s", "-Wall", "-Wextra", "-Werror", "-municode", "-o", output, source, "-lntdll"]);
    const bytes = await readFile(output);
    await rm(folder, { recursive: true });
    return bytes;
  })();
  compiled.set(name, made);
  return made;
}

/** A program that imports a function of absent.dll. */
export async function programWithoutItsDll(s: Scene): Promise<Buffer> {
  const folder = await s.files("needs", {
    "needs.c": "__declspec(dllimport) int absent(void);\nint main(void) { return absent(); }\n",
    "absent.def": "LIBRARY absent.dll\nEXPORTS\nabsent\n",
  });
  const at = (name: string) => join(folder, name);
  await execute("x86_64-w64-mingw32-dlltool", ["-d", at("absent.def"), "-l", at("libabsent.a")]);
  await execute(compiler, ["-s", "-o", at("needs.exe"), at("needs.c"), `-L${folder}`, "-labsent"]);
  return readFile(at("needs.exe"));
}

export interface WindowsScene extends Scene {
  /** How many layers `programs` has. */
  readonly below: number;
  /** Builds `FROM programs` and these lines as `app`; fails the test when the exit code is another than 0. */
  steps(lines: string, ...flags: string[]): Promise<BuildOutcome>;
  /** The same, without an expectation. */
  tries(lines: string, ...flags: string[]): Promise<BuildOutcome>;
}

/** The store has `programs`: wbuild.local/windows (or `from`) with these programs and files in C:\t. */
export async function windowsScene(
  t: ExecutionContext,
  programs: readonly string[] = [],
  options: { readonly from?: string; readonly files?: Readonly<Record<string, string | Uint8Array>> } = {},
): Promise<WindowsScene> {
  const s = await scene(t, { base: "windows" });
  const exes = await Promise.all(programs.map(async (name) => [`${name}.exe`, await compileProgram(name)] as const));
  const files = { ...Object.fromEntries(exes), ...options.files };
  const copy = Object.keys(files).length > 0 ? "COPY . C:/t/\n" : "";
  const from = options.from ?? "wbuild.local/windows";
  const base = await s.files("programs", { ".dockerignore": "Dockerfile\n.dockerignore\n", ...files });
  const dockerfile = await s.files("base", { Dockerfile: `FROM ${from}\n${copy}` });
  const made = await s.build(base, "-f", join(dockerfile, "Dockerfile"), "-t", "programs");
  t.is(made.code, 0, made.stderr);
  let number = 0;
  const tries: WindowsScene["tries"] = async (lines, ...flags) => {
    const context = await s.files(`steps${++number}`, { Dockerfile: `# escape=\`\nFROM programs\n${lines}\n` });
    return s.build(context, "-t", "app", ...flags);
  };
  return {
    ...s,
    below: copy === "" ? 1 : 2,
    tries,
    async steps(lines, ...flags) {
      const outcome = await tries(lines, ...flags);
      t.is(outcome.code, 0, outcome.stderr);
      return outcome;
    },
  };
}

/** What the steps of a build printed, line by line. */
export function printed(built: BuildOutcome): string[] {
  const lines = built.stderr.split("\n").map((line) => /^#\d+ \d+\.\d{3} ?(.*)$/.exec(line)?.[1]);
  return lines.filter((line) => line !== undefined && line !== "") as string[];
}

/** The warnings of a build, without what is said once for each host. */
export function warnings(built: BuildOutcome): string[] {
  return [...built.stderr.matchAll(/WARNING: (.*)/g)]
    .map(([, text = ""]) => text)
    .filter((text) => !text.startsWith("setting up Wine"));
}

/** What `wbuild diff` says of each layer above `programs`. */
export async function changes(s: WindowsScene, image = "app"): Promise<string[][]> {
  const told = await s.wbuild("diff", "--each-layer", image);
  if (told.code !== 0) throw new Error(told.stderr);
  // Of the base nothing is told, and before the first title there is nothing.
  const layers = told.stdout.split(/^layer \d+ of \d+\n/m).slice(s.below);
  return layers.map((layer) => layer.split("\n").filter((line) => line !== ""));
}

/** The tars of an image's layers, base first. */
export async function layersOf(s: Scene, image = "app"): Promise<NaiveEntry[][]> {
  return (await savedImage(s, image)).layers.map(({ bytes }) => naiveTar(bytes));
}

const clean = ({ name }: NaiveEntry) => name.replace(/\/$/, "");

/** Names of a layer below Files/, links with their targets. */
export function filesOf(layer: readonly NaiveEntry[] | undefined): string[] {
  return (layer ?? [])
    .filter((entry) => entry.name.startsWith("Files/") && entry.name !== "Files/")
    .map((entry) => clean(entry).slice(6) + (entry.link === "" ? "" : ` -> ${entry.link}`));
}

export function entryOf(layer: readonly NaiveEntry[] | undefined, path: string): NaiveEntry | undefined {
  return layer?.find((entry) => clean(entry) === path);
}
