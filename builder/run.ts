/** The door for programs to run an image: its configuration and what was asked for → one process in a container. */
import { posix } from "node:path";
import type { Store } from "../layerfs/store/store.ts";
import type { Exit, Mount, SandboxLimits } from "../native/core/spec.ts";
import { WbuildError } from "../native/error.ts";
import type { ContainerConfig, Image } from "../registry/oci/image.ts";
import { formatPlatform, hostPlatform, normalizePlatform, platformMatches } from "./image/platform.ts";
import { openImage } from "./open-image.ts";
import { runtimes } from "./runtime/choose.ts";
import type { Execution, NetworkMode, RuntimeCore } from "./runtime/runtime.ts";

export interface RunRequest {
  /** Takes the place of CMD; empty: CMD. */
  readonly command: readonly string[];
  /** Takes the place of ENTRYPOINT, and then CMD does not count; "" for none. */
  readonly entrypoint?: string;
  /** Laid over the image's variables. */
  readonly env: Readonly<Record<string, string>>;
  readonly workdir?: string;
  readonly user?: string;
  readonly mounts: readonly Mount[];
  readonly network: NetworkMode;
  readonly addHosts: readonly (readonly [name: string, address: string])[];
  readonly limits: SandboxLimits;
  readonly hostname?: string;
  readonly readonlyRoot: boolean;
  readonly interactive: boolean;
  readonly tty: boolean;
}

export interface RunWorld {
  readonly store: Store;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
  /** Hands signals on to the process as long as it runs; gives a function that ends that. */
  readonly onSignals: (handler: (name: NodeJS.Signals) => void) => () => void;
  /** Else that of the image's system. */
  readonly runtime?: RuntimeCore;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs the image's process with our own input and output, and throws away what it changed.
 * Throws IMG_NO_COMMAND, IMG_PLATFORM, STEP_USER, BOX_* (BOX_EMULATOR for a foreign architecture that cannot run here).
 */
export async function runImage(image: Image, request: RunRequest, world: RunWorld): Promise<Exit> {
  const { store } = world;
  const isWindows = image.config.os === "windows";
  const host = hostPlatform();
  const { architecture } = normalizePlatform(image.config);
  // Of another architecture a Linux program runs through an interpreter, where there is one.
  const isForeign = image.config.os === "linux" && architecture !== host.architecture;
  if (!isForeign && !platformMatches(image.config, isWindows ? { ...host, os: "windows" } : host))
    throw new WbuildError(
      "IMG_PLATFORM",
      `the image is made for ${formatPlatform(image.config)}, which cannot run here`,
      {
        facts: { found: formatPlatform(image.config), wanted: formatPlatform(host) },
      },
    );
  const config = image.config.config ?? {};
  const argv = argvOf(config, request);
  const osVersion = image.config["os.version"];
  const process = isWindows
    ? await windowsProcess(argv, config, request)
    : { argv, cwd: cwdOf(config, request), env: environmentOf(config, request) };
  if (isForeign) await (await import("./runtime/foreign.ts")).interpreterFor(architecture);
  const folders = await openImage(store, image).folders();
  await using place = await store.snapshots.reserve();
  const runtime = world.runtime ?? (await runtimes(store.home)(image.config.os));
  world.signal.throwIfAborted();
  // The process may print before we know that it has begun: what reaches us meanwhile is for it, and waits.
  let running: Execution | undefined;
  const early: NodeJS.Signals[] = [];
  const stop = world.onSignals((name) => {
    if (running) running.signal(name);
    else early.push(name);
  });
  try {
    await using execution = await runtime.start(
      { folders, architecture, ...(osVersion === undefined ? {} : { osVersion }) },
      place.folder,
      place.scratch,
      {
        ...process,
        user: request.user ?? config.User ?? "",
        tty: request.tty,
        stdin: request.interactive ? "inherit" : "null",
        output: "inherit",
      },
      {
        network: request.network,
        hostname: request.hostname ?? image.manifest.config.digest.slice(7, 19),
        extraHosts: request.addHosts,
        limits: request.limits,
        security: "default",
        mounts: request.mounts,
        ...(request.readonlyRoot ? { readonlyRoot: true } : {}),
      },
      world.warn,
    );
    running = execution;
    for (const name of early) execution.signal(name);
    return await execution.exited;
  } finally {
    stop();
  }
}

/** Docker's rule: an entrypoint of one's own drops the image's CMD; a command takes the place of CMD only. */
export function argvOf(
  config: ContainerConfig,
  request: Pick<RunRequest, "command" | "entrypoint">,
): readonly string[] {
  const entrypoint =
    request.entrypoint === undefined
      ? (config.Entrypoint ?? [])
      : request.entrypoint === ""
        ? []
        : [request.entrypoint];
  const command = request.command.length > 0 || request.entrypoint !== undefined ? request.command : (config.Cmd ?? []);
  const argv = [...entrypoint, ...command];
  if (argv.length > 0) return argv;
  throw new WbuildError("IMG_NO_COMMAND", "the image names no command to run", {
    hint: "give one behind the image's name: wbuild run IMAGE COMMAND",
  });
}

function environmentOf(config: ContainerConfig, request: RunRequest): Record<string, string> {
  const term = request.tty ? { TERM: "xterm" } : {};
  return { PATH: defaultPath, ...term, ...variablesOf(config), ...request.env };
}

function variablesOf(config: ContainerConfig): Record<string, string> {
  const pairs = (config.Env ?? []).filter((pair) => pair.indexOf("=") > 0);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

function cwdOf(config: ContainerConfig, request: RunRequest): string {
  const cwd = request.workdir ?? posix.resolve("/", config.WorkingDir ?? "");
  if (cwd.startsWith("/")) return cwd;
  throw new WbuildError("CLI_VALUE", `the working directory ${JSON.stringify(cwd)} is not absolute`);
}

/** ArgsEscaped says that the image's command line is one already; a command of the user's own never is. */
async function windowsProcess(argv: readonly string[], config: ContainerConfig, request: RunRequest) {
  const { commandLineOf } = await import("./runtime/wine/command-line.ts");
  const { parseWorkdir, showWindowsPath } = await import("../layerfs/windows/path.ts");
  const isImages = request.command.length === 0 && request.entrypoint === undefined;
  const workdir = request.workdir ?? config.WorkingDir ?? "";
  return {
    argv,
    commandLine: commandLineOf(argv, { escaped: isImages && config.ArgsEscaped === true }),
    cwd: showWindowsPath(workdir === "" ? "" : parseWorkdir(workdir, "")),
    env: { ...variablesOf(config), ...request.env },
  };
}
