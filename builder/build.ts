/** The door for programs: a request → an image. Prints nothing; what happens is told through `world.report`. */
import { availableParallelism } from "node:os";
import type { Layer } from "../layerfs/store/descriptor.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { BuildRequest, BuildResult } from "./build-request.ts";
import { earlyPush } from "./early-push.ts";
import type { Node } from "./graph/graph.ts";
import { allNodes } from "./graph/merge.ts";
import { layerFetcher } from "./image/base-image.ts";
import { checkOutputs, deliver } from "./image/deliver.ts";
import { distinctPlatforms } from "./image/platform.ts";
import type { FinishedImage } from "./image/write-result.ts";
import { type BuildWorld, planRequest, withSource } from "./plan-request.ts";
import { runtimes } from "./runtime/choose.ts";
import { imageConfig } from "./solve/created.ts";
import { type Solved, Solver } from "./solve/solver.ts";
import type { World } from "./steps/step.ts";

/**
 * Builds what the request asks for. Throws WbuildError (DF_*, CTX_*, STEP_*, REG_* …), or the signal's reason when it
 * was aborted. What finished before a failure stays in the cache.
 */
export async function buildImage(request: BuildRequest, world: BuildWorld): Promise<BuildResult> {
  const { store } = world;
  using _lease = store.lease();
  const ended = new AbortController();
  const signal = AbortSignal.any([world.signal, ended.signal]);
  let client: Promise<RegistryClient> | undefined;
  const registry = () => (client ??= openClient(request, world, signal));
  const work = new Background((error) => ended.abort(error));
  const kept: AsyncDisposable[] = [];
  try {
    checkOutputs(request, distinctPlatforms(request.platforms ?? []).length);
    const planned = await planRequest(request, { ...world, signal }, registry);
    const { graphs, context, source } = planned;
    const nodes = allNodes(graphs);
    // Where layers are only put together nothing is done that anybody could watch.
    const steps = nodes.filter(({ op }) => op.kind !== "merge");
    world.report({ kind: "plan", steps: steps.map(({ id, title }) => ({ id, title })) });
    const targets = graphs.map(({ target }) => target.node);
    const pushed = pushTarget(request);
    const fetchLayer = layerFetcher(store, registry, signal);
    const solver = new Solver(
      {
        store,
        context,
        signal,
        fetchLayer,
        report: world.report,
        limits: request.limits,
        runtime: runtimes(store.home),
        warn: warnOnce(world),
        background: (promise) => work.add(promise),
        keep: (resource) => kept.push(resource),
        style: styleOf(request),
        ...(pushed === undefined ? {} : { tail: earlyPush(pushed, targets, registry, (w) => work.add(w)) }),
      },
      { jobs: request.jobs ?? Math.max(8, availableParallelism() * 2), ignoreCache: ignoreCache(request) },
    );
    try {
      const solved = new Map<string, Solved>();
      // In the graph's order, inputs first: a chain of thousands of stages would overflow the stack from its end.
      await Promise.all(nodes.map((node) => solver.solve(node)));
      await work.finished();
      for (const node of nodes) solved.set(node.id, await solver.solve(node));
      const images: FinishedImage[] = [];
      for (const { target } of graphs) {
        const { stack } = solved.get(target.node.id) as Solved;
        const layers = await Promise.all(stack.layers.map((layer) => layer.committed));
        const config = imageConfig(target, (node) => solved.get(node.id) as Solved, request.sourceDateEpoch);
        images.push({ image: { config, layers }, tree: () => stack.tree() });
      }
      const layers = images.flatMap(({ image }) => image.layers);
      const origins = await fetchBases(nodes, layers, fetchLayer);
      return await deliver({ images, asIndex: isMultiPlatform(request) }, request, {
        store,
        registry,
        signal,
        report: world.report,
        stdout: world.stdout,
        originOf: (digest) => origins.get(digest),
      });
    } catch (error) {
      ended.abort(error);
      await solver.settled();
      throw withSource(work.failure ?? error, source);
    }
  } finally {
    await work.settled();
    for (const resource of kept) await resource[Symbol.asyncDispose]();
    await (await client?.catch(() => undefined))?.close();
  }
}

