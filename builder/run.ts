/** The door for programs to run an image: its configuration and what was asked for → one process in a container. */
import { posix } from "node:path";
import type { Store } from "../layerfs/store/store.ts";
import type { Exit, Mount, SandboxLimits } from "../native/core/spec.ts";
import { WbuildError } from "../native/error.ts";
import type { ContainerConfig, Image } from "../registry/oci/image.ts";
import { formatPlatform, hostPlatform, platformMatches } from "./image/platform.ts";
import { openImage } from "./open-image.ts";
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
  /** Else the linux one. */
  readonly runtime?: RuntimeCore;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs the image's process with our own input and output, and throws away what it changed.
 * Throws IMG_NO_COMMAND, IMG_PLATFORM, STEP_USER, BOX_*.
 */
export async function runImage(image: Image, request: RunRequest, world: RunWorld): Promise<Exit> {
  const { store } = world;
  if (!platformMatches(image.config, hostPlatform()))
    throw new WbuildError(
      "IMG_PLATFORM",
      `the image is made for ${formatPlatform(image.config)}, which cannot run here`,
      {
        facts: { found: formatPlatform(image.config), wanted: formatPlatform(hostPlatform()) },
      },
    );
  const config = image.config.config ?? {};
  const argv = argvOf(config, request);
  const cwd = request.workdir ?? posix.resolve("/", config.WorkingDir ?? "");
  if (!cwd.startsWith("/"))
    throw new WbuildError("CLI_VALUE", `the working directory ${JSON.stringify(cwd)} is not absolute`);
  const folders = await openImage(store, image).folders();
  await using place = await store.snapshots.reserve();
  const runtime = world.runtime ?? (await linuxRuntime());
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
      { folders },
      place.folder,
      place.scratch,
      {
        argv,
        env: environmentOf(config, request),
        cwd,
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
  const env = new Map<string, string>([["PATH", defaultPath]]);
  if (request.tty) env.set("TERM", "xterm");
  for (const pair of config.Env ?? []) {
    const at = pair.indexOf("=");
    if (at > 0) env.set(pair.slice(0, at), pair.slice(at + 1));
  }
  for (const [name, value] of Object.entries(request.env)) env.set(name, value);
  return Object.fromEntries(env);
}

async function linuxRuntime(): Promise<RuntimeCore> {
  const { createLinuxRuntime } = await import("./runtime/linux.ts");
  return createLinuxRuntime();
}
