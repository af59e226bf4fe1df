/** RUN: one process in a container on the stack so far; what it changed becomes a layer. */

import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Exit, OutputChunk } from "../../native/core/spec.ts";
import { WbuildError } from "../../native/error.ts";
import { platformBelow } from "../graph/bottom.ts";
import type { RunOp } from "../graph/graph.ts";
import type { Report } from "../progress/events.ts";
import type { StepHost, StepProcess } from "../runtime/runtime.ts";
import { commitLayer } from "./commit.ts";
import { Held, stackLeft } from "./failed.ts";
import { mountedContent, openMounts, type RunMounts } from "./run-mounts.ts";
import { type LayerStack, storedLayer } from "./stack.ts";
import type { Performed, Step, World } from "./step.ts";

/** Lines of output that an error repeats. */
const lastLines = 20;

export const runStep: Step<RunOp> = {
  contentKey: (op, inputs, world) => mountedContent(op, inputs, world),

  async perform(node, inputs, world) {
    const below = inputs[0] as LayerStack;
    const folders = await below.folders();
    const place = await world.store.snapshots.reserve();
    let layer: Promise<Layer> | undefined;
    let keepsFolder = false;
    // The folder is kept as a snapshot only when the build ends: until then others hold its present path.
    world.keep({
      async [Symbol.asyncDispose]() {
        await using mine = place;
        const done = await layer?.catch(() => undefined);
        if (!done || !keepsFolder) return;
        const parent = await below.chainId(world.store);
        mine.commit(world.store.snapshots.chainId(parent, done.diffId), done.diffId, parent);
      },
    });
    const { op } = node;
    const mounted = await openMounts(op, inputs, world, place.scratch);
    await using mounts = new Held(mounted);
    const runtime = await world.runtime(op.os ?? "linux");
    const platform = platformBelow(node);
    const on = {
      ...(platform === undefined ? {} : { architecture: platform.architecture }),
      ...(op.osVersion === undefined ? {} : { osVersion: op.osVersion }),
    };
    const process = processOf(op, mounted);
    const host = hostOf(op, mounted, world);
    const began = performance.now();
    const execution = await runtime.start(
      { folders, tree: () => below.tree(), ...on },
      place.folder,
      place.scratch,
      process,
      host,
      world.warn,
    );
    let left: LayerStack | undefined;
    // Scoped, so that the container is gone (unmounted) before its folder is read as a layer by the next step.
    const upper = await (async () => {
      await using running = execution;
      const stop = () => running.signal("SIGKILL");
      world.signal.addEventListener("abort", stop, { once: true });
      try {
        if (world.signal.aborted) stop();
        const output = await pump(running.output, node.id, world.report);
        const exit = await running.exited;
        world.signal.throwIfAborted();
        if (exit.code !== 0) {
          const ranMs = Math.round(performance.now() - began);
          if (world.onFailure) left = await stackLeft(node, running, below, world);
          throw await failure(op, exit, output, ranMs);
        }
        return await running.layer(world.style);
      } finally {
        world.signal.removeEventListener("abort", stop);
      }
    })().catch((error: unknown) => {
      if (world.onFailure && !world.signal.aborted) {
        world.keep(mounts.take());
        world.onFailure({ node, error, stack: left ?? below, run: { on, process, host } });
      }
      throw error;
    });
    const { unpacked } = upper;
    keepsFolder = unpacked !== undefined;
    const commit = commitLayer(node, upper.input, world, { fileDigests: false });
    layer = commit.layer;
    if (unpacked === undefined) return storedStep(below, commit.layer, world);
    return {
      layer: {
        committed: commit.layer,
        changes: async () => unpacked(),
        folder: async () => place.folder,
      },
      finished: Promise.resolve(),
    } satisfies Performed;
  },
};

function processOf(op: RunOp, { env }: RunMounts): StepProcess {
  return {
    argv: op.argv,
    ...(op.commandLine === undefined ? {} : { commandLine: op.commandLine }),
    env: { ...environment([...op.proxyEnv, ...op.env]), ...env },
    cwd: op.cwd,
    user: op.user,
    tty: false,
    stdin: "null",
    output: "pipe",
  };
}

function hostOf(op: RunOp, { mounts, groups }: RunMounts, { limits }: World): StepHost {
  return {
    network: op.network,
    hostname: op.hostname ?? "buildkitsandbox",
    extraHosts: op.extraHosts,
    limits,
    security: op.security,
    mounts,
    ...(groups.length > 0 ? { groups } : {}),
  };
}

/** The layer as it was written, unpacked from its blob where somebody needs its files. */
function storedStep(below: LayerStack, committed: Promise<Layer>, world: World): Performed {
  const stored = committed.then((layer) => storedLayer(world.store, below, layer));
  stored.catch(() => undefined);
  return {
    layer: {
      committed,
      changes: async () => (await stored).changes(),
      folder: async () => (await stored).folder(),
    },
    finished: Promise.resolve(),
  };
}

/** Later assignments win, as execve's callers expect of an ordered list. */
function environment(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Reports output as it comes, whole lines where possible, and keeps the last lines for an error. */
async function pump(output: AsyncIterable<OutputChunk>, id: string, report: Report): Promise<string[]> {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  let tail = "";
  for await (const { stream, bytes } of output) {
    const text = decoders[stream].decode(bytes, { stream: true });
    if (text === "") continue;
    report({ kind: "output", id, stream, text, at: Date.now() });
    tail = (tail + text).slice(-16_384);
  }
  return tail.trimEnd().split("\n").slice(-lastLines);
}

async function failure(op: RunOp, exit: Exit, output: readonly string[], ranMs: number): Promise<WbuildError> {
  const how = exit.signal ? `was ended by ${exit.signal}` : `did not complete: exit code ${exit.code}`;
  const memory = exit.outOfMemory ? " (it ran out of memory)" : "";
  const command = op.commandLine ?? op.argv.join(" ");
  const hint = exit.outOfMemory ? "give the step more with --memory" : await windowsHint(op, exit);
  return new WbuildError("STEP_EXIT", `process ${JSON.stringify(command)} ${how}${memory}`, {
    facts: { exitCode: exit.code, signal: exit.signal, outOfMemory: exit.outOfMemory ?? false, output, ranMs },
    ...(hint === undefined ? {} : { hint }),
  });
}

async function windowsHint(op: RunOp, exit: Exit): Promise<string | undefined> {
  if (op.os !== "windows") return undefined;
  const { exitHint } = await import("../runtime/wine/failure.ts");
  return exitHint(exit.code, op.commandLine ?? op.argv.join(" "));
}
