/**
 * A C: of the host's Wine with our programs in it, and one call that runs a Windows command in a container as steps do. The
 * same shape as a personality of builder/runtime/wine, without its care for images.
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startSandbox } from "../../../native/core/sandbox.ts";
import type { Exit, Mount } from "../../../native/core/spec.ts";
import { forwardExport, forwardedFunctions, hiddenCommands, hideBuiltin } from "../../../native/wine/patch.ts";
import { noContainers } from "../core/box.ts";

const programs = fileURLToPath(new URL("../../../dist/wine", import.meta.url));
const wine = {
  loader: "/usr/lib/wine/wine64",
  server: "/usr/lib/wine/wineserver64",
  libraries: "/usr/lib/x86_64-linux-gnu",
};
const builtins = join(wine.libraries, "wine/x86_64-windows");
const compiler = "/usr/bin/x86_64-w64-mingw32-gcc";

/** Why these tests cannot run here, or undefined. Tests put it into their skip. */
export const noWine =
  noContainers ??
  [wine.loader, wine.server, builtins, compiler, join(programs, "session")]
    .filter((path) => !existsSync(path))
    .map((path) => `needs ${path}`)[0];

export interface WineHost {
  readonly folder: string;
  /** Lower folder of every container: Files is C:. */
  readonly root: string;
  /** The registry as Wine makes it, with no step's change. */
  readonly registry: string;
  /** What containers see as /wbuild. */
  readonly programs: string;
  /** Host files over Wine's, by name. */
  readonly instead: Readonly<Record<string, string>>;
  remove(): void;
}

const user = "ContainerAdministrator";

/** Takes some seconds: Wine makes a prefix, which one start and stop in a container settles. */
export async function makeWineHost(): Promise<WineHost> {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-wine-"));
  const [root, registry, prefix] = [join(folder, "root"), join(folder, "registry"), join(folder, "prefix")];
  makePrefix(prefix);
  mkdirSync(registry);
  for (const name of ["system.reg", "user.reg", "userdef.reg"]) {
    writeFileSync(join(registry, name), quiet(readFileSync(join(prefix, name), "utf8")));
  }
  link(join(prefix, "drive_c/windows"), join(root, "Files/windows"));
  rmSync(prefix, { recursive: true, force: true });
  makeRoot(root);
  const instead = ownFiles(folder, root);
  const own = join(folder, "programs");
  cpSync(programs, own, { recursive: true });
  symlinkSync(join(wine.libraries, "wine/x86_64-unix/ntdll.so"), join(own, "ntdll.so"));
  const host = { folder, root, registry, programs: own, instead, remove: () => rmSync(folder, { recursive: true }) };
  const { wine: settled } = await runWindows(host, "cmd /C exit 0");
  for (const name of readdirSync(registry)) cpSync(join(settled, name), join(registry, name));
  return host;
}

function makePrefix(prefix: string): void {
  mkdirSync(prefix);
  const env = {
    ...{ HOME: prefix, PATH: process.env.PATH, WINEPREFIX: prefix, WINEDEBUG: "-all" },
    WINEDLLOVERRIDES: "mscoree=;mshtml=;winemenubuilder.exe=",
  };
  for (const [program, argument] of [
    [wine.loader, "wineboot"],
    [wine.server, "-k"],
    [wine.server, "-w"],
  ] as const) {
    execFileSync(program, [argument], { env, stdio: "ignore" });
  }
}

/** Without what only costs time in a container (keyboards, mice, event logs), and what logging in makes. */
function quiet(text: string): string {
  const keys = text.split(/^(?=\[)/m);
  return keys
    .filter(
      (key) =>
        !/^\[(?:System\\\\(?:Current|)ControlSet(?:001|)\\\\Enum\\\\ROOT\\\\WINE|Volatile Environment)/i.test(key),
    )
    .map((key) =>
      /^\[System\\\\(?:Current|)ControlSet(?:001|)\\\\Services\\\\(?:PlugPlay|Eventlog)\]/i.test(key)
        ? key.replace('"Start"=dword:00000002', '"Start"=dword:00000003')
        : key,
    )
    .join("");
}

/** The tree again, Wine's own programs as links to where containers have them. */
function link(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) link(source, target);
    else if (existsSync(join(builtins, entry.name))) symlinkSync(join(builtins, entry.name), target);
    else cpSync(source, target);
  }
}

