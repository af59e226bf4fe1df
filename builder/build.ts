/** The door for programs: a request → an image. Prints nothing; what happens is told through `world.report`. */
import { availableParallelism } from "node:os";
import { isWbuildError } from "../native/error.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { AttestedBuild } from "./attestations.ts";
import { clientOf, exceptionFor, exceptionOf, insecureRegistries } from "./build-client.ts";
import type { BuildRequest, BuildResult } from "./build-request.ts";
import type { BuildCache, BuildCacheWorld } from "./cache/build-cache.ts";
import type { CacheTarget } from "./cache/spec.ts";
import { checkOutputs } from "./deliver/check-outputs.ts";
import { deliver, isMultiPlatform } from "./deliver/deliver.ts";
import { earlyPush, pushTarget } from "./deliver/early-push.ts";
import type { Node } from "./graph/graph.ts";
import { allNodes } from "./graph/merge.ts";
import type { OutputSpec } from "./image/output/output-spec.ts";
import type { FinishedImage } from "./image/output/write-result.ts";
import { distinctPlatforms } from "./image/platform.ts";
import { baseLayers } from "./image/stored/base-layers.ts";
import { toldTogether } from "./image/told-step.ts";
import { type BuildWorld, type PlannedBuild, planRequest, withSource } from "./plan-request.ts";
import { runtimes } from "./runtime/choose.ts";
import { ResultCache } from "./solve/cache.ts";
import { imageConfig } from "./solve/created.ts";
import type { Solved } from "./solve/solver.ts";
import type { World } from "./steps/step.ts";
import { checkForeignRuns } from "./walk/check-foreign.ts";
import { originsOf, recordsOf, remotesOf, type Walk, walk } from "./walk/walk.ts";

/**
 * Builds what the request asks for. Throws WbuildError (DF_*, CTX_*, STEP_*, REG_* …), or the signal's reason when it
 * was aborted. What finished before a failure stays in the cache.
 */
export async function buildImage(request: BuildRequest, world: BuildWorld): Promise<BuildResult> {
  const startedMs = Date.now();
  using _lease = world.store.lease();
  const ended = new AbortController();
  const signal = AbortSignal.any([world.signal, ended.signal]);
  let client: Promise<RegistryClient> | undefined;
  const registry = () => (client ??= openClient(request, world, signal));
  const own = { ...world, request, startedMs, signal, registry, warn: warnOnce(world) };
  let cache: BuildCache | undefined;
  try {
    checkOutputs(request, distinctPlatforms(request.platforms ?? []).length);
    cache = await openCache(request, own);
    const planned = await planRequest(request, own, registry);
    try {
      return await carryOut({ ...own, planned, cache });
    } catch (error) {
      throw withSource(error, planned.source);
    }
  } catch (error) {
    ended.abort(error);
    throw error;
  } finally {
    await cache?.close();
    await (await client?.catch(() => undefined))?.close();
  }
}

/** One build, planned. `signal` is its own: it ends with the first failure. */
interface Build extends BuildWorld {
  readonly request: BuildRequest;
  readonly startedMs: number;
  readonly planned: PlannedBuild;
  readonly cache: BuildCache | undefined;
  registry(): Promise<RegistryClient>;
  warn(text: string): void;
}

async function carryOut(build: Build): Promise<BuildResult> {
  const { graphs } = build.planned;
  const nodes = allNodes(graphs);
  // Where layers are only put together nothing is done that anybody could watch.
  const steps = nodes.filter(({ op }) => op.kind !== "merge");
  build.report({ kind: "plan", steps: steps.map(({ id, title }) => ({ id, title })) });
  const targets = graphs.map(({ target }) => target.node);
  return withoutLost(build, () => makeAndDeliver(build, nodes, targets));
}

/**
 * Again without what a cache proved to have lost: a push finds out only when it needs the bytes, after the walk. Whatever the image
 * was written to by then is written again; outputs that need all bytes had them before.
 */
async function withoutLost<T>({ cache, signal }: Build, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const lost = cache?.lost ?? 0;
    try {
      return await work();
    } catch (error) {
      // Each turn knows of one more, so there is an end to it.
      if (signal.aborted || (cache?.lost ?? 0) <= lost || !isWbuildError(error, "CACHE_LOST")) throw error;
    }
  }
}

async function makeAndDeliver(build: Build, nodes: readonly Node[], targets: readonly Node[]): Promise<BuildResult> {
  await using walked = await walkAll(build, nodes, targets);
  const records = build.cache && (await recordsOf(nodes, targets, walked));
  const images = await finish(build, walked, records?.inImage ?? []);
  const origins = originsOf(
    nodes,
    images.flatMap(({ image }) => image.layers),
  );
  const remotes = await remotesOf(targets, walked);
  const result = await deliver({ images, asIndex: isMultiPlatform(build.request) }, build.request, {
    ...build,
    originOf: (digest) => origins.get(digest),
    remoteOf: (digest) => remotes.get(digest),
    exceptionFor: (name) => exceptionFor(name, build.request),
    isUnchanged: [...walked.solved.values()].every(({ cached }) => cached),
    ...(await sayings({ ...build, images, solved: walked.solved })),
  });
  if (records) await build.cache?.export(records);
  return result;
}

