/** What a RUN that failed has left: a layer like any other, so that its files can be looked into on every system. */
import type { Node, RunOp } from "../graph/graph.ts";
import type { StepLayer } from "../runtime/runtime.ts";
import { commitLayer } from "./commit.ts";
import { type LayerStack, storedLayer } from "./stack.ts";
import type { World } from "./step.ts";

/** The stack with what the step changed on top. `folder` is the upper folder it wrote to. */
export async function stackLeft(
  node: Node & { readonly op: RunOp },
  left: StepLayer,
  folder: string,
  below: LayerStack,
  { tail: _, ...world }: World,
): Promise<LayerStack> {
  const layer = await commitLayer(node, left.input, world, { fileDigests: false }).layer;
  const { unpacked } = left;
  return below.with(
    unpacked === undefined
      ? storedLayer(world.store, below, layer)
      : { committed: Promise.resolve(layer), changes: async () => unpacked(), folder: async () => folder },
  );
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
