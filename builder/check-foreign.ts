/** RUN steps for another architecture that this host cannot execute: told before any step is carried out. */
import type { Digest } from "../layerfs/store/digest.ts";
import { platformBelow } from "./graph/bottom.ts";
import type { Node } from "./graph/graph.ts";
import { opKey } from "./graph/key.ts";
import { interpreterFor } from "./runtime/foreign.ts";
import { located } from "./steps/located.ts";

/**
 * Throws BOX_EMULATOR with the step's place. A step that may be found in the cache is let through: should it not be found
 * after all, it fails when it is its turn.
 */
export async function checkForeignRuns(
  nodes: readonly Node[],
  mayBeCached: (node: Node, op: Digest) => Promise<boolean>,
): Promise<void> {
  const found = new Map<string, Promise<unknown>>();
  for (const node of nodes) {
    if (node.op.kind !== "run" || node.op.os === "windows") continue;
    const { architecture } = platformBelow(node) ?? {};
    if (architecture === undefined || (await mayBeCached(node, opKey(node.op)))) continue;
    const asked = found.get(architecture) ?? interpreterFor(architecture);
    found.set(architecture, asked);
    await asked.catch((error: unknown) => {
      throw located(error, node);
    });
  }
}
