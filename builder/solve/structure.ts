/**
 * Structure: the key of a node by all that stands below it, down to the bases, and by what is read of contexts. No node needs
 * to be solved for it, so what copies from another stage can be found where nobody has that stage.
 */
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import type { CopyOp, MkdirOp, Node, RunOp, SourceOp } from "../graph/graph.ts";
import { opKey } from "../graph/key.ts";
import { structureKey } from "./cache.ts";

export type LayerOp = RunOp | CopyOp | MkdirOp;
export type LayerNode = Node & { readonly op: LayerOp };

export interface StructureWorld {
  /** Nodes for which no cached result may be used. */
  readonly ignoreCache: (node: Node) => boolean;
  /** Whether a result that reads this much of a context may be known, so that reading it is worth it. */
  readonly mayKnow: (op: Digest) => Promise<boolean>;
  /** Digest of what a node reads of contexts. */
  readonly contentOf: (node: LayerNode) => Promise<Digest | undefined>;
}

/** Keys to look for. What is kept of a node comes from what was read when it was made: contexts change meanwhile. */
export class Structures {
  readonly #world: StructureWorld;
  readonly #known = new Map<Digest, Promise<Digest | undefined>>();

  constructor(world: StructureWorld) {
    this.#world = world;
  }

  /** Undefined when the node must not be found so, or cannot. Never rejects for a context in which something is wrong. */
  of(node: Node): Promise<Digest | undefined> {
    let structure = this.#known.get(node.id);
    if (!structure) {
      structure = this.#of(node);
      this.#known.set(node.id, structure);
    }
    return structure;
  }

  async #of(node: Node): Promise<Digest | undefined> {
    // Thousands of nodes may stand on each other: none begins within the call of the one above.
    await undefined;
    const { op } = node;
    if (op.kind === "source") return sourceKey(op);
    if (this.#world.ignoreCache(node)) return undefined;
    const inputs: Digest[] = [];
    for (const key of await Promise.all(node.inputs.map((input) => this.of(input)))) {
      if (key === undefined) return undefined;
      inputs.push(key);
    }
    if (op.kind === "merge") return mergedKey(inputs);
    const key = opKey(op);
    if (!readsContext(node as LayerNode)) return structureKey(key, undefined, inputs);
    if (!(await this.#world.mayKnow(key))) return undefined;
    // What is wrong with the context is told by the step itself, which then cannot be found.
    const content = await this.#world.contentOf(node as LayerNode).catch(() => undefined);
    return content && structureKey(key, content, inputs);
  }
}

/** The structure of a node that was solved. `content`: what it read of a context, or of other nodes, which does not count. */
export async function structureFrom(
  node: LayerNode,
  content: Digest | undefined,
  inputs: readonly { readonly structure: Promise<Digest> }[],
): Promise<Digest> {
  const below = await Promise.all(inputs.map((input) => input.structure));
  return structureKey(opKey(node.op), readsContext(node) ? content : undefined, below);
}

/** Whether it reads other nodes than the one that it is put onto. */
export function readsNodes({ op, inputs }: Node): boolean {
  return op.kind !== "merge" && inputs.length > 1;
}

function readsContext({ op }: LayerNode): boolean {
  return (op.kind === "copy" || op.kind === "add") && op.from === "context";
}

/** A base: its layers, whatever name led to them. */
export function sourceKey({ layers }: SourceOp): Digest {
  return digestOf(`source/1 ${layers.map((layer) => layer.diffId).join(" ")}`);
}

/** A merge: the keys of what is laid on top of each other, lowest first. */
export function mergedKey(inputs: readonly Digest[]): Digest {
  return digestOf(`merge/1 ${inputs.join(" ")}`);
}