function makeRoot(root: string): void {
  for (const path of ["wine", "wbuild", "tmp", "proc", "sys", "dev", "etc/fonts", `Files/users/${user}`]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  for (const path of ["usr/lib/wine", "usr/lib64", wine.libraries, "usr/share/wine"]) {
    mkdirSync(join(root, path), { recursive: true });
  }
  for (const name of ["lib", "lib64"]) symlinkSync(`usr/${name}`, join(root, name));
  // Wine's text renderer is linked with fontconfig, which complains and looks far and wide where nothing is configured.
  writeFileSync(
    join(root, "etc/fonts/fonts.conf"),
    '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n' +
      "<fontconfig><dir>/nonexistent</dir><cachedir>/tmp</cachedir></fontconfig>\n",
  );
  writeFileSync(join(root, "etc/passwd"), `${user}:x:0:0::/Files/users/${user}:/\n`);
}

/** Our programs into system32, where Wine has none of that name; the others, and what is patched, by name. */
function ownFiles(folder: string, root: string): Record<string, string> {
  const instead: Record<string, string> = {};
  for (const name of readdirSync(programs)) {
    if (["session", "loader", "run.exe"].includes(name)) continue;
    if (existsSync(join(builtins, name))) instead[name] = join(programs, name);
    else cpSync(join(programs, name), join(root, "Files/windows/system32", name));
  }
  const patch = (name: string, changes: readonly ((file: Uint8Array) => Uint8Array)[]) => {
    instead[name] = join(folder, name);
    const original: Uint8Array = readFileSync(join(builtins, name));
    writeFileSync(
      join(folder, name),
      changes.reduce((file, change) => change(file), original),
    );
  };
  patch(
    "kernelbase.dll",
    forwardedFunctions.map((name) => (file) => forwardExport(file, name, `wbuildlnk.${name}`)),
  );
  patch(
    "cmd.exe",
    hiddenCommands.map((name) => (file) => hideBuiltin(file, name)),
  );
  return instead;
}

export interface Options {
  readonly cwd?: string;
  /** NAME=value. */
  readonly env?: readonly string[];
  /** Files of C:, from before the step. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Registry text (Wine's) behind system.reg. */
  readonly registry?: string;
  /** The session's program, as the host has it; and more for its environment. */
  readonly session?: string;
  readonly sessionEnv?: Readonly<Record<string, string>>;
  /** Instead of Wine's server. */
  readonly server?: string;
  readonly hostname?: string;
  /** A terminal of its own, relayed to ours; no output is collected. */
  readonly tty?: boolean;
  /** Called for each piece of output. */
  readonly said?: (text: string, signal: (name: NodeJS.Signals) => void) => void | Promise<void>;
}

export interface Ended {
  readonly exit: Exit;
  readonly stdout: string;
  readonly stderr: string;
  /** /wine/result, parsed; undefined when there is none. */
  readonly result: unknown;
  readonly journal: string;
  /** Host paths: what the step changed in C:, and /wine. */
  readonly upper: string;
  readonly wine: string;
}

const utf16 = (text: string) => Buffer.from(text, "utf16le");

function makeChannel(host: WineHost, channel: string, command: string, options: Options): void {
  mkdirSync(join(channel, "dosdevices"), { recursive: true });
  for (const name of readdirSync(host.registry)) cpSync(join(host.registry, name), join(channel, name));
  if (options.registry) writeFileSync(join(channel, "system.reg"), `\n${options.registry}\n`, { flag: "a" });
  writeFileSync(join(channel, ".update-timestamp"), "disable\n");
  symlinkSync("/Files", join(channel, "dosdevices/c:"));
  writeFileSync(join(channel, "command"), utf16(command));
  writeFileSync(join(channel, "cwd"), utf16(options.cwd ?? "C:\\"));
  writeFileSync(join(channel, "env"), utf16((options.env ?? []).map((line) => `${line}\0`).join("")));
}

function bind(source: string, target: string, readonly = true): Mount {
  return { kind: "bind", source, target, readonly };
}

/** Runs one Windows command line in a container of its own. */
export async function runWindows(host: WineHost, command: string, options: Options = {}): Promise<Ended> {
  const place = mkdtempSync(join(host.folder, "step-"));
  const [upper, work, channel] = [join(place, "upper"), join(place, "work"), join(place, "wine")];
  for (const folder of [join(upper, "Files"), work]) mkdirSync(folder, { recursive: true });
  makeChannel(host, channel, command, options);
  for (const [path, content] of Object.entries(options.files ?? {})) {
    mkdirSync(dirname(join(upper, "Files", path)), { recursive: true });
    writeFileSync(join(upper, "Files", path), content);
  }
  const running = await startSandbox(
    {
      root: { lower: [host.root], upper, work },
      mounts: [
        // The locale makes Wine take names of files for UTF-8; without its folder it would be ASCII.
        ...["/usr/lib64", "/usr/lib/wine", "/usr/lib/locale", "/usr/share/wine", wine.libraries].map((path) =>
          bind(path, path),
        ),
        ...Object.entries(host.instead).map(([name, file]) => bind(file, join(builtins, name))),
        bind(host.programs, "/wbuild"),
        bind(join(host.programs, "loader"), wine.loader),
        ...(options.session ? [bind(options.session, "/wbuild/session")] : []),
        bind(channel, "/wine", false),
        { kind: "tmpfs", target: "/tmp", readonly: false },
      ],
      process: {
        argv: ["/wbuild/session", options.server ?? wine.server, wine.loader, "/wbuild/run.exe"],
        env: {
          ...{ WINEPREFIX: "/wine", WINEDEBUG: "-all", LC_ALL: "C.UTF-8" },
          WINEDLLOVERRIDES: "mscoree=;mshtml=;winemenubuilder.exe=",
          ...options.sessionEnv,
        },
        ...{ cwd: "/", uid: 0, gid: 0, groups: [], tty: options.tty === true },
        ...(options.tty ? { stdin: "inherit", output: "inherit" } : { stdin: "null", output: "pipe" }),
      },
      hostname: options.hostname ?? "boxy",
      network: "none",
      extraHosts: [],
      limits: { shmBytes: 64 << 20, ulimits: {} },
      security: "default",
    },
    () => {},
  );
  await using _ = running;
  const text = { stdout: "", stderr: "" };
  for await (const { stream, bytes } of running.output) {
    text[stream] += Buffer.from(bytes).toString();
    await options.said?.(Buffer.from(bytes).toString(), (name) => running.signal(name));
  }
  const exit = await running.exited;
  const read = (name: string) => (existsSync(join(channel, name)) ? readFileSync(join(channel, name), "utf8") : "");
  const [result, journal] = [read("result"), read("journal")];
  return {
    ...{ exit, stdout: text.stdout.replaceAll("\r\n", "\n"), stderr: text.stderr.replaceAll("\r\n", "\n"), journal },
    ...{ result: result === "" ? undefined : JSON.parse(result), upper: join(upper, "Files"), wine: channel },
  };
}

/** Compiles programs/NAME.c; gives its bytes. */
export function compileProgram(host: WineHost, name: string, ...flags: readonly string[]): Buffer {
  const output = join(mkdtempSync(join(host.folder, "compiled-")), "program.exe");
  const source = fileURLToPath(new URL(`programs/${name}.c`, import.meta.url));
  const strict = ["-municode", "-Wall", "-Wextra", "-Werror", "-O1", "-s"];
  execFileSync(compiler, [...strict, source, "-o", output, ...flags, "-lntdll"]);
  return readFileSync(output);
}

/** The same as a DLL, with the import library that its users link with beside it (`name.dll.a`). */
export function compileDll(host: WineHost, source: string, name: string, ...flags: readonly string[]): Buffer {
  const output = join(host.folder, name);
  const path = fileURLToPath(new URL(`programs/${source}.c`, import.meta.url));
  const library = `-Wl,--out-implib,${output}.a`;
  execFileSync(compiler, ["-shared", "-Wall", "-Werror", "-O1", "-s", path, "-o", output, ...flags, library]);
  return readFileSync(output);
}
