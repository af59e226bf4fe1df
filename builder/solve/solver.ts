/**
 * The walk over the graph. A node is solved once, when somebody needs it: its inputs first (side by side), then by
 * key, else by the content of its inputs, else by carrying it out. Layers are written in the background.
 */
import type { Digest } from "../../layerfs/store/digest.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { Slots } from "../../registry/side-by-side.ts";
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
import {
  type CachedLayer,
  contentKey,
  definitionKey,
  type ImportedResults,
  inputsKey,
  ResultCache,
  type ResultRecord,
} from "./cache.ts";
import type { SharedFlights } from "./flights.ts";

export interface Solved {
  readonly stack: LayerStack;
  /** Names how the result came to be: the chain of definitions. Of a COPY just carried out, known when its layer is. */
  readonly key: Promise<Digest>;
  readonly createdMs: number;
  readonly cached: boolean;
  /** Carried out by this build, or standing on such a node: its key may have meant other files before. */
  readonly renewed: boolean;
  /** What another machine needs to find the result; absent for a source. Resolves when the layer is durable. */
  readonly record?: () => Promise<ResultRecord>;
}

export interface SolveOptions {
  /** How many steps may run at the same time. */
  readonly jobs: number;
  /** Nodes for which no cached result may be used. */
  readonly ignoreCache: (node: Node) => boolean;
  /** With other builds of this process: what they have in hand is not begun again. */
  readonly shared?: SharedFlights;
  /** Results from elsewhere, once they are read; asked for only when the store lacks one. Never rejects. */
  readonly imported?: () => Promise<ImportedResults | undefined>;
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
    this.#cache = new ResultCache(world.store, options.imported);
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
      return { stack, key: Promise.resolve(key), createdMs: 0, cached: true, renewed: false };
    }
    if (op.kind === "run") this.#prepareBase(node);
    const inputs = await Promise.all(node.inputs.map((input) => this.solve(input)));
    this.#world.signal.throwIfAborted();
    if (op.kind === "merge") return merged(inputs as [Solved, Solved]);
    try {
      return await this.#layerNode(node as LayerNode, inputs);
    } catch (error) {
      if (this.#world.signal.aborted) this.#world.report({ kind: "canceled", id: node.id, at: Date.now() });
      else {
        this.#world.report({ kind: "failed", id: node.id, message: messageOf(error), at: Date.now() });
        // A RUN has told of itself already, and more than is known here.
        const [below] = inputs;
        if (below) this.#world.onFailure?.({ node, error, stack: below.stack });
      }
      throw located(error, node);
    }
  }

  /** A RUN that was never carried out will be: its base is unpacked while the steps in between are still at work. */
  #prepareBase(run: Node): void {
    const unpack = async () => {
      if (await this.#cache.knows(opKey(run.op))) return;
      let base = run;
      while (base.inputs[0]) base = base.inputs[0];
      const { stack } = await this.solve(base);
      // Only an advance: what goes wrong is met again, and told, by whoever needs the folders.
      await stack.folders().catch(() => undefined);
    };
    this.#world.background(unpack());
  }

  async #layerNode(node: LayerNode, inputs: readonly Solved[]): Promise<Solved> {
    const world = this.#world;
    const stacks = inputs.map((input) => input.stack);
    // The table gives each kind its own step: the compiler cannot follow the op through the look-up.
    const step = steps[node.op.kind] as Step<LayerOp>;
    const key = opKey(node.op);
    const contentOf = async () => step.contentKey?.(node.op, stacks, world);
    const find = () => this.#find(key, inputs, contentOf);
    const usesCache = !this.#options.ignoreCache(node);
    let found = usesCache ? await find() : undefined;
    const { shared } = this.#options;
    const flight = `${shared?.scope} ${node.id}`;
    // Between the last look and `begin` nothing is awaited: of two builds only one begins.
    while (shared && usesCache && !found) {
      const other = shared.flights.other(flight);
      if (!other) break;
      await other;
      found = await find();
    }
    if (found) {
      this.#report(node, true);
      return this.#known(key, inputs, found);
    }
    const work = this.#perform(node, key, inputs, contentOf);
    const kept = work.then((solved) => solved.record?.());
    shared?.flights.begin(flight, kept);
    kept.catch(() => undefined);
    return work;
  }

  #perform(
    node: LayerNode,
    key: Digest,
    inputs: readonly Solved[],
    contentOf: () => Promise<Digest | undefined>,
  ): Promise<Solved> {
    const world = this.#world;
    const [below] = inputs as [Solved];
    const stacks = inputs.map((input) => input.stack);
    const step = steps[node.op.kind] as Step<LayerOp>;
    return this.#slots.use(async () => {
      world.signal.throwIfAborted();
      this.#world.report({ kind: "start", step: { id: node.id, title: node.title }, at: Date.now() });
      const createdMs = createdNow(world);
      const performed = await step.perform(node, stacks, world);
      const stack = below.stack.with(performed.layer);
      const { definition, record } = this.#keep(key, contentOf, inputs, performed, createdMs);
      this.#whenFinished(node, performed);
      return { stack, key: definition, createdMs, cached: false, renewed: true, record };
    });
  }

  /** What is known of an op on these inputs: first by what needs no files, last by what may have to wait for layers. */
  async #find(op: Digest, inputs: readonly Solved[], contentOf: () => Promise<Digest | undefined>) {
    if (!(await this.#cache.knows(op))) return undefined;
    const [below] = inputs as [Solved];
    // What stands on something that was made anew is the same only if that came out the same.
    if (!isRenewed(inputs) && inputs.length > 1) {
      const found = await this.#cache.find(inputsKey(op, await keysOf(inputs)));
      if (found?.definition) return { ...found, definition: found.definition, content: undefined };
    }
    const content = await contentOf();
    const definition = definitionKey(op, content, await below.key);
    // Of other nodes than the one below, the digest says what they hold now.
    const byDefinition = !isRenewed(content === undefined ? inputs : [below]);
    const found =
      (byDefinition ? await this.#cache.find(definition) : undefined) ??
      // Waiting for the chain ID of layers that are still being written is worth it only now that the op is known.
      (await this.#cache.find(contentKey(op, content, await below.stack.chainId(this.#world.store))));
    return found && { ...found, definition, content: { digest: content } };
  }

  /** A node that need not be carried out. Its layer may lie elsewhere still: the store learns of it when it comes here. */
  #known(op: Digest, inputs: readonly Solved[], found: Found): Solved {
    const { layer, createdMs, definition, content, remote } = found;
    const { store } = this.#world;
    const [below] = inputs as [Solved];
    const record = async (): Promise<ResultRecord> => {
      const chain = await below.stack.chainId(store);
      const keys = [
        definition,
        ...(inputs.length > 1 ? [inputsKey(op, await keysOf(inputs))] : []),
        ...(content ? [contentKey(op, content.digest, chain)] : []),
      ];
      return { op, definition, keys, layer, createdMs, ...(remote ? { remote } : {}) };
    };
    const fetched = remote && {
      ...remote,
      fetch: async () => {
        await remote.fetch();
        this.#cache.put(await record());
      },
    };
    const stored = storedLayer(store, below.stack, layer, fetched);
    const checked = <T>(work: Promise<T>) => work.catch((error) => this.#unusable(error, record));
    return {
      stack: below.stack.with({
        ...stored,
        folder: () => checked(stored.folder()),
        changes: () => checked(stored.changes()),
      }),
      key: Promise.resolve(definition),
      createdMs,
      cached: true,
      renewed: isRenewed(inputs),
      record,
    };
  }

  /** A cached layer that cannot be unpacked is not what its record says: that is forgotten, and CACHE_LOST thrown. */
  async #unusable(error: unknown, record: () => Promise<ResultRecord>): Promise<never> {
    if (!isBadLayer(error)) throw error;
    const found = await record();
    const { digest } = found.layer.blob;
    await this.#world.store.verify({ only: [digest], remove: true });
    await this.#cache.forget(found);
    this.#world.warn(`layer ${digest} of the cache cannot be used, and is made again: ${messageOf(error)}`);
    throw new WbuildError("CACHE_LOST", `the cache has lost layer ${digest}`, { facts: { digest }, cause: error });
  }

  /** Records the result once its layer is durable. */
  #keep(
    op: Digest,
    contentOf: () => Promise<Digest | undefined>,
    inputs: readonly Solved[],
    performed: Performed,
    createdMs: number,
  ): { definition: Promise<Digest>; record: () => Promise<ResultRecord> } {
    const { background, store } = this.#world;
    const [below] = inputs as [Solved];
    const content = (performed.content ?? Promise.resolve()).then(contentOf);
    const definition = Promise.all([content, below.key]).then(([known, parent]) => definitionKey(op, known, parent));
    definition.catch(() => undefined);
    const kept = (async (): Promise<ResultRecord> => {
      const layer = await performed.layer.committed;
      const keys = [
        await definition,
        ...(inputs.length > 1 ? [inputsKey(op, await keysOf(inputs))] : []),
        contentKey(op, await content, await below.stack.chainId(store)),
      ];
      const record = { op, definition: await definition, keys, layer, createdMs };
      this.#cache.put(record);
      return record;
    })();
    background(kept);
    return { definition, record: () => kept };
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

type Found = CachedLayer & {
  readonly definition: Digest;
  /** Undefined when nobody has looked at what the inputs hold. */
  readonly content: { readonly digest: Digest | undefined } | undefined;
};

/** What was made on nothing, on top of what a stage has: nothing is carried out, and so nothing is told. */
function merged([below, above]: [Solved, Solved]): Solved {
  const stack = above.stack.layers.reduce((all, layer) => all.with(layer), below.stack);
  const key = Promise.all([below.key, above.key]).then((keys) => digestOf(`merge/1 ${keys.join(" ")}`));
  key.catch(() => undefined);
  const { createdMs } = above;
  return { stack, key, createdMs, cached: above.cached && below.cached, renewed: above.renewed || below.renewed };
}

/** Damaged on the disk, or from the start no layer of that name. What the host refuses is no fault of the layer. */
function isBadLayer(error: unknown): boolean {
  if (!isWbuildError(error)) return false;
  return error.code === "STORE_CORRUPT" || (error.code.startsWith("LAYER_") && error.code !== "LAYER_IO");
}

function keysOf(inputs: readonly Solved[]): Promise<Digest[]> {
  return Promise.all(inputs.map((input) => input.key));
}

function isRenewed(inputs: readonly Solved[]): boolean {
  return inputs.some((input) => input.renewed);
}

type LayerNode = Node & { readonly op: LayerOp };

function createdNow(world: World): number {
  const epoch = world.style.epochSeconds;
  return epoch === undefined ? Date.now() : epoch * 1000;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
