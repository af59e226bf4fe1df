/** `append`: tars as new layers on an image, without building. What comes in is foreign: it is read to its end before it counts. */
import { compressStream, decompressStream, peekCompression } from "../../layerfs/layer/compress.ts";
import { layerMediaType } from "../../layerfs/layer/compression.ts";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { readLayer, readTar, usualTarLimits } from "../../layerfs/layer/read.ts";
import { writeLayer } from "../../layerfs/layer/write.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import { openDigester } from "../../layerfs/store/digester.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { compareNames, joinPath } from "../../layerfs/tree/names.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { scratchFile } from "./heads.ts";
import { entryIn, placeFiles } from "./place-files.ts";

export interface AppendOptions {
  /** Usual: gzip, which everything reads. What is gzip or zstd already stays as it came when nothing is asked for. */
  readonly compression?: "zstd" | "gzip" | "none";
  readonly signal: AbortSignal;
}

/** A tar as it came, in the store: its bytes, not yet looked at. */
export interface Incoming {
  /** How errors and history call it. */
  readonly name: string;
  readonly blob: Descriptor;
}

/** Puts a tar, plain or in any compression, into the store. Throws LAYER_*, STORE_*. */
export async function takeIncoming(
  store: Store,
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  { compression, signal }: AppendOptions,
): Promise<Incoming> {
  const { kind, rest } = await peekCompression(watched(bytes, signal));
  const stays = (kind === "gzip" || kind === "zstd") && (compression === undefined || compression === kind);
  const wanted = stays ? kind : (compression ?? "gzip");
  const plain = () => decompressStream(rest, { maxBytes: usualTarLimits.maxBytes });
  const out = stays ? rest : wanted === "none" ? plain() : compressStream(plain(), wanted);
  return { name, blob: await store.blobs.put(out, { mediaType: layerMediaType(wanted, "oci") }) };
}

/**
 * The tar as a layer, byte for byte. All of it is read first: names and links that climb out and kinds of entries that no
 * layer has are refused, as when it is unpacked. Throws LAYER_*.
 */
export async function asLayer(store: Store, { name, blob }: Incoming, signal: AbortSignal): Promise<Layer> {
  await using digester = openDigester(blob.size);
  let uncompressedSize = 0;
  const open = () => watched(store.blobs.open(blob), signal);
  await named(name, async () => {
    for await (const part of decompressStream(open(), { maxBytes: usualTarLimits.maxBytes })) {
      await digester.update(part);
      uncompressedSize += part.length;
    }
    // An empty file is no tar; a tar without entries is two blocks of zeros.
    if (uncompressedSize < 512) throw new WbuildError("LAYER_HEADER", "this is no tar");
    for await (const _ of readLayer(open()));
  });
  const layer: Layer = { blob, diffId: await digester.digest() };
  store.layers.record(layer, { uncompressedSize });
  return layer;
}

export interface FilesOptions extends AppendOptions {
  /** Attributes of a folder that is on the way; undefined when the image has none there. Absent: the shape knows. */
  readonly lookUp?: (path: string) => Promise<Entry | undefined>;
  /** What becomes of the changes: on Windows a layer of its shape. */
  readonly shape?: (changes: readonly Change[]) => Promise<readonly Change[]>;
}

/**
 * The tar's files below a folder of the image, as a layer of our writing. Names with `.wh.`, which would mean deletions, are
 * refused. Throws LAYER_*, WIN_*.
 */
export async function asFiles(
  store: Store,
  { name, blob }: Incoming,
  folder: string,
  { compression = "gzip", signal, lookUp, shape }: FilesOptions,
): Promise<Layer> {
  const open = () => readTar(decompressStream(watched(store.blobs.open(blob), signal)));
  const write = (changes: Iterable<Change> | AsyncIterable<Change>) =>
    named(name, () => writeLayer(changes, store.blobs, { compression, mediaTypes: "oci" }));
  const withShape = async (shaped: NonNullable<typeof shape>) => {
    await using spool = await store.snapshots.reserve();
    const { spoolFiles } = await import("./spool.ts");
    return await write(await shaped(inPlace(folder, await named(name, () => spoolFiles(open(), spool.scratch)))));
  };
  const written =
    shape === undefined
      ? await write(
          (await named(name, async () => placeFiles(await scratchFile(store), open, folder, lookUp))).changes(),
        )
      : await withShape(shape);
  store.layers.record(written.layer, { uncompressedSize: written.uncompressedSize, index: written.index });
  return written.layer;
}

/** The entries below the folder: folders first, hard links last; of two of one path the later one. */
function inPlace(folder: string, entries: readonly Entry[]): Change[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) if (entry.path !== "") all.set(joinPath(folder, entry.path), entryIn(folder, entry));
  const folders = [...all.values()].filter(({ type }) => type === "directory");
  const links = [...all.values()].filter(({ type }) => type === "hardlink");
  const rest = [...all.values()].filter(({ type }) => type !== "directory" && type !== "hardlink");
  folders.sort((a, b) => compareNames(a.path, b.path));
  return [...folders, ...rest, ...links].map((entry) => ({ kind: "set", entry }));
}

/** A Linux image's answer to what a folder on the way is like; what is no folder there is refused. Throws IMG_EDIT. */
export function folderLookUp(tree: Tree): NonNullable<FilesOptions["lookUp"]> {
  return async (path) => {
    const found = await tree.stat(path);
    if (found === undefined || found.type === "directory") return found;
    throw new WbuildError("IMG_EDIT", `${JSON.stringify(`/${path}`)} is no folder in the image, but a ${found.type}`, {
      facts: { path, type: found.type },
      hint: "give --path the folder that it leads to",
    });
  };
}

/** Errors about a tar say which. */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isWbuildError(error) || !error.code.startsWith("LAYER_")) throw error;
    const { code, message, facts, hint } = error;
    throw new WbuildError(code, `${name}: ${message}`, {
      facts,
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

async function* watched(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const part of bytes) {
    signal.throwIfAborted();
    yield part;
  }
}
