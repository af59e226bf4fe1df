/**
 * Makes a personality in an empty folder: Wine sets up its prefix in a container that has nothing of the host's but Wine,
 * so no name, drive, font or folder of the host gets in; a second start and stop settles the registry.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startSandbox } from "../../../../native/core/sandbox.ts";
import type { SandboxRoot } from "../../../../native/core/spec.ts";
import { WbuildError } from "../../../../native/error.ts";
import { containerOf } from "./container.ts";
import { type Wine, wineSurroundings, wineVersion } from "./find-wine.ts";
import { linkToHost } from "./link-host.ts";
import { chainOperators } from "./patches.ts";
import { tidyTexts } from "./prefix-text.ts";
import { type OwnProgram, placePrograms, standIns } from "./programs.ts";
import { systemFolders } from "./system-tree.ts";

const account = "ContainerAdministrator";
/** Milliseconds: a Wine that has not set itself up by then never will. */
const longest = 180_000;

export interface PersonalityFacts {
  /** Wine's. */
  readonly version: string;
  /** Wine's files that are ours instead. */
  readonly replaced: string[];
  /** Files of ours that Wine does not have. */
  readonly added: string[];
  /** What this Wine does not let us lead to our programs. */
  readonly unpatched: string[];
}

/** Takes 4 to 8 seconds and, meanwhile, 700 MB. Throws WIN_PERSONALITY with what Wine printed, BOX_*. */
export async function makePersonality(
  folder: string,
  wine: Wine,
  programs: readonly OwnProgram[],
): Promise<PersonalityFacts> {
  const root = join(folder, "root");
  const prefix = join(folder, "wine");
  makeRoot(root, wine);
  makePrefix(prefix);
  const { replaced, added, unpatched } = placePrograms(programs, wine, join(folder, "programs"));
  const version = await wineVersion(wine);

  // Any first program makes Wine's own wineboot set up what is missing. secedit does nothing, whatever it is told.
  await runWine(folder, { lower: [root] }, wine, undefined, "secedit.exe");
  if (!existsSync(join(prefix, "system.reg")) || !existsSync(join(root, "Files/Windows/System32/kernel32.dll"))) {
    throw failed("Wine has not set up its files", "");
  }
  rmSync(join(root, "Files/Users", account), { recursive: true, force: true });
  linkToHost(join(root, "Files"), wine, join(folder, "programs", standIns));
  for (const name of added) {
    copyFileSync(join(folder, "programs", standIns, name), join(root, "Files/Windows/System32", name));
  }
  tidyTexts(prefix, account);
  writeFileSync(join(prefix, ".update-timestamp"), "disable\n");

  const first = (command: string) => firstProgram(folder, root, wine, replaced, command);
  await settle(first);
  const hasChains = !unpatched.includes(chainOperators) || (await first(failingChain)) === exit(41);
  for (const name of ["dosdevices", ".update-timestamp", "wineserver", "command", "cwd", "env", "journal", "result"]) {
    rmSync(join(prefix, name), { recursive: true, force: true });
  }
  return {
    version,
    replaced: [...replaced],
    added: [...added],
    unpatched: unpatched.filter((what) => what !== chainOperators || !hasChains),
  };
}

/**
 * One start and stop as every step has it: what differs after it would count as the first step's own. The program is one
 * that loads themes, which note the colours that they find when that is done for the first time.
 */
async function settle(first: (command: string) => Promise<string>): Promise<void> {
  const result = await first("rundll32 uxtheme.dll,IsThemeActive");
  if (result !== exit(0)) throw failed("a first program did not run", result);
}

/** Ends with 41 where cmd leaves out what follows && after a failure, and runs what follows ||. */
const failingChain = 'cmd /D /S /C "cmd /C exit 2 && exit 40 || exit 41"';

/** The result of a program that ended so, without its spaces. */
function exit(code: number): string {
  return `{"exit":${code}}`;
}

