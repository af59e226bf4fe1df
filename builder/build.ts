/** The door for programs: a request → an image. Prints nothing; what happens is told through `world.report`. */
import { availableParallelism } from "node:os";
import type { RegistryClient } from "../registry/client.ts";
import type { AttestedBuild } from "./attestations.ts";
import { checkForeignRuns } from "./build/check-foreign.ts";
import { checkOutputs, deliver, insecureRegistries, isMultiPlatform } from "./build/deliver.ts";
import { earlyPush } from "./build/early-push.ts";
import { originsOf, recordsOf, remotesOf, walk } from "./build/walk.ts";
import type { BuildRequest, BuildResult } from "./build-request.ts";
import type { BuildCache, BuildCacheWorld } from "./cache/build-cache.ts";
import type { CacheTarget } from "./cache/spec.ts";
import type { Node } from "./graph/graph.ts";
import { allNodes } from "./graph/merge.ts";
import type { OutputSpec } from "./image/output/output-spec.ts";
import type { FinishedImage } from "./image/output/write-result.ts";
import { distinctPlatforms } from "./image/platform.ts";
import { baseLayers } from "./image/stored/left-layers.ts";
import { type BuildWorld, planRequest, withSource } from "./plan-request.ts";
import { runtimes } from "./runtime/choose.ts";
import { ResultCache } from "./solve/cache.ts";
import { imageConfig } from "./solve/created.ts";
import type { Solved } from "./solve/solver.ts";
import type { World } from "./steps/step.ts";

/**
 * Builds what the request asks for. Throws WbuildError (DF_*, CTX_*, STEP_*, REG_* …), or the signal's reason when it
 * was aborted. What finished before a failure stays in the cache.
 */
export async function buildImage(request: BuildRequest, world: BuildWorld): Promise<BuildResult> {
  const { store } = world;
  const startedMs = Date.now();
  using _lease = store.lease();
  const ended = new AbortController();
  const signal = AbortSignal.any([world.signal, ended.signal]);
  let client: Promise<RegistryClient> | undefined;
  const registry = () => (client ??= openClient(request, world, signal));
  const warn = warnOnce(world);
  let cache: BuildCache | undefined;
  try {
    checkOutputs(request, distinctPlatforms(request.platforms ?? []).length);
    cache = await openCache(request, { store, registry, signal, warn, report: world.report });
    const planned = await planRequest(request, { ...world, signal }, registry);
    const { graphs, context, remote, source } = planned;
    const nodes = allNodes(graphs);
    // Where layers are only put together nothing is done that anybody could watch.
    const steps = nodes.filter(({ op }) => op.kind !== "merge");
    world.report({ kind: "plan", steps: steps.map(({ id, title }) => ({ id, title })) });
    const targets = graphs.map(({ target }) => target.node);
    const pushed = pushTarget(request);
    try {
      const ignored = ignoreCache(request);
      const results = new ResultCache(store, cache?.imported);
      await checkForeignRuns(nodes, async (node, op) => !ignored(node) && (await results.knows(op)));
      await using walked = await walk(
        nodes,
        targets,
        request,
        {
          store,
          context,
          remote,
          signal,
          cache,
          warn,
          report: world.report,
          ...(world.whenFailed === undefined ? {} : { whenFailed: world.whenFailed }),
          limits: request.limits,
          ...(request.secrets === undefined ? {} : { secrets: request.secrets }),
          ...(request.ssh === undefined ? {} : { ssh: request.ssh }),
          runtime: runtimes(store.home),
          style: styleOf(request),
          remoteLayer: (ofWalk) => baseLayers({ store, registry }, ofWalk),
          tail: pushed === undefined ? undefined : (background) => earlyPush(pushed, targets, registry, background),
        },
        {
          jobs: request.jobs ?? Math.max(8, availableParallelism() * 2),
          ignoreCache: ignored,
          ...(world.shared === undefined ? {} : { shared: world.shared }),
          ...(cache === undefined ? {} : { imported: cache.imported }),
        },
      );
      const solved = (node: Node) => walked.solved.get(node.id) as Solved;
      const records = cache && (await recordsOf(nodes, targets, walked));
      const images: FinishedImage[] = [];
      for (const { target } of graphs) {
        const { stack } = solved(target.node);
        const layers = await Promise.all(stack.layers.map((layer) => layer.committed));
        const config = imageConfig(target, solved, request.sourceDateEpoch);
        const inline = cache?.inline(records?.inImage ?? [], layers);
        images.push({
          image: { config: { ...config, ...inline }, layers },
          tree: () => stack.tree(),
          unpack: () => stack.folders(),
        });
      }
      const layers = images.flatMap(({ image }) => image.layers);
      const origins = originsOf(nodes, layers);
      const remotes = await remotesOf(targets, walked);
      const result = await deliver({ images, asIndex: isMultiPlatform(request) }, request, {
        store,
        registry,
        signal,
        report: world.report,
        stdout: world.stdout,
        originOf: (digest) => origins.get(digest),
        ...(request.attest &&
          (await attesting({ ...world, request, planned, images, solved: walked.solved, startedMs, signal }))),
        ...(request.metadata && {
          buildMetadata: async () => {
            const { buildMetadata } = await import("./build/build-metadata.ts");
            return buildMetadata({ ...world, request, planned, images, solved: walked.solved, startedMs, signal });
          },
        }),
        remoteOf: (digest) => remotes.get(digest),
      });
      if (records) await cache?.export(records);
      return result;
    } catch (error) {
      throw withSource(error, source);
    }
  } catch (error) {
    ended.abort(error);
    throw error;
  } finally {
    await cache?.close();
    await (await client?.catch(() => undefined))?.close();
  }
}

/** Loaded only where something is to be said about the image. */
async function attesting(build: AttestedBuild) {
  const { attestBuild } = await import("./attestations.ts");
  return attestBuild(build);
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
  return openBuildCache(cacheFrom, targets, world);
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

/** The name that layers may be sent to while they are made: the first one, when they are pushed as they are written. */
function pushTarget(request: BuildRequest): string | undefined {
  if (request.push) return request.tags[0];
  const output = request.outputs.find((one) => one.type === "registry" || (one.type === "image" && one.push));
  if (!output || !("names" in output) || output.compression !== undefined) return undefined;
  return output.names[0] ?? request.tags[0];
}

async function openClient(request: BuildRequest, world: BuildWorld, signal: AbortSignal): Promise<RegistryClient> {
  const { openRegistry } = await import("../registry/client.ts");
  const plainHttp = insecureRegistries(request);
  const insecure: string[] = [];
  const client = openRegistry({ userAgent: "wbuild", warn: warnOnce(world), signal, plainHttp, insecure });
  if (!request.plainHttp && !request.insecure) return client;
  // --plain-http and --insecure of a build mean every registry that it names; which those are is known when they are asked for.
  const repository: RegistryClient["repository"] = (reference, options) => {
    if (request.plainHttp) plainHttp.push(reference.registry);
    if (request.insecure) insecure.push(reference.registry);
    return client.repository(reference, options);
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