/** Finds or carries out every node. */
async function walkAll(build: Build, nodes: readonly Node[], targets: readonly Node[]): Promise<Walk> {
  const { request, planned, cache, store, signal, registry, warn, report } = build;
  const { limits, secrets, ssh } = request;
  const imported = cache?.imported;
  const ignored = ignoreCache(request);
  const results = new ResultCache(store, imported);
  await checkForeignRuns(nodes, async (node, op) => !ignored(node) && (await results.knows(op)));
  const pushed = pushTarget(request);
  const told = toldTogether(report);
  return walk(
    nodes,
    targets,
    request,
    {
      ...{ store, signal, cache, warn, report, limits },
      ...{ context: planned.context, remote: planned.remote },
      ...(build.whenFailed === undefined ? {} : { whenFailed: build.whenFailed }),
      ...(secrets === undefined ? {} : { secrets }),
      ...(ssh === undefined ? {} : { ssh }),
      runtime: runtimes(store.home),
      style: styleOf(request),
      remoteLayer: (ofWalk, background) =>
        baseLayers({ store, registry, exception: exceptionOf(request), told, background }, ofWalk),
      tail:
        pushed === undefined
          ? undefined
          : (background) => earlyPush(pushed, targets, registry, store.blobs, background),
    },
    {
      jobs: request.jobs ?? Math.max(8, availableParallelism() * 2),
      ignoreCache: ignored,
      ...(build.shared === undefined ? {} : { shared: build.shared }),
      ...(imported === undefined ? {} : { imported }),
    },
  );
}

/** The image of each graph, when its layers are durable. `records` are those that an image carries for a cache. */
async function finish(
  { planned, request, cache }: Build,
  walked: Walk,
  records: Parameters<BuildCache["inline"]>[0],
): Promise<FinishedImage[]> {
  const solved = (node: Node) => walked.solved.get(node.id) as Solved;
  const images: FinishedImage[] = [];
  for (const { target } of planned.graphs) {
    const { stack } = solved(target.node);
    const layers = await Promise.all(stack.layers.map((layer) => layer.committed));
    const config = imageConfig(target, solved, request.sourceDateEpoch);
    images.push({
      image: { config: { ...config, ...cache?.inline(records, layers) }, layers },
      tree: () => stack.tree(),
      unpack: () => stack.folders(),
    });
  }
  return images;
}

/** What is said beside the images and of the build. Loaded only where somebody wants it said. */
async function sayings(build: AttestedBuild) {
  const { attest, metadata } = build.request;
  return {
    ...(attest && (await import("./attestations.ts")).attestBuild(build)),
    ...(metadata && {
      buildMetadata: async () => (await import("./deliver/build-metadata.ts")).buildMetadata(build),
    }),
  };
}

/** The cache beyond this machine; undefined, and nothing of it loaded, where nobody asked for one. */
async function openCache(request: BuildRequest, world: BuildCacheWorld): Promise<BuildCache | undefined> {
  const { cacheFrom = [], cacheTo = [] } = request;
  // BuildKit's own argument, from before there was a flag.
  const isInline = /^(1|t|true)$/i.test(request.buildArgs.BUILDKIT_INLINE_CACHE ?? "");
  const targets: readonly CacheTarget[] =
    isInline && !cacheTo.some(({ type }) => type === "inline")
      ? [...cacheTo, { type: "inline", mode: "min", ignoreError: false }]
      : cacheTo;
  if (cacheFrom.length + targets.length === 0) return undefined;
  const { openBuildCache } = await import("./cache/build-cache.ts");
  return openBuildCache(cacheFrom, targets, { ...world, exception: exceptionOf(request) });
}

function styleOf(request: BuildRequest): World["style"] {
  // An archive for `docker load` needs gzip anyway: written so at once, nothing is compressed twice.
  const isDocker = (output: OutputSpec) =>
    output.type === "docker" || ("ociMediaTypes" in output && output.ociMediaTypes === false);
  const onlyDocker = request.outputs.length > 0 && request.outputs.every(isDocker);
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

function openClient(request: BuildRequest, world: BuildWorld, signal: AbortSignal): Promise<RegistryClient> {
  return clientOf(request, async ({ plainHttp, insecure }) => {
    const { openRegistry } = await import("../registry/client.ts");
    plainHttp.push(...insecureRegistries(request));
    return openRegistry({ userAgent: "wbuild", warn: warnOnce(world), signal, plainHttp, insecure });
  });
}

function warnOnce(world: BuildWorld): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (told.has(text)) return;
    told.add(text);
    world.report({ kind: "warning", text, at: Date.now() });
  };
}
