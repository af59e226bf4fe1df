/**
 * The walk over the graph. A node is solved once, when somebody needs it: its inputs first (side by side), then by
 * key, else by the content of its inputs, else by carrying it out. Layers are written in the background.
 */
import type { Digest } from "../../layerfs/store/digest.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import type { CopyOp, MkdirOp, Node, RunOp } from "../graph/graph.ts";
import { opKey } from "../graph/key.ts";
import { addStep } from "../steps/add.ts";
import { copyStep } from "../steps/copy.ts";
import { located } from "../steps/located.ts";
import { mkdirStep } from "../steps/mkdir.ts";
import { runStep } from "../steps/run.ts";
import { openSource } from "../steps/source.ts";
import { type LayerStack, storedLayer } from "../steps/stack.ts";
import type { Performed, Step, World } from "../steps/step.ts";
import { contentKey, definitionKey, ResultCache } from "./cache.ts";
import { Slots } from "./schedule.ts";

export interface Solved {
  readonly stack: LayerStack;
  /** Names how the result came to be: the chain of definitions. Of a COPY just carried out, known when its layer is. */
  readonly key: Promise<Digest>;
  readonly createdMs: number;
  readonly cached: boolean;
}

export interface SolveOptions {
  /** How many steps may run at the same time. */
  readonly jobs: number;
  /** Nodes for which no cached result may be used. */
  readonly ignoreCache: (node: Node) => boolean;
}

/** Steps by kind; each takes the op of its own kind, which the table's keys guarantee. */
const steps: { readonly [Kind in LayerOp["kind"]]: Step<Extract<LayerOp, { kind: Kind }>> } = {
  run: runStep,
  copy: copyStep,
  add: addStep,
  mkdir: mkdirStep,
};

type LayerOp = RunOp | CopyOp | MkdirOp;

export class Solver {
  readonly #world: World;
  readonly #options: SolveOptions;
  readonly #cache: ResultCache;
  readonly #slots: Slots;
  /** By id: what two stages do alike is done once. */
  readonly #solved = new Map<Digest, Promise<Solved>>();

  constructor(world: World, options: SolveOptions) {
    this.#world = world;
    this.#options = options;
    this.#cache = new ResultCache(world.store);
    this.#slots = new Slots(options.jobs);
  }

  /** Resolves when the node's files are known; its layer may still be being written. Rejects with the step's error. */
  solve(node: Node): Promise<Solved> {
    let solved = this.#solved.get(node.id);
    if (!solved) {
      solved = this.#solve(node);
      this.#solved.set(node.id, solved);
    }
    return solved;
  }

  /** Resolves when nothing that was begun is still running, however it ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#solved.values());
  }

  async #solve(node: Node): Promise<Solved> {
    const { op } = node;
    if (op.kind === "source") {
      const stack = openSource(op, this.#world);
      const key = digestOf(`source/1 ${op.layers.map((layer) => layer.diffId).join(" ")}`);
      this.#report(node, true);
      return { stack, key: Promise.resolve(key), createdMs: 0, cached: true };
    }
    if (op.kind === "run") this.#prepareBase(node);
    const inputs = await Promise.all(node.inputs.map((input) => this.solve(input)));
    this.#world.signal.throwIfAborted();
    try {
      return await this.#layerNode(node as LayerNode, inputs);
    } catch (error) {
      if (this.#world.signal.aborted) this.#world.report({ kind: "canceled", id: node.id, at: Date.now() });
      else this.#world.report({ kind: "failed", id: node.id, message: messageOf(error), at: Date.now() });
      throw located(error, node);
    }
  }

  /** A RUN that was never carried out will be: its base is unpacked while the steps in between are still at work. */
  #prepareBase(run: Node): void {
    if (this.#cache.knows(opKey(run.op))) return;
    let base = run;
    while (base.inputs[0]) base = base.inputs[0];
    // Only an advance: what goes wrong is met again, and told, by whoever needs the folders.
    this.#world.background(this.solve(base).then(async ({ stack }) => stack.folders().catch(() => undefined)));
  }

  async #layerNode(node: LayerNode, inputs: readonly Solved[]): Promise<Solved> {
    const world = this.#world;
    const [below] = inputs as [Solved];
    const stacks = inputs.map((input) => input.stack);
    // The table gives each kind its own step: the compiler cannot follow the op through the look-up.
    const step = steps[node.op.kind] as Step<LayerOp>;
    const key = opKey(node.op);
    const contentOf = async () => step.contentKey?.(node.op, stacks, world);
    if (this.#cache.knows(key) && !this.#options.ignoreCache(node)) {
      const content = await contentOf();
      const definition = definitionKey(key, content, await below.key);
      // Waiting for the chain ID of layers that are still being written is worth it only now that the op is known.
      const found =
        (await this.#cache.find(definition)) ??
        (await this.#cache.find(contentKey(key, content, await below.stack.chainId(world.store))));
      if (found) {
        this.#report(node, true);
        const layer = storedLayer(world.store, below.stack, found.layer);
        return {
          stack: below.stack.with(layer),
          key: Promise.resolve(definition),
          createdMs: found.createdMs,
          cached: true,
        };
      }
    }
    return this.#slots.use(async () => {
      world.signal.throwIfAborted();
      this.#world.report({ kind: "start", step: { id: node.id, title: node.title }, at: Date.now() });
      const createdMs = createdNow(world);
      const performed = await step.perform(node, stacks, world);
      const stack = below.stack.with(performed.layer);
      const definition = this.#keep(key, contentOf, below, performed, createdMs);
      this.#whenFinished(node, performed);
      return { stack, key: definition, createdMs, cached: false };
    });
  }

  /** Records the result once its layer is durable. */
  #keep(
    op: Digest,
    contentOf: () => Promise<Digest | undefined>,
    below: Solved,
    performed: Performed,
    createdMs: number,
  ): Promise<Digest> {
    const { background, store } = this.#world;
    const content = (performed.content ?? Promise.resolve()).then(contentOf);
    const key = Promise.all([content, below.key]).then(([known, parent]) => definitionKey(op, known, parent));
    key.catch(() => undefined);
    const kept = (async () => {
      const layer = await performed.layer.committed;
      const byContent = contentKey(op, await content, await below.stack.chainId(store));
      this.#cache.put(op, [await key, byContent], { layer, createdMs });
    })();
    background(kept);
    return key;
  }

  #whenFinished(node: Node, performed: Performed): void {
    const { report, background } = this.#world;
    const done = performed.finished.then(
      () => report({ kind: "done", id: node.id, cached: false, at: Date.now() }),
      (error: unknown) => {
        report({ kind: "failed", id: node.id, message: messageOf(error), at: Date.now() });
        throw error;
      },
    );
    background(done);
  }

  #report(node: Node, cached: boolean): void {
    const at = Date.now();
    this.#world.report({ kind: "start", step: { id: node.id, title: node.title }, at });
    this.#world.report({ kind: "done", id: node.id, cached, at });
  }
}

type LayerNode = Node & { readonly op: LayerOp };

function createdNow(world: World): number {
  const epoch = world.style.epochSeconds;
  return epoch === undefined ? Date.now() : epoch * 1000;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