/** Starts Wine as for a step, runs a program, stops Wine, which keeps the registry. How the program ended, as run.exe wrote it. */
async function firstProgram(
  folder: string,
  root: string,
  wine: Wine,
  replaced: readonly string[],
  command: string,
): Promise<string> {
  const [prefix, scratch] = [join(folder, "wine"), join(folder, "settle")];
  const [upper, work, lower] = ["upper", "work", "lower"].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [upper, work, join(lower, "Files/Users", account)]) mkdirSync(path, { recursive: true });
  const utf16 = (name: string, text: string) => writeFileSync(join(prefix, name), Buffer.from(text, "utf16le"));
  utf16("command", command);
  utf16("cwd", "C:\\");
  utf16("env", "");
  writeFileSync(join(prefix, "journal"), "");
  await runWine(folder, { lower: [lower, root], upper, work }, wine, replaced, "/wbuild/run.exe");
  const result = existsSync(join(prefix, "result")) ? readFileSync(join(prefix, "result"), "utf8") : "nothing";
  rmSync(scratch, { recursive: true, force: true });
  rmSync(join(prefix, "result"), { force: true });
  return result.replaceAll(/\s/g, "");
}

/**
 * Without a configuration fontconfig complains, and takes 0.4 s of every step to look around. Without the library itself no
 * program that loads user32 gets a desktop.
 */
const noFonts = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>/nonexistent</dir><cachedir>/tmp</cachedir></fontconfig>
`;

/** C: with its folders, and the mount points. */
function makeRoot(root: string, wine: Wine): void {
  const { mounts, links } = wineSurroundings(wine);
  for (const path of systemFolders) mkdirSync(join(root, "Files", path), { recursive: true });
  for (const path of ["dev", "etc", "proc", "sys", "tmp", "wbuild", "wine"]) mkdirSync(join(root, path));
  for (const [path, target] of links) symlinkSync(target, join(root, path));
  for (const { target } of mounts) {
    const isFile = target === wine.loader || target === wine.server;
    mkdirSync(join(root, isFile ? dirname(target) : target), { recursive: true });
    if (isFile) writeFileSync(join(root, target), "");
  }
  for (const name of ["passwd", "hosts", "hostname", "resolv.conf"]) writeFileSync(join(root, "etc", name), "");
  mkdirSync(join(root, "etc/fonts"));
  writeFileSync(join(root, "etc/fonts/fonts.conf"), noFonts);
}

/** With its drives made beforehand Wine adds none: no z: to the host's root, no serial ports. */
function makePrefix(prefix: string): void {
  mkdirSync(join(prefix, "dosdevices"), { recursive: true });
  symlinkSync("/Files", join(prefix, "dosdevices/c:"));
}

async function runWine(
  folder: string,
  root: SandboxRoot,
  wine: Wine,
  replaced: readonly string[] | undefined,
  program: string,
): Promise<void> {
  const { mounts, env, argv } = containerOf(folder, wine, replaced);
  const passwd = join(folder, "passwd");
  writeFileSync(passwd, `${account}:x:0:0::/Files/Users/${account}:/\n`);
  const running = await startSandbox(
    {
      root,
      mounts: [
        ...mounts,
        { kind: "bind", source: join(folder, "wine"), target: "/wine", readonly: false },
        { kind: "bind", source: passwd, target: "/etc/passwd", readonly: true },
      ],
      process: {
        ...{ argv: [...argv.slice(0, -1), program], env, cwd: "/Files", uid: 0, gid: 0, groups: [] },
        ...{ tty: false, stdin: "null", output: "pipe" },
      },
      hostname: "wbuild",
      network: "none",
      extraHosts: [],
      limits: { shmBytes: 64 << 20, ulimits: {} },
      security: "default",
    },
    () => undefined,
  );
  await using _ = running;
  const late = setTimeout(() => running.signal("SIGKILL"), longest);
  let said = "";
  for await (const { bytes } of running.output) said = (said + Buffer.from(bytes).toString("utf8")).slice(-4000);
  const { code, signal } = await running.exited;
  clearTimeout(late);
  if (code !== 0) throw failed(`${program} ended with ${signal ?? `exit code ${code}`}`, said);
}

function failed(what: string, said: string): WbuildError {
  return new WbuildError("WIN_PERSONALITY", `Wine cannot be set up: ${what}${said === "" ? "" : `\n${said}`}`, {
    facts: { what, output: said },
    hint: "`wbuild doctor` says which Wine is used and whether containers work here",
  });
}
