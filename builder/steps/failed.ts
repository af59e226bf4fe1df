/** What a RUN that failed has left: a layer like any other, so that its files can be looked into on every system. */
import type { Node, RunOp } from "../graph/graph.ts";
import type { Execution } from "../runtime/runtime.ts";
import { commitLayer } from "./commit.ts";
import { type LayerStack, storedLayer } from "./stack.ts";
import type { World } from "./step.ts";

/** The stack with what the step changed on top; undefined, with a warning, where that cannot be had. */
export async function stackLeft(
  node: Node & { readonly op: RunOp },
  step: Execution,
  below: LayerStack,
  { tail: _, ...world }: World,
): Promise<LayerStack | undefined> {
  try {
    const { input, unpacked } = await step.layer(world.style);
    const layer = await commitLayer(node, input, world, { fileDigests: false }).layer;
    return below.with(
      unpacked === undefined
        ? storedLayer(world.store, below, layer)
        : { committed: Promise.resolve(layer), changes: async () => unpacked(), folder: async () => step.folder },
    );
  } catch (error) {
    // The step's own failure is what people must hear of.
    world.warn(
      `what the failed step changed cannot be kept: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** A resource that ends with its scope, unless somebody takes it over. */
export class Held implements AsyncDisposable {
  #resource: AsyncDisposable | undefined;

  constructor(resource: AsyncDisposable) {
    this.#resource = resource;
  }

  /** From now on the caller disposes it. */
  take(): AsyncDisposable {
    const resource = this.#resource;
    this.#resource = undefined;
    return { [Symbol.asyncDispose]: async () => resource?.[Symbol.asyncDispose]() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.take()[Symbol.asyncDispose]();
  }
}