/** Work nobody waits for at once. Its first failure ends the build; its end is always awaited. */
class Background {
  readonly #running = new Set<Promise<unknown>>();
  readonly #onFailure: (error: unknown) => void;
  failure: unknown;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  add(work: Promise<unknown>): void {
    const watched = work
      .catch((error: unknown) => {
        this.failure ??= error;
        this.#onFailure(error);
      })
      .finally(() => this.#running.delete(watched));
    this.#running.add(watched);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async finished(): Promise<void> {
    await this.settled();
    if (this.failure !== undefined) throw this.failure;
  }
}

/** A finished image needs its base's layers in the store; they come side by side. Gives where each came from. */
async function fetchBases(nodes: readonly Node[], layers: readonly Layer[], fetch: World["fetchLayer"]) {
  const wanted = new Set(layers.map((layer) => layer.blob.digest));
  const origins = new Map<string, string>();
  const fetches: Promise<void>[] = [];
  for (const { op } of nodes) {
    if (op.kind !== "source" || op.reference === undefined) continue;
    for (const layer of op.layers) {
      if (!wanted.has(layer.blob.digest)) continue;
      origins.set(layer.blob.digest, op.reference);
      fetches.push(fetch(op.reference, layer));
    }
  }
  await Promise.all(fetches);
  return origins;
}

/** BuildKit's own argument: an index even around a single image. */
function isMultiPlatform({ buildArgs }: BuildRequest): boolean {
  return /^(1|t|true)$/i.test(buildArgs.BUILDKIT_MULTI_PLATFORM ?? "");
}

function styleOf(request: BuildRequest): World["style"] {
  // An archive for `docker load` needs gzip anyway: written so at once, nothing is compressed twice.
  const onlyDocker = request.outputs.length > 0 && request.outputs.every((output) => output.type === "docker");
  return {
    compression: request.compression ?? (onlyDocker ? "gzip" : undefined),
    ...(request.compressionLevel === undefined ? {} : { level: request.compressionLevel }),
    ...(request.sourceDateEpoch === undefined ? {} : { epochSeconds: request.sourceDateEpoch }),
  };
}

function ignoreCache(request: BuildRequest): (node: Node) => boolean {
  const { noCache } = request;
  if (typeof noCache === "boolean") return () => noCache;
  const stages = new Set(noCache.map((name) => name.toLowerCase()));
  return (node) => node.stage?.some((name) => stages.has(name)) ?? false;
}

/** The name that layers may be sent to while they are made: the first one, when they are pushed as they are written. */
function pushTarget(request: BuildRequest): string | undefined {
  if (request.push) return request.tags[0];
  const output = request.outputs.find((one) => one.type === "registry" || (one.type === "image" && one.push));
  if (!output || !("names" in output) || output.compression !== undefined) return undefined;
  return output.names[0] ?? request.tags[0];
}

async function openClient(request: BuildRequest, world: BuildWorld, signal: AbortSignal): Promise<RegistryClient> {
  const { openRegistry } = await import("../registry/client.ts");
  const plainHttp: string[] = [];
  const client = openRegistry({ userAgent: "wbuild", warn: warnOnce(world), signal, plainHttp });
  if (!request.plainHttp) return client;
  // --plain-http of a build means every registry that it names; which those are is known when they are asked for.
  const repository: RegistryClient["repository"] = (reference) => {
    plainHttp.push(reference.registry);
    return client.repository(reference);
  };
  return { ...client, repository };
}

function warnOnce(world: BuildWorld): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (told.has(text)) return;
    told.add(text);
    world.report({ kind: "warning", text, at: Date.now() });
  };
}
