/** The build cache beyond this machine, for one build: read while the build is planned, written when its image is made. */
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { ConnectionException } from "../../layerfs/store/sources.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { distinct, orAborted, sideBySide } from "../../registry/side-by-side.ts";
import { transcodeLayer } from "../image/output/transcode.ts";
import { toldAsStep } from "../image/told-step.ts";
import type { Report } from "../progress/events.ts";
import type { ResultRecord } from "../solve/cache.ts";
import { encodeConfig, encodeInline, inlineMember } from "./config.ts";
import { Imports } from "./imports.ts";
import type { CacheWriter, ReadCache } from "./place.ts";
import type { CacheSource, CacheTarget } from "./spec.ts";

export interface BuildCacheWorld {
  readonly store: Store;
  readonly registry: () => Promise<RegistryClient>;
  readonly report: Report;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
  /** What is allowed of connections to registries that hold a cache. */
  readonly exception?: ConnectionException | undefined;
}

export interface BuildCache {
  /** All that could be read, once it is read. What could not was warned of. Never rejects. */
  imported(): Promise<Imports | undefined>;
  /** How many of the imported blobs were found lost so far. */
  readonly lost: number;
  /** Members for the image's configuration, when its records shall travel with it. */
  inline(records: readonly ResultRecord[], layers: readonly Layer[]): Readonly<Record<string, string>>;
  /** `inImage`: results that the image is made of; `all`: those of every step. Throws CACHE_EXPORT. */
  export(results: { readonly inImage: readonly ResultRecord[]; readonly all: readonly ResultRecord[] }): Promise<void>;
  /** Ends what is still being read or fetched, and waits for its end: nothing is written into the store afterwards. */
  close(): Promise<void>;
}

/** Uploads at a time. */
const concurrency = 4;

/** Begins to read at once, all sources side by side. */
export function openBuildCache(
  sources: readonly CacheSource[],
  targets: readonly CacheTarget[],
  world: BuildCacheWorld,
): BuildCache {
  const ended = new AbortController();
  const signal = AbortSignal.any([world.signal, ended.signal]);
  let imports: Imports | undefined;
  const read = async () => {
    imports = await readAll(sources, { ...world, signal });
    return imports;
  };
  const reading = sources.length === 0 ? undefined : read();
  return {
    imported: async () => reading,
    get lost() {
      return imports?.lost ?? 0;
    },
    inline: (records, layers) =>
      targets.some(({ type }) => type === "inline") ? { [inlineMember]: encodeInline(records, layers) } : {},
    async export({ inImage, all }) {
      for (const target of targets) {
        if (target.type === "inline") continue;
        await exportTo(target, target.mode === "max" ? all : inImage, world);
      }
    },
    async close() {
      ended.abort(new Error("the build is over"));
      await reading;
      await imports?.settled();
    },
  };
}

async function readAll(sources: readonly CacheSource[], world: BuildCacheWorld): Promise<Imports> {
  const { store, warn, signal, exception } = world;
  const imports = new Imports({ store, warn, signal, exception });
  const read = await Promise.all(
    sources.map(async (source) => {
      const name = nameOf(source);
      try {
        // A registry that does not answer keeps nobody waiting whose build is over; its connection ends with the client.
        const found = await orAborted(readSource(source, world), signal);
        if (found.isForeign) warn(`the cache ${name} is another builder's: nothing of it can be used`);
        return { name, found };
      } catch (error) {
        // What nobody waits for any more need not be told.
        if (!signal.aborted) warn(whyUnread(name, error));
        return undefined;
      }
    }),
  );
  // In the order in which they were named: the first one that knows a result gives it.
  for (const one of read) if (one) imports.add(one.found.records, one.name, one.found.place);
  return imports;
}

