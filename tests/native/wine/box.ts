/** A C: of the host's Wine for the tests of native/wine, and one call that runs a Windows command in a container as steps do. */
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
import { basename, dirname, join } from "node:path";
import { startSandbox } from "../../../native/core/sandbox.ts";
import type { Exit, Mount } from "../../../native/core/spec.ts";
import { collect, noContainers } from "../core/box.ts";

const top = new URL("../../..", import.meta.url).pathname;
export const programs = join(top, "dist/wine");
const wine = {
  loader: "/usr/lib/wine/wine64",
  server: "/usr/lib/wine/wineserver64",
  libraries: "/usr/lib/x86_64-linux-gnu",
};
export const builtins = join(wine.libraries, "wine/x86_64-windows");
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
  remove(): void;
}

export function makeWineHost(from?: string): WineHost {
  const folder = from ?? mkdtempSync(join(tmpdir(), "wbuild-wine-"));
  const [root, registry, prefix] = [join(folder, "root"), join(folder, "registry"), join(folder, "prefix")];
  const host = { folder, root, registry, remove: () => rmSync(folder, { recursive: true, force: true }) };
  if (from !== undefined && existsSync(registry)) return host;
  mkdirSync(prefix);
  const environment = {
    HOME: folder,
    PATH: process.env.PATH,
    WINEPREFIX: prefix,
    WINEDEBUG: "-all",
    WINEDLLOVERRIDES: "mscoree=;mshtml=;winemenubuilder.exe=",
  };
  execFileSync(wine.loader, ["wineboot", "-u"], { env: environment, stdio: "ignore" });
  execFileSync(wine.server, ["-k"], { env: environment, stdio: "ignore" });
  execFileSync(wine.server, ["-w"], { env: environment, stdio: "ignore" });
  mkdirSync(registry);
  for (const name of ["system.reg", "user.reg", "userdef.reg"]) cpSync(join(prefix, name), join(registry, name));
  link(join(prefix, "drive_c/windows"), join(root, "Files/windows"));
  mkdirSync(join(root, "Files/users/ContainerAdministrator"), { recursive: true });
  rmSync(prefix, { recursive: true, force: true });
  for (const path of [
    "wine",
    "wbuild",
    "tmp",
    "proc",
    "sys",
    "dev",
    "usr/lib/wine",
    "usr/lib64",
    wine.libraries,
    "usr/share/wine",
  ])
    mkdirSync(join(root, path), { recursive: true });
  for (const name of ["lib", "lib64"]) symlinkSync(`usr/${name}`, join(root, name));
  mkdirSync(join(root, "etc/fonts"), { recursive: true });
  // Without one, fontconfig complains on the step's standard error.
  writeFileSync(join(root, "etc/fonts/fonts.conf"), "<fontconfig/>\n");
  writeFileSync(join(root, "etc/passwd"), "ContainerAdministrator:x:0:0::/Files/users/ContainerAdministrator:/\n");
  return host;
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

export interface Options {
  readonly cwd?: string;
  /** NAME=value. */
  readonly env?: readonly string[];
  /** Host files into C:, before the step. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Host files over Wine's, by name. */
  readonly instead?: Readonly<Record<string, string>>;
  /** More of the Linux side's environment. */
  readonly linux?: Readonly<Record<string, string>>;
  readonly tty?: boolean;
  readonly session?: string;
  /** Called when the step has been started. */
  readonly during?: (signal: (name: NodeJS.Signals) => void) => void;
}

export interface Ended {
  readonly exit: Exit;
  readonly stdout: string;
  readonly stderr: string;
  /** /wine/result, parsed; undefined when there is none. */
  readonly result: unknown;
  readonly journal: string;
  /** What the step changed: the upper folder. */
  readonly upper: string;
  readonly wine: string;
  readonly milliseconds: number;
}

function utf16(text: string): Buffer {
  return Buffer.from(text, "utf16le");
}

/** Runs one Windows command line in a container of its own. */
export async function runWindows(host: WineHost, command: string, options: Options = {}): Promise<Ended> {
  const place = mkdtempSync(join(host.folder, "step-"));
  const [upper, work, channel] = [join(place, "upper"), join(place, "work"), join(place, "wine")];
  for (const folder of [upper, work, join(channel, "dosdevices")]) mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(host.registry)) cpSync(join(host.registry, name), join(channel, name));
  writeFileSync(join(channel, ".update-timestamp"), "disable\n");
  symlinkSync("/Files", join(channel, "dosdevices/c:"));
  writeFileSync(join(channel, "command"), utf16(command));
  writeFileSync(join(channel, "cwd"), utf16(options.cwd ?? "C:\\"));
  writeFileSync(join(channel, "env"), utf16((options.env ?? []).map((line) => `${line}\0`).join("")));
  for (const [path, content] of Object.entries(options.files ?? {})) {
    mkdirSync(dirname(join(upper, "Files", path)), { recursive: true });
    writeFileSync(join(upper, "Files", path), content);
  }
  const bind = (source: string, target: string, readonly = true): Mount => ({ kind: "bind", source, target, readonly });
  const began = performance.now();
  await using running = await startSandbox(
    {
      root: { lower: [host.root], upper, work },
      mounts: [
        bind(wine.libraries, wine.libraries),
        bind("/usr/lib64", "/usr/lib64"),
        bind("/dev/null", join(wine.libraries, "libfontconfig.so.1")),
        bind("/usr/lib/wine", "/usr/lib/wine"),
        bind("/usr/share/wine", "/usr/share/wine"),
        ...Object.entries(options.instead ?? {}).map(([name, file]) => bind(file, join(builtins, name))),
        bind(programs, "/wbuild"),
        bind(channel, "/wine", false),
        { kind: "tmpfs", target: "/tmp", readonly: false },
      ],
      process: {
        argv: [options.session ?? "/wbuild/session", wine.server, wine.loader, "/wbuild/run.exe"],
        env: {
          WINEPREFIX: "/wine",
          WINEDEBUG: process.env.BOX_WINEDEBUG ?? "-all",
          WINEDLLOVERRIDES: "mscoree=;mshtml=;winemenubuilder.exe=",
          ...options.linux,
        },
        cwd: "/",
        uid: 0,
        gid: 0,
        groups: [],
        tty: options.tty === true,
        stdin: "null",
        output: "pipe",
      },
      hostname: "boxy",
      network: "none",
      extraHosts: [],
      limits: { shmBytes: 64 << 20, ulimits: {} },
      security: "default",
    },
    () => {},
  );
  options.during?.((name) => running.signal(name));
  const output = await collect(running);
  const exit = await running.exited;
  const read = (name: string) => (existsSync(join(channel, name)) ? readFileSync(join(channel, name), "utf8") : "");
  const result = read("result");
  return {
    exit,
    ...output,
    result: result === "" ? undefined : JSON.parse(result),
    journal: read("journal"),
    upper: join(upper, "Files"),
    wine: channel,
    milliseconds: performance.now() - began,
  };
}

/** Compiles a test program; gives its bytes. */
export function compileProgram(host: WineHost, name: string, ...flags: string[]): Buffer {
  const output = join(host.folder, `${basename(name, ".c")}.exe`);
  const source = new URL(`programs/${name}`, import.meta.url).pathname;
  execFileSync(compiler, ["-municode", "-Wall", "-Wextra", "-Werror", "-O1", "-s", source, "-o", output, ...flags]);
  return readFileSync(output);
}
