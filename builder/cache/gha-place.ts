/** A build cache in GitHub's cache service: an entry for each blob, and the configuration under a number that grows. */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import { readBytesOf } from "./bytes.ts";
import { decodeConfig, maxCacheConfigBytes } from "./config.ts";
import { type GhaEntries, openGhaEntries } from "./gha-service.ts";
import type { CacheWriter, ReadCache } from "./place.ts";
import type { GhaService } from "./spec.ts";

/** Others may save at the same time; each finds the next number. */
const attempts = 10;

/** Throws CACHE_NOT_FOUND when there is none yet, CACHE_CONFIG, CACHE_SERVICE. */
export async function readGhaCache(service: GhaService, signal: AbortSignal): Promise<ReadCache> {
  // Each piece of work has its own time: a layer may be needed long after the build began.
  const within = async <T>(work: (entries: GhaEntries) => Promise<T>): Promise<T> => {
    const entries = openGhaEntries(service, AbortSignal.any([signal, AbortSignal.timeout(service.timeoutMs)]));
    try {
      return await work(entries);
    } finally {
      await entries.close();
    }
  };
  async function* open(blob: Descriptor): AsyncGenerator<Uint8Array> {
    const entries = openGhaEntries(service, AbortSignal.any([signal, AbortSignal.timeout(service.timeoutMs)]));
    try {
      yield* entries.read(blobKey(blob), blob.size);
    } finally {
      await entries.close();
    }
  }
  const records = await within(async (entries) => {
    const index = await newest(entries, service.scope);
    if (!index) throw new WbuildError("CACHE_NOT_FOUND", `it has no cache of scope ${service.scope}`);
    const [key, size] = index;
    return decodeConfig(await readBytesOf(entries.read(key, size), maxCacheConfigBytes));
  });
  return {
    records,
    isForeign: false,
    place: {
      fetch: (blob, into) =>
        within(async (entries) => {
          const { mediaType, digest, size } = blob;
          await into.put(entries.read(blobKey(blob), size), { mediaType, digest, size });
        }),
      open,
      has: (blob) => within(async (entries) => (await entries.find(blobKey(blob)))?.key === blobKey(blob)),
    },
  };
}

/** Blobs that the service has are not sent again. */
export function writeGhaCache(service: GhaService, signal: AbortSignal): CacheWriter & AsyncDisposable {
  const entries = openGhaEntries(service, signal);
  return {
    async layer(blob, open) {
      const key = blobKey(blob);
      if ((await entries.find(key))?.key !== key) await entries.put(key, blob.size, open());
    },
    async finish(config) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const last = (await newest(entries, service.scope))?.[2] ?? 0;
        const key = `${indexName(service.scope)}${last + 1 + attempt}-${config.length}`;
        if (await entries.put(key, config.length, oneOf(config))) return;
      }
      throw new WbuildError("CACHE_SERVICE", "cannot save the cache's configuration: others did so all the time");
    },
    [Symbol.asyncDispose]: () => entries.close(),
  };
}

/** Key, size and number of the configuration that was saved last. The size stands in the key: a download needs it. */
async function newest(
  entries: GhaEntries,
  scope: string,
): Promise<readonly [key: string, size: number, number: number] | undefined> {
  const name = indexName(scope);
  const key = (await entries.find(name))?.key ?? "";
  const found = key.startsWith(name) ? /^(\d{1,12})-(\d{1,9})$/.exec(key.slice(name.length)) : null;
  return found ? [key, Number(found[2]), Number(found[1])] : undefined;
}

function indexName(scope: string): string {
  return `index-wbuild-1-${encodeURIComponent(scope)}#`;
}

function blobKey({ digest }: Pick<Descriptor, "digest">): string {
  return `wbuild-blob-1-${digest}`;
}

async function* oneOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
