/** Several graphs of one build (one a platform) seen as one walk. */
import type { BuildGraph, Node } from "./graph.ts";

/** Every node of all graphs once, inputs before users; of nodes with the same id, the first one met. */
export function allNodes(graphs: readonly BuildGraph[]): Node[] {
  const found = new Map<string, Node>();
  for (const { nodes } of graphs) for (const node of nodes) if (!found.has(node.id)) found.set(node.id, node);
  return [...found.values()];
}
