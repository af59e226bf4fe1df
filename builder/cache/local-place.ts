/** A build cache in a folder: an OCI layout, so that every tool for these can look at it or copy it. */
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { blobPath, layoutContent, layoutFile, refNameKey } from "../../registry/archive/layout.ts";
import { fileBytes } from "../../registry/archive/members.ts";
import { folderSink } from "../../registry/archive/sink.ts";
import { fileOf } from "../../registry/copy/layout.ts";
import { fetchFromLayout, isInLayout } from "../../registry/copy/layout-blob.ts";
import { mediaTypes } from "../../registry/oci/image.ts";
import { maxManifestBytes, parseIndex } from "../../registry/oci/schema.ts";
import { readBytesOf } from "./bytes.ts";
import { maxCacheConfigBytes } from "./config.ts";
import { readDocument, writeDocument } from "./document.ts";
import type { CacheWriter, ReadCache } from "./place.ts";
import type { CacheForm } from "./spec.ts";

/** Throws CACHE_NOT_FOUND when there is none yet, CACHE_CONFIG, REG_MANIFEST. */
export async function readLocalCache(
  source: { readonly src: string; readonly tag: string; readonly digest?: Digest },
  signal: AbortSignal,
): Promise<ReadCache> {
  const { src, tag, digest } = source;
  const entries = await entriesOf(src);
  const entry =
    digest === undefined
      ? entries.find(({ annotations }) => annotations?.[refNameKey] === tag)
      : entries.find((one) => one.digest === digest);
  if (!entry)
    throw new WbuildError("CACHE_NOT_FOUND", `the folder has no cache ${digest ?? `with the tag ${tag}`}`, {
      facts: { path: src },
    });
  const read = async (which: Descriptor, limit: number) => {
    const bytes = await readBytesOf(fileBytes(join(src, blobPath(which))), limit);
    if (digestOf(bytes) !== which.digest) throw new WbuildError("CACHE_CONFIG", `blob ${which.digest} is damaged`);
    return bytes;
  };
  const manifest = async (which: Descriptor) => ({
    bytes: await read(which, maxManifestBytes),
    mediaType: which.mediaType,
  });
  const found = await readDocument(await manifest(entry), {
    manifest,
    blob: (blob) => read(blob, maxCacheConfigBytes),
  });
  return {
    ...found,
    place: {
      layout: resolve(src),
      fetch: (blob, into) => fetchFromLayout(src, blob, into, { signal }),
      open: (blob) => fileOf(src, blob, 0),
      has: (blob) => isInLayout(src, blob),
    },
  };
}

/** What the folder holds already stays, but for the cache of the same tag. Throws REG_ARCHIVE_TARGET. */
export async function writeLocalCache(
  target: CacheForm & { readonly dest: string; readonly tag: string },
): Promise<CacheWriter> {
  const { dest, tag } = target;
  const sink = await folderSink(dest);
  await sink.add(layoutFile, layoutContent.length, Buffer.from(layoutContent));
  const add = async (blob: Descriptor, bytes: () => AsyncIterable<Uint8Array> | Uint8Array) => {
    if ((await sizeOf(join(dest, blobPath(blob)))) === blob.size) return;
    await sink.add(blobPath(blob), blob.size, bytes());
  };
  return {
    layer: (blob, open) => add(blob, open),
    async finish(config, layers) {
      const { bytes, mediaType, config: named } = writeDocument(config, layers, target);
      const entry = { mediaType, digest: digestOf(bytes), size: bytes.length, annotations: { [refNameKey]: tag } };
      await add(named, () => config);
      await add(entry, () => bytes);
      const others = (await entriesOf(dest).catch(() => [])).filter(
        ({ annotations }) => annotations?.[refNameKey] !== tag,
      );
      const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [...others, entry] };
      const text = Buffer.from(JSON.stringify(index));
      // Last: until then nobody finds what it names.
      await sink.add("index.json", text.length, text);
      await sink.finish();
    },
  };
}

async function entriesOf(folder: string): Promise<readonly Descriptor[]> {
  try {
    return parseIndex(await readFile(join(folder, "index.json")), mediaTypes.ociIndex).manifests;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === undefined || cause instanceof WbuildError) throw cause;
    throw new WbuildError("CACHE_NOT_FOUND", "there is no OCI layout", { facts: { path: folder }, cause });
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined,
  );
}
