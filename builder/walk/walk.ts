/** The walk over the graph of one build, and what follows it: layers that lie elsewhere come here, or are asked for. */
import type { Layer } from "../../layerfs/store/descriptor.ts";
import { isWbuildError } from "../../native/error.ts";
import { sideBySide } from "../../registry/side-by-side.ts";
import type { BuildRequest } from "../build-request.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import type { Node } from "../graph/graph.ts";
import type { ResultRecord } from "../solve/cache.ts";
import { type Solved, type SolveOptions, Solver } from "../solve/solver.ts";
import type { RemoteBlob, StackLayer } from "../steps/stack.ts";
import type { FailedStep, World } from "../steps/step.ts";
import { Background } from "./background.ts";

/** What the caller knows of a step's world; the rest belongs to one walk. */
export interface WalkWorld
  extends Omit<World, "signal" | "background" | "keep" | "remoteLayer" | "tail" | "onFailure"> {
  readonly signal: AbortSignal;
  readonly remoteLayer: (signal: AbortSignal, background: World["background"]) => World["remoteLayer"];
  readonly tail: ((background: World["background"]) => NonNullable<World["tail"]>) | undefined;
  readonly cache: BuildCache | undefined;
  readonly whenFailed?: WhenFailed;
}

/** Called when a step has failed and all others have ended; gives the error that the build is to fail with. */
export type WhenFailed = (failed: FailedStep) => Promise<unknown>;

export interface Walk extends AsyncDisposable {
  readonly solved: ReadonlyMap<string, Solved>;
}

const maxTurns = 1000;
/** Layers that are fetched or asked for at a time. */
const concurrency = 4;

/**
 * Solves `targets`, whose layers become images, and of the other nodes those that are needed for it. A layer that the cache promised and that is lost or
 * damaged is found out here: then the walk begins anew without it, and what was carried out so far is in the store.
 */
export async function walk(
  nodes: readonly Node[],
  targets: readonly Node[],
  request: BuildRequest,
  world: WalkWorld,
  options: SolveOptions,
): Promise<Walk> {
  let turns = 0;
  for (;;) {
    const lost = world.cache?.lost ?? 0;
    try {
      return await walkOnce(nodes, targets, request, world, options);
    } catch (error) {
      const mayGoOn = isWbuildError(error, "CACHE_LOST") || (world.cache?.lost ?? 0) > lost;
      // Each turn knows of one more, so there is an end to it; should that ever not be so, this is.
      if (world.signal.aborted || !mayGoOn || ++turns === maxTurns) throw error;
    }
  }
}

async function walkOnce(
  nodes: readonly Node[],
  targets: readonly Node[],
  request: BuildRequest,
  world: WalkWorld,
  options: SolveOptions,
): Promise<Walk> {
  const ended = new AbortController();
  const signal = AbortSignal.any([world.signal, ended.signal]);
  const work = new Background((error) => ended.abort(error));
  const kept: AsyncDisposable[] = [];
  const background = (promise: Promise<unknown>) => work.add(promise);
  const close = async () => {
    await work.settled();
    for (const resource of kept) await resource[Symbol.asyncDispose]();
  };
  const { tail, cache, whenFailed, ...rest } = world;
  const lost = cache?.lost ?? 0;
  let failed: FailedStep | undefined;
  const solver = new Solver(
    {
      ...rest,
      signal,
      background,
      keep: (resource) => kept.push(resource),
      remoteLayer: world.remoteLayer(signal, background),
      ...(tail === undefined ? {} : { tail: tail(background) }),
      ...(whenFailed === undefined ? {} : { onFailure: (first) => (failed ??= first) }),
    },
    options,
  );
  try {
    const wanted = needsEveryNode(request) ? nodes : targets;
    await Promise.all(wanted.map((node) => solver.solve(node)));
    await work.finished();
    const solved = new Map<string, Solved>();
    for (const node of nodes) {
      const known = await solver.solved(node);
      if (known) solved.set(node.id, known);
      else tellUnneeded(node, world.report);
    }
    const layers = new Set(targets.flatMap((node) => solved.get(node.id)?.stack.layers ?? []));
    await atHand([...layers], request, signal);
    return { solved, [Symbol.asyncDispose]: close };
  } catch (error) {
    // What fails from here on does so because it is told to end.
    const { failure } = work;
    ended.abort(error);
    await solver.settled();
    try {
      // What begins anew, was interrupted, or failed beside the steps, leaves nothing to look into.
      if (!failed || failure || world.signal.aborted || (cache?.lost ?? 0) !== lost) throw failure ?? error;
      throw (await whenFailed?.({ ...failed, error })) ?? error;
    } finally {
      await close();
    }
  }
}

