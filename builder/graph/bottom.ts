/** What a node's files begin with. */
import type { Node } from "./graph.ts";

/** The platform of the image (or of scratch) that a node stands on; undefined for files without one. */
export function platformBelow(node: Node) {
  let bottom: Node | undefined = node;
  while (bottom && bottom.op.kind !== "source") bottom = bottom.inputs[0];
  return bottom?.op.kind === "source" ? bottom.op.platform : undefined;
}