async function readSource(source: CacheSource, { registry, signal }: BuildCacheWorld): Promise<ReadCache> {
  switch (source.type) {
    case "registry":
      return (await import("./registry-place.ts")).readRegistryCache(await registry(), source.ref, signal);
    case "local":
      return (await import("./local-place.ts")).readLocalCache(source, signal);
    case "gha":
      return (await import("./gha-place.ts")).readGhaCache(source, signal);
  }
}

function whyUnread(name: string, error: unknown): string {
  if (isWbuildError(error, "REG_NOT_FOUND") || isWbuildError(error, "CACHE_NOT_FOUND"))
    return `there is no cache ${name} yet`;
  return `the cache ${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

async function exportTo(
  target: Exclude<CacheTarget, { type: "inline" }>,
  records: readonly ResultRecord[],
  world: BuildCacheWorld,
): Promise<void> {
  const name = nameOf(target);
  try {
    await toldAsStep(world.report, `exporting cache to ${name}`, async () => {
      const timeout = target.type === "gha" ? [AbortSignal.timeout(target.timeoutMs)] : [];
      const signal = AbortSignal.any([world.signal, ...timeout]);
      const writer: CacheWriter & Partial<AsyncDisposable> = await openTarget(target, { ...world, signal });
      try {
        await writeRecords(writer, target, records, { ...world, signal });
      } finally {
        await writer[Symbol.asyncDispose]?.();
      }
    });
  } catch (cause) {
    world.signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    if (!target.ignoreError)
      throw new WbuildError("CACHE_EXPORT", `cannot export the cache to ${name}: ${why}`, {
        cause,
        hint: "the image is made; with ignore-error=true such a failure is a warning",
      });
    world.warn(`the cache was not exported to ${name}: ${why}`);
  }
}

async function openTarget(
  target: Exclude<CacheTarget, { type: "inline" }>,
  { registry, signal }: BuildCacheWorld,
): Promise<CacheWriter> {
  switch (target.type) {
    case "registry":
      return (await import("./registry-place.ts")).writeRegistryCache(await registry(), target, signal);
    case "local":
      return (await import("./local-place.ts")).writeLocalCache(target);
    case "gha":
      return (await import("./gha-place.ts")).writeGhaCache(target, signal);
  }
}

async function writeRecords(
  writer: CacheWriter,
  target: CacheTarget,
  records: readonly ResultRecord[],
  { store, signal }: BuildCacheWorld,
): Promise<void> {
  const lost = new Set<string>();
  const sent: ResultRecord[] = [];
  const byLayer = distinct(records.map((record) => ({ digest: record.layer.blob.digest, record })));
  const layers = new Map<string, Layer>();
  await sideBySide(byLayer, concurrency, signal, async ({ digest, record: { layer, remote } }) => {
    const bring = async () => {
      if ((await store.blobs.has(layer.blob.digest)) === undefined) await remote?.fetch();
    };
    try {
      let ready = layer;
      if (target.compression !== undefined) {
        await bring();
        ready = await transcodeLayer(store, layer, target.compression, target.compressionLevel);
      }
      // A blob that lies where it shall go is never brought here.
      const open = async function* () {
        await bring();
        yield* store.blobs.open(ready.blob);
      };
      await writer.layer(ready.blob, open, remote?.reference);
      layers.set(digest, ready);
    } catch (error) {
      // A result that was read from a cache which has lost it since is left out: nobody could use it.
      if (!isWbuildError(error, "CACHE_LOST")) throw error;
      lost.add(digest);
    }
  });
  for (const record of records) {
    const layer = layers.get(record.layer.blob.digest);
    if (layer && !lost.has(record.layer.blob.digest)) sent.push({ ...record, layer });
  }
  const config = encodeConfig(sent);
  await writer.finish(config.bytes, config.layers);
}

/** As people gave it, without what is secret. */
function nameOf(place: CacheSource | Exclude<CacheTarget, { type: "inline" }>): string {
  switch (place.type) {
    case "registry":
      return place.ref;
    case "local":
      return "src" in place ? place.src : place.dest;
    case "gha":
      return `GitHub Actions (scope ${place.scope})`;
  }
}