/** Whether somebody asks for more than images: the results of all steps, the files of stages. */
function needsEveryNode({ cacheTo = [], attest }: BuildRequest): boolean {
  return attest?.sbom === true || cacheTo.some((target) => target.mode === "max");
}

/** Nobody had to look for it: what was read of it is in what is cached. */
function tellUnneeded(node: Node, report: World["report"]): void {
  if (node.op.kind === "merge") return;
  const at = Date.now();
  report({ kind: "start", step: { id: node.id, title: node.title }, at });
  report({ kind: "done", id: node.id, cached: true, at });
}

/**
 * Which layers must be here: an archive, a folder, a look into the files need the bytes of all of them. An image that is kept
 * lazily needs those that can be had nowhere when the build is over. A push needs none: it asks its target for each, and whoever
 * has the others only for what the target lacks.
 */
function needsOf({ outputs, compression, attest, lazy, push }: BuildRequest): "all" | "fleeting" | "proof" | "none" {
  const isKept = (output: BuildRequest["outputs"][number]) => output.type === "image" && output.store !== false;
  const doesWithout = (output: BuildRequest["outputs"][number]) => {
    if (output.type === "cacheonly") return true;
    const isImage = output.type === "registry" || (output.type === "image" && (lazy === true || !isKept(output)));
    return isImage && output.compression === undefined && output.rewriteTimestamp !== true;
  };
  if (compression !== undefined || attest?.sbom === true || !outputs.every(doesWithout)) return "all";
  if (outputs.length === 0 && !lazy) return "all";
  if (push || outputs.some((one) => one.type === "registry" || (one.type === "image" && one.push))) return "none";
  return outputs.length === 0 || outputs.some(isKept) ? "fleeting" : "proof";
}

async function atHand(layers: readonly StackLayer[], request: BuildRequest, signal: AbortSignal): Promise<void> {
  const needs = needsOf(request);
  const elsewhere = needs === "none" ? [] : layers.flatMap(({ remote }) => remote ?? []);
  await sideBySide(elsewhere, concurrency, signal, async (remote) => {
    if (needs === "all") return remote.fetch();
    if (needs === "proof") return remote.check?.();
    if ((await remote.lasting?.()) === undefined) await remote.fetch();
  });
}

/** What the walk found and made, for other machines: the results that the targets are made of, and those of every node. */
export async function recordsOf(nodes: readonly Node[], targets: readonly Node[], { solved }: Walk) {
  const inImage = new Set<string>();
  const todo = [...targets];
  for (let node = todo.pop(); node; node = todo.pop()) {
    if (inImage.has(node.id)) continue;
    inImage.add(node.id);
    // Below a node are its own files; a merge stands on all its inputs.
    todo.push(...(node.op.kind === "merge" ? node.inputs : node.inputs.slice(0, 1)));
  }
  const all: { id: string; record: ResultRecord }[] = [];
  for (const { id } of nodes) {
    const record = await solved.get(id)?.record?.();
    if (record) all.push({ id, record });
  }
  return {
    all: all.map(({ record }) => record),
    inImage: all.filter(({ id }) => inImage.has(id)).map(({ record }) => record),
  };
}

/** Where the layers of these nodes lie, by blob; layers of the store are not among them. */
export async function remotesOf(nodes: readonly Node[], { solved }: Walk): Promise<Map<string, RemoteBlob>> {
  const remotes = new Map<string, RemoteBlob>();
  for (const node of nodes) {
    for (const layer of solved.get(node.id)?.stack.layers ?? [])
      if (layer.remote) remotes.set((await layer.committed).blob.digest, layer.remote);
  }
  return remotes;
}

/** The bases' layers among those of an image: blob → where it was found. */
export function originsOf(nodes: readonly Node[], layers: readonly Layer[]): Map<string, string> {
  const wanted = new Set<string>(layers.map((layer) => layer.blob.digest));
  const origins = new Map<string, string>();
  for (const { op } of nodes) {
    if (op.kind !== "source" || op.reference === undefined) continue;
    for (const { blob } of op.layers) if (wanted.has(blob.digest)) origins.set(blob.digest, op.reference);
  }
  return origins;
}
