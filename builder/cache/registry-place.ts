/** A build cache in a registry: a document under a tag, its layers as blobs of the same repository. */
import { digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { fromWhoHasIt } from "../../registry/from-who-has-it.ts";
import { fetchBlob } from "../../registry/pull.ts";
import { formatReference, parseReference, type Reference } from "../../registry/reference.ts";
import type { Repository } from "../../registry/repository.ts";
import { readBytesOf } from "./bytes.ts";
import { maxCacheConfigBytes } from "./config.ts";
import { readDocument, writeDocument } from "./document.ts";
import type { CachePlace, CacheWriter, ReadCache } from "./place.ts";
import type { CacheForm } from "./spec.ts";

/** Throws REG_NOT_FOUND when there is none yet, CACHE_CONFIG, REG_*. */
export async function readRegistryCache(client: RegistryClient, ref: string, signal: AbortSignal): Promise<ReadCache> {
  const reference = parseReference(ref);
  const repository = client.repository(reference);
  const document = await repository.manifest(reference.digest ?? reference.tag ?? "latest");
  const found = await readDocument(document, {
    manifest: (which) => repository.manifest(which),
    blob: (which) =>
      fromWhoHasIt(repository, which.digest, async () => {
        const bytes = await readBytesOf(repository.blob(which, 0, signal), maxCacheConfigBytes);
        if (digestOf(bytes) === which.digest) return bytes;
        throw new WbuildError("REG_DIGEST_MISMATCH", `${repository.registry}/${repository.name} sent wrong content`);
      }),
  });
  return { ...found, place: placeOf(repository, reference, signal) };
}

function placeOf(repository: Repository, reference: Reference, signal: AbortSignal): CachePlace {
  return {
    reference: formatReference(reference),
    fetch: (blob, into) => fetchBlob(repository, blob, into, { signal }),
    open: (blob) => repository.blob(blob, 0, signal),
    has: (blob) => repository.hasBlob(blob.digest, signal),
  };
}

/** Layers that are there, or in another repository of the registry, are not sent. */
export function writeRegistryCache(
  client: RegistryClient,
  target: CacheForm & { readonly ref: string },
  signal: AbortSignal,
): CacheWriter {
  const reference = parseReference(target.ref);
  const repository = client.repository(reference, { isTarget: true });
  return {
    async layer(blob, open, from) {
      const other = from === undefined ? undefined : parseReference(from);
      const mountFrom = other?.registry === reference.registry ? [other.repository] : [];
      await repository.pushBlob(blob, open, { mountFrom, signal });
    },
    async finish(config, layers) {
      const document = writeDocument(config, layers, target);
      await repository.pushBlob(document.config, () => oneOf(config), { signal });
      await repository.pushManifest(document.bytes, document.mediaType, reference.tag);
    },
  };
}

async function* oneOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
