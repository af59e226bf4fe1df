/** Changes → layer blob in the store, in the background: the next step need not wait for compression. */
import { type LayerInput, type WrittenLayer, writeLayer } from "../../layerfs/layer/write.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Node } from "../graph/graph.ts";
import { located } from "./located.ts";
import type { World } from "./step.ts";

export interface Commit {
  readonly layer: Promise<Layer>;
  /** The changes as written, for decodeIndex, with a digest for each file when those were asked for. */
  readonly index: Promise<Uint8Array>;
}

/** Starts writing. A failure rejects both promises; it never goes unnoticed, the build awaits every layer. */
export function commitLayer(
  node: Node,
  changes: Iterable<LayerInput>,
  world: World,
  options: { readonly fileDigests: boolean },
): Commit {
  const { style, store, report } = world;
  // Of Windows' image stores not every one takes zstd; gzip all do.
  const isWindows = node.op.kind !== "source" && node.op.os === "windows";
  let told = 0;
  const written: Promise<WrittenLayer> = writeLayer(changes, store.blobs, {
    compression: style.compression ?? (isWindows ? "gzip" : "zstd"),
    mediaTypes: "oci",
    fileDigests: options.fileDigests,
    ...(style.level === undefined ? {} : { level: style.level }),
    ...(style.epochSeconds === undefined ? {} : { epochSeconds: style.epochSeconds }),
    onProgress: (bytes: number) => {
      if (bytes - told < 32 << 20) return;
      told = bytes;
      report({ kind: "progress", id: node.id, label: "writing layer", done: bytes, unit: "bytes", at: Date.now() });
    },
    ...(world.tail ? { onTail: (tail: AsyncIterable<Uint8Array>) => world.tail?.(node, tail, layer) } : {}),
  });
  const recorded = written.then(
    (result) => {
      store.layers.record(result.layer, { uncompressedSize: result.uncompressedSize, index: result.index });
      return result;
    },
    (error: unknown) => {
      throw located(error, node);
    },
  );
  const layer = recorded.then((result) => result.layer);
  const index = recorded.then((result) => result.index);
  // Somebody always awaits `recorded` (the build, at its end); these two may have nobody who listens.
  layer.catch(() => undefined);
  index.catch(() => undefined);
  world.background(recorded);
  return { layer, index };
}
