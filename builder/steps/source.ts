/** FROM: the base image's layers as the bottom of a stack. Nothing is fetched or unpacked until somebody needs it. */
import type { SourceOp } from "../graph/graph.ts";
import { LayerStack, storedLayer } from "./stack.ts";
import type { World } from "./step.ts";

export function openSource(op: SourceOp, world: World): LayerStack {
  let stack = LayerStack.of(op.platform.os);
  for (const layer of op.layers) {
    const remote = op.reference === undefined ? undefined : world.remoteLayer(op.reference, layer);
    stack = stack.with(storedLayer(world.store, stack, layer, remote));
  }
  return stack;
}
