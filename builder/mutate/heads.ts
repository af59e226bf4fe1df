/** A layer's changes without its files' bytes, in the order of the tar: read once, for planning what to read. */
import { ChangeList, type Changes } from "../../layerfs/layer/change-list.ts";
import type { Entry } from "../../layerfs/layer/entry.ts";
import { readLayer } from "../../layerfs/layer/read.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import { HeldFile } from "../../layerfs/store/held-file.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { stackTree } from "../../layerfs/tree/stacked.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import { layersOf } from "../image/stored/base-image.ts";

/** A file's bytes: the `at`th change of the layer `layer`, both from 0. */
export interface Member {
  readonly layer: number;
  readonly at: number;
}

/** One layer as it was read. */
export interface Heads {
  readonly changes: Changes;
  /** Files that were kept as they passed, by their path in the tar. */
  readonly kept: ReadonlyMap<string, Uint8Array>;
}

/** Bytes. No hive of any base comes near. */
const largestKept = 512 * 1024 * 1024;

/** Reads a layer's blob to its end. `keeps`: files whose bytes are wanted now. Throws what readLayer throws, IMG_EDIT. */
export async function readHeads(
  store: Store,
  blob: AsyncIterable<Uint8Array>,
  keeps: (path: string) => boolean = () => false,
): Promise<Heads> {
  const changes = new ChangeList(await scratchFile(store));
  const kept = new Map<string, Uint8Array>();
  for await (const change of readLayer(blob)) {
    if (change.kind === "set") {
      const { entry } = change;
      const { content } = entry;
      if (content?.kind === "stream" && keeps(entry.path)) kept.set(entry.path, await bytesOf(entry, content.open()));
    }
    changes.add(change);
  }
  return { changes, kept };
}

/** A file without a name in the store's folder. */
export async function scratchFile(store: Store): Promise<HeldFile> {
  await using reserved = await store.blobs.reserve();
  return HeldFile.scratch(reserved.path);
}

async function bytesOf({ path, size }: Entry, stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  // Attack: a "hive" of a hundred gigabytes.
  if (size > largestKept)
    throw new WbuildError("IMG_EDIT", `${JSON.stringify(path.slice(-200))} is larger than any registry hive`, {
      facts: { path, size },
    });
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** A layer's stored bytes, until the signal. Throws IMG_INCOMPLETE when the store lacks them. */
export async function* blobOf(store: Store, { blob }: Layer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if ((await store.blobs.has(blob.digest)) !== blob.size)
    throw new WbuildError("IMG_INCOMPLETE", `the store lacks layer ${blob.digest} of the image`, {
      facts: { digest: blob.digest },
      hint: "pull or build the image again",
    });
  for await (const part of store.blobs.open(blob)) {
    signal.throwIfAborted();
    yield part;
  }
}

/** The image's files for looking at their names and attributes: nothing is unpacked, and no file can be read. */
export async function namesOf(store: Store, image: Image, signal: AbortSignal): Promise<Tree> {
  const layers = layersOf(image.manifest, image.config).map((layer) => ({
    changes: async () => (await readHeads(store, blobOf(store, layer, signal))).changes,
    folder: () => Promise.reject(new TypeError("a tree of names has no files")),
  }));
  return stackTree(layers, { names: image.config.os === "windows" ? "windows" : "linux", once: true });
}
