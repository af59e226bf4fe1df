/**
 * Sends layers while they are still being written: when the last byte is compressed, most of the push is over.
 * Only an advance: whatever goes wrong here is left to the push proper, which finds the blob there or sends it.
 */
import type { BlobStore } from "../../layerfs/store/blob-store.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { RegistryClient } from "../../registry/client.ts";
import { parseReference } from "../../registry/reference.ts";
import type { Upload } from "../../registry/transport/upload.ts";
import type { BuildRequest } from "../build-request.ts";
import type { Node } from "../graph/graph.ts";
import type { LayerTail } from "../steps/step.ts";

/** The name that layers may be sent to while they are made: the first one, when they are pushed as they are written. */
export function pushTarget(request: BuildRequest): string | undefined {
  if (request.push) return request.tags[0];
  const output = request.outputs.find((one) => one.type === "registry" || (one.type === "image" && one.push));
  if (!output || !("names" in output) || output.compression !== undefined) return undefined;
  return output.names[0] ?? request.tags[0];
}

/** So many connections of one upload may break; more are the push proper's, which knows other ways to send. */
const maxBreaks = 3;

/** A step's layer is sent only when it will be in the image: nodes under a target, not those merely copied from. */
export function earlyPush(
  name: string,
  targets: readonly Node[],
  registry: () => Promise<RegistryClient>,
  blobs: Pick<BlobStore, "open">,
  background: (work: Promise<unknown>) => void,
): LayerTail {
  const wanted = new Set<string>();
  for (const target of targets)
    for (let node: Node | undefined = target; node; node = node.inputs[0]) {
      wanted.add(node.id);
      if (node.op.kind === "merge" && node.inputs[1]) wanted.add(node.inputs[1].id);
    }
  const reference = parseReference(name);
  return (node, tail, layer) => {
    if (!wanted.has(node.id)) return;
    background(send(tail, layer).catch(() => undefined));
  };

  async function send(tail: AsyncIterable<Uint8Array>, layer: Promise<Layer>): Promise<void> {
    const repository = (await registry()).repository(reference, { isTarget: true });
    const upload = await repository.startUpload();
    try {
      await upload.write(tail).catch((error: unknown) => goOn(upload, layer, error));
      const { blob } = await layer;
      // Somebody may have pushed the same content meanwhile; then ours is not needed.
      if (await repository.hasBlob(blob.digest)) await upload.cancel();
      else await upload.finish(blob.digest);
    } catch (error) {
      await upload.cancel();
      throw error;
    }
  }
  /** A broken upload is finished from where the registry has got to, once the layer is whole. */
  async function goOn(upload: Upload, layer: Promise<Layer>, broken: unknown): Promise<void> {
    const { isTransient } = await import("../../registry/transport/retry.ts");
    const { blob } = await layer;
    for (let error = broken, breaks = 1; isTransient(error) && breaks <= maxBreaks; breaks++) {
      const has = await upload.stored();
      if (has === undefined || has > blob.size) break;
      if (has === blob.size) return;
      try {
        await upload.write(blobs.open(blob, { from: has }));
        return;
      } catch (next) {
        error = next;
      }
    }
    throw broken;
  }
}
