/** A shell where a step failed: on the files as it left them, with its variables, user, folder and mounts. */
import { rmSync } from "node:fs";
import { join, posix } from "node:path";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError } from "../../native/error.ts";
import type { Execution, RuntimeCore, StepHost, StepProcess } from "../runtime/runtime.ts";
import type { FailedStep } from "../steps/step.ts";

export interface ShellWorld {
  readonly store: Store;
  readonly runtime: (os: string) => Promise<RuntimeCore>;
  readonly warn: (text: string) => void;
  /** Both ends are a terminal: the shell gets one of its own. Else it reads what standard input says. */
  readonly tty: boolean;
  /** In place of a shell. */
  readonly command?: readonly string[];
  readonly onSignals: (handler: (name: NodeJS.Signals) => void) => () => void;
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** For a step that runs nothing: the surroundings of a RUN that asks for none. */
const plainHost: StepHost = {
  network: "default",
  hostname: "buildkitsandbox",
  extraHosts: [],
  limits: { shmBytes: 64 * 1024 * 1024, ulimits: {} },
  security: "default",
  mounts: [],
};

/** Resolves when the shell has ended. That it cannot be had is a warning: the step's own failure is what counts. */
export async function openShell(failed: FailedStep, world: ShellWorld): Promise<void> {
  const { stack, run } = failed;
  await using place = await world.store.snapshots.reserve();
  let execution: Execution | undefined;
  const early: NodeJS.Signals[] = [];
  const stop = world.onSignals((name) => (execution ? execution.signal(name) : void early.push(name)));
  try {
    const runtime = await world.runtime(stack.os);
    forgetWork(run?.host);
    await using running = await runtime.start(
      { folders: await stack.folders(), tree: () => stack.tree(), ...run?.on },
      place.folder,
      place.scratch,
      shellProcess(failed, world),
      run?.host ?? plainHost,
      // What this host lacks was told when the step itself began.
      () => undefined,
    );
    execution = running;
    for (const name of early) running.signal(name);
    await running.exited;
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    world.warn(`no shell where the step failed: ${error.message}`);
  } finally {
    stop();
  }
}

/**
 * overlayfs marks the work folder of what is mounted without syncs, and refuses it from then on. The step has ended: what it
 * wrote is there.
 */
function forgetWork(host: StepHost | undefined): void {
  for (const { work } of host?.mounts ?? [])
    if (work !== undefined) rmSync(join(work, "work"), { recursive: true, force: true });
}

function shellProcess(failed: FailedStep, { tty, command }: ShellWorld): StepProcess {
  const { run, stack } = failed;
  const isWindows = stack.os === "windows";
  const env = isWindows ? (run?.process.env ?? {}) : { PATH: defaultPath, ...run?.process.env };
  return {
    argv: command ?? shellOf(failed),
    env: tty && !isWindows ? { TERM: "xterm", ...env } : env,
    cwd: run?.process.cwd ?? (isWindows ? "C:\\" : "/"),
    user: run?.process.user ?? "",
    tty,
    stdin: "inherit",
    output: "inherit",
  };
}

const shells = /^(?:ba|da|z|k|a|mk|fi)?sh$/;

/** The shell that the RUN itself used, else the one that every system has. */
function shellOf({ run, stack }: FailedStep): readonly string[] {
  if (stack.os === "windows") return ["cmd"];
  const [program = ""] = run?.process.argv ?? [];
  return [shells.test(posix.basename(program)) ? program : "/bin/sh"];
}
