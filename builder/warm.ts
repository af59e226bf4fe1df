/** Fills a store ahead of builds: the bases that a Dockerfile stands on, and results that other machines have cached. */
import type { Layer } from "../layerfs/store/descriptor.ts";
import { isWbuildError } from "../native/error.ts";
import type { RegistryClient } from "../registry/client.ts";
import { distinct, sideBySide } from "../registry/side-by-side.ts";
import type { BuildRequest } from "./build-request.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { findStage } from "./dockerfile/stages.ts";
import type { SourceOp } from "./graph/graph.ts";
import { planBuild } from "./graph/plan.ts";
import { formatPlatform } from "./image/platform.ts";
import { keepBase } from "./image/stored/base-image.ts";
import { baseLayers } from "./image/stored/base-layers.ts";
import { toldAsStep } from "./image/told-step.ts";
import { type BuildWorld, type OpenedRequest, openRequest, stagesOf, withSource } from "./plan-request.ts";
import { ResultCache } from "./solve/cache.ts";

/** Transfers at a time, of one base or cache. */
const concurrency = 4;

export interface Warmed {
  /** Base images whose layers are in the store now. */
  readonly bases: number;
  /** Results that a later build finds without any `--cache-from`. */
  readonly results: number;
}

/**
 * For the target, or for every stage, on each platform. A cache that cannot be read, or has lost a layer, is warned of.
 * Throws what planning throws, and REG_* for a base that cannot be fetched.
 */
export async function warmStore(
  request: BuildRequest,
  world: BuildWorld,
  registry: () => Promise<RegistryClient>,
): Promise<Warmed> {
  const opened = await openRequest(request, world, registry);
  try {
    const bases = await basesOf(request, opened);
    for (const base of bases) await fetchBase(base, world, registry);
    return { bases: bases.length, results: await importResults(request, world, registry) };
  } catch (error) {
    throw withSource(error, opened.source);
  }
}

/** Each base of the stages that are wanted, once; a stage that another one needs is planned with that one. */
async function basesOf(request: BuildRequest, opened: OpenedRequest): Promise<SourceOp[]> {
  const dockerfile = parseDockerfile(opened.source);
  const wanted = request.target === undefined ? dockerfile.stages.map(({ index }) => String(index)) : [request.target];
  const found = new Map<string, SourceOp>();
  for (const platform of opened.targets) {
    const options = opened.optionsFor(platform);
    const covered = new Set<number>();
    for (const target of wanted.toReversed()) {
      if (covered.has(findStage(dockerfile, target).index)) continue;
      const graph = await planBuild(dockerfile, { ...options, target, warn: () => undefined });
      for (const { index } of stagesOf(dockerfile, { ...request, target }, opened, platform)) covered.add(index);
      for (const { op } of graph.nodes)
        if (op.kind === "source" && op.reference !== undefined)
          found.set(`${op.reference} ${formatPlatform(op.platform)}`, op);
    }
  }
  return [...found.values()];
}

async function fetchBase(
  { reference = "", platform, layers }: SourceOp,
  { store, report, signal }: BuildWorld,
  registry: () => Promise<RegistryClient>,
): Promise<void> {
  await toldAsStep(report, `fetching ${reference} for ${formatPlatform(platform)}`, async () => {
    const find = baseLayers({ store, registry }, signal);
    await sideBySide(distinct(layers.map(withDigest)), concurrency, signal, ({ layer }) =>
      find(reference, layer).fetch(),
    );
    await keepBase(store, reference, platform, layers);
  });
}

const withDigest = (layer: Layer) => ({ digest: layer.blob.digest, layer });

/** How many results the store has from the caches now. */
async function importResults(
  request: BuildRequest,
  { store, report, signal }: BuildWorld,
  registry: () => Promise<RegistryClient>,
): Promise<number> {
  const { cacheFrom = [] } = request;
  if (cacheFrom.length === 0) return 0;
  const { openBuildCache } = await import("./cache/build-cache.ts");
  const warn = (text: string) => report({ kind: "warning", text, at: Date.now() });
  const cache = openBuildCache(cacheFrom, [], { store, registry, report, warn, signal });
  try {
    const records = (await cache.imported())?.records() ?? [];
    const results = new ResultCache(store);
    let kept = 0;
    await toldAsStep(report, "fetching what is cached elsewhere", () =>
      sideBySide(records, concurrency, signal, async (record) => {
        try {
          await record.remote.fetch();
        } catch (error) {
          // It was warned of; a build carries that step out.
          if (isWbuildError(error, "CACHE_LOST")) return;
          throw error;
        }
        results.put(record);
        kept++;
      }),
    );
    return kept;
  } finally {
    await cache.close();
  }
}
