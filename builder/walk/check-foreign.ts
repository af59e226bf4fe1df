/** RUN steps for another architecture that this host cannot execute: told before any step is carried out. */
import type { Digest } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";
import { platformBelow } from "../graph/bottom.ts";
import type { Node } from "../graph/graph.ts";
import { opKey } from "../graph/key.ts";
import { interpreterFor, isNative } from "../runtime/foreign.ts";
import { located } from "../steps/located.ts";

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
    if (node.op.kind !== "run") continue;
    const { architecture } = platformBelow(node) ?? {};
    if (architecture === undefined || (await mayBeCached(node, opKey(node.op)))) continue;
    const os = node.op.os ?? "linux";
    const asked =
      found.get(`${os}/${architecture}`) ?? (os === "windows" ? wineFor(architecture) : interpreterFor(architecture));
    found.set(`${os}/${architecture}`, asked);
    await asked.catch((error: unknown) => {
      throw located(error, node);
    });
  }
}

/** Wine runs programs of its own architecture alone. */
async function wineFor(architecture: string): Promise<void> {
  if (isNative(architecture)) return;
  throw new WbuildError("BOX_EMULATOR", `Windows programs for ${architecture} cannot run here: Wine has no emulator`, {
    facts: { architecture },
    hint: "build it on a host of that architecture",
  });
}
