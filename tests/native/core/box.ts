/** What the tests of the runtime core share: a root folder made from busybox, and one call that runs a script in it. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launcherPath } from "../../../native/core/launch.ts";
import { startSandbox } from "../../../native/core/sandbox.ts";
import type { Exit, Running, SandboxProcess, SandboxSpec } from "../../../native/core/spec.ts";

/** Why containers cannot be made here, or undefined. Tests put it into their skip. */
export const noContainers =
  process.geteuid?.() !== 0
    ? "needs root"
    : !existsSync("/bin/busybox")
      ? "needs busybox-static"
      : !existsSync(launcherPath())
        ? `needs ${launcherPath()}`
        : undefined;

interface Place {
  readonly folder: string;
  /** The busybox root: /bin and nothing else. */
  readonly root: string;
  /** A new pair of upper and work folder. */
  layer(): { upper: string; work: string };
  remove(): void;
}

export function makePlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "wbuild-box-"));
  const root = join(folder, "root");
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).split("\n");
  for (const name of applets) if (name !== "" && name !== "busybox") symlinkSync("busybox", join(root, "bin", name));
  let count = 0;
  return {
    folder,
    root,
    layer() {
      const [upper, work] = [join(folder, `upper${count}`), join(folder, `work${count}`)];
      count++;
      mkdirSync(upper);
      mkdirSync(work);
      return { upper, work };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface Options extends Partial<Omit<SandboxSpec, "process" | "root">> {
  readonly root?: Partial<SandboxSpec["root"]>;
  readonly process?: Partial<SandboxProcess>;
}

export function specFor(place: Place, argv: readonly string[], options: Options = {}): SandboxSpec {
  const { root, process: run, ...rest } = options;
  return {
    mounts: [],
    hostname: "boxy",
    network: "none",
    extraHosts: [],
    limits: { shmBytes: 64 << 20, ulimits: {} },
    security: "default",
    ...rest,
    root: { lower: [place.root], ...place.layer(), ...root },
    process: {
      argv,
      env: { PATH: "/bin" },
      cwd: "/",
      uid: 0,
      gid: 0,
      groups: [],
      tty: false,
      stdin: "null",
      output: "pipe",
      ...run,
    },
  };
}

export interface Result {
  readonly exit: Exit;
  readonly stdout: string;
  readonly stderr: string;
  readonly warnings: readonly string[];
  readonly spec: SandboxSpec;
}

export async function collect(running: Running): Promise<{ stdout: string; stderr: string }> {
  const parts = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  for await (const { stream, bytes } of running.output) parts[stream].push(bytes);
  return { stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString() };
}

export async function runArgv(place: Place, argv: readonly string[], options: Options = {}): Promise<Result> {
  const spec = specFor(place, argv, options);
  const warnings: string[] = [];
  await using running = await startSandbox(spec, (text) => warnings.push(text));
  const output = await collect(running);
  return { exit: await running.exited, ...output, warnings, spec };
}

/** Runs a shell script in the busybox root. */
export function runScript(place: Place, script: string, options: Options = {}): Promise<Result> {
  return runArgv(place, ["sh", "-c", script], options);
}

/** Writes files below a folder: path → text. */
export function putFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
