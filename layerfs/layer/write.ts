/**
 * writeLayer: ordered changes → a layer blob in the store. The only writer of layers, Linux or Windows, RUN or COPY.
 * It encodes the changes as records; reading, tar, hashing and compressing happen in one native pass (layer-pipe.cc).
 */
import { LayerPipe } from "../../native/addon/layer-pipe.ts";
import { RecordWriter, recordPieces } from "../../native/addon/records.ts";
import { WbuildError } from "../../native/error.ts";
import type { BlobFiles } from "../store/blob-store.ts";
import type { Layer } from "../store/descriptor.ts";
import { type Compression, checkLevel, layerMediaType, type MediaTypes } from "./compression.ts";
import type { Change, Entry } from "./entry.ts";
import { Order } from "./ordered.ts";
import { showPath } from "./raw-path.ts";
import { Tail } from "./tail.ts";

export interface LayerFormat {
  readonly compression: Compression;
  /** See `levels` in compression.ts. */
  readonly level?: number;
  readonly mediaTypes: MediaTypes;
  /** SOURCE_DATE_EPOCH: modification times after it become exactly it. */
  readonly epochSeconds?: number;
  /** Puts the sha256 of every regular file into the index. */
  readonly fileDigests?: boolean;
  /** Called now and then with the bytes of tar so far. */
  readonly onProgress?: (bytes: number) => void;
  /** Called once at the start with the blob's bytes as they will come: they may be sent while they are written. */
  readonly onTail?: (tail: AsyncIterable<Uint8Array>) => void;
}

export interface WrittenLayer {
  readonly layer: Layer;
  /** For `decodeIndex`. */
  readonly index: Uint8Array;
  /** Bytes of the tar. */
  readonly uncompressedSize: number;
}

/**
 * Many changes at once, as rebaseRecords makes them of a walked folder: in order, no path twice, below a folder that
 * was set before, the last of their layer.
 */
export interface RecordBatch {
  readonly kind: "records";
  /** Whole records each. Gone through once, each when those before it are with the pipe. */
  readonly records: Iterable<Uint8Array>;
}

export type LayerInput = Change | RecordBatch;

const batchSize = 128 * 1024;
/** Bytes that are in memory already travel inside the record up to this size, longer ones as a stream. */
const inlineSize = 64 * 1024;

/**
 * Writes a layer and makes it a durable blob. Same changes and format, same bytes, on any machine.
 * Throws LAYER_ORDER and LAYER_PATH for a bad stream of changes, LAYER_WHITEOUT_NAME for a file that would act as a whiteout,
 * LAYER_CHANGED when a source changed its size while it was read, LAYER_CONTENT for a regular file without content,
 * LAYER_PAX, LAYER_NAME, LAYER_DEVICE for what no tar can hold, LAYER_COMPRESSION, LAYER_IO, and what the store throws.
 */
export async function writeLayer(
  changes: Iterable<LayerInput> | AsyncIterable<LayerInput>,
  to: Pick<BlobFiles, "reserve" | "path">,
  how: LayerFormat,
): Promise<WrittenLayer> {
  const mediaType = layerMediaType(how.compression, how.mediaTypes);
  const level = checkLevel(how.compression, how.level);
  await using file = await to.reserve();
  const tail = how.onTail === undefined ? undefined : new Tail(file.path);
  const pipe = new LayerPipe({
    path: file.path,
    compression: how.compression,
    level,
    fileDigests: how.fileDigests === true,
    ...(how.epochSeconds === undefined ? {} : { clampSeconds: how.epochSeconds }),
    onEvent(tarBytes, blobBytes) {
      tail?.grow(blobBytes);
      how.onProgress?.(tarBytes);
    },
  });
  if (tail !== undefined) how.onTail?.(tail);
  try {
    await send(changes, pipe);
    const result = await pipe.finish();
    const blob = await file.commit({ mediaType, digest: result.digest, size: result.size });
    tail?.end(result.size, to.path(blob.digest));
    return {
      layer: { blob, diffId: result.diffId },
      index: result.index,
      uncompressedSize: result.uncompressedSize,
    };
  } catch (error) {
    tail?.fail(error);
    await pipe.abort();
    throw error;
  }
}

async function send(changes: Iterable<LayerInput> | AsyncIterable<LayerInput>, pipe: LayerPipe): Promise<void> {
  const order = new Order();
  const records = new RecordWriter(batchSize * 2);
  const one = (change: LayerInput): Promise<void> | undefined => {
    if (change.kind === "records") return sendBatch(change, records, pipe);
    order.check(change);
    if (change.kind !== "set") records.addMark(change.kind, change.path);
    else {
      const stream = addEntry(change.entry, records);
      if (stream !== undefined) return sendStream(stream, change.entry, records, pipe);
    }
    return records.length < batchSize ? undefined : pipe.records(records.take());
  };
  // An iterable that is there already is not awaited entry by entry: twenty thousand turns of the event loop cost.
  if (Symbol.iterator in changes) {
    for (const change of changes) {
      const wait = one(change);
      if (wait !== undefined) await wait;
    }
  } else {
    for await (const change of changes) {
      const wait = one(change);
      if (wait !== undefined) await wait;
    }
  }
  if (records.length > 0) await pipe.records(records.take());
}

async function sendBatch(batch: RecordBatch, records: RecordWriter, pipe: LayerPipe): Promise<void> {
  if (records.length > 0) await pipe.records(records.take());
  for (const some of batch.records) for (const piece of recordPieces(some, batchSize)) await pipe.records(piece);
}

/** Adds the record; gives the bytes that must follow it, if they do not travel inside. */
function addEntry(entry: Entry, records: RecordWriter): AsyncIterable<Uint8Array> | undefined {
  if (entry.path.startsWith(".wh.") || entry.path.includes("/.wh.")) {
    throw new WbuildError(
      "LAYER_WHITEOUT_NAME",
      `${showPath(entry.path)} cannot be in a layer: names that start with .wh. mean deletions there`,
      { facts: { path: entry.path }, hint: "rename the file, or leave it out with .dockerignore" },
    );
  }
  if (entry.type !== "file") {
    records.addSet(entry);
    return undefined;
  }
  const { content } = entry;
  if (content === undefined) {
    if (entry.size > 0) {
      throw new WbuildError("LAYER_CONTENT", `no content for ${showPath(entry.path)}`, { facts: { path: entry.path } });
    }
    records.addSet(entry, { kind: "bytes", bytes: new Uint8Array() });
    return undefined;
  }
  if (content.kind === "file" || (content.kind === "bytes" && content.bytes.length <= inlineSize)) {
    records.addSet(entry, content);
    return undefined;
  }
  records.addSet(entry, { kind: "stream" });
  return content.kind === "bytes" ? pieces(content.bytes) : content.open();
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}

async function sendStream(
  stream: AsyncIterable<Uint8Array>,
  entry: Entry,
  records: RecordWriter,
  pipe: LayerPipe,
): Promise<void> {
  await pipe.records(records.take());
  let left = entry.size;
  for await (const bytes of stream) {
    left -= bytes.length;
    if (left < 0) break;
    if (bytes.length > 0) await pipe.data(bytes);
  }
  if (left !== 0) {
    throw new WbuildError(
      "LAYER_CHANGED",
      `the content of ${showPath(entry.path)} does not have the size that was told`,
      {
        facts: { path: entry.path, size: entry.size },
      },
    );
  }
  await pipe.endOfData();
}
