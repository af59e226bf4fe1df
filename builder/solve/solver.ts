/**
 * The walk over the graph. A node is solved once, when somebody needs it: by what stands below it, where it reads other
 * nodes; else its inputs first (side by side), then by key, else by their content, else by carrying it out. Layers are
 * written in the background.
 */
import type { Digest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { orAborted, Slots } from "../../registry/side-by-side.ts";
import type { Node } from "../graph/graph.ts";
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
  ResultCache,
  type ResultRecord,
} from "./cache.ts";
import type { SharedFlights } from "./flights.ts";
import {
  type LayerNode,
  type LayerOp,
  mergedKey,
  readsNodes,
  Structures,
  sourceKey,
  structureFrom,
} from "./structure.ts";

export interface Solved {
  readonly stack: LayerStack;
  /** Names how the result came to be: the chain of definitions. Of a COPY just carried out, known when its layer is. */
  readonly key: Promise<Digest>;
  /** The same without the files of other nodes (structureKey). */
  readonly structure: Promise<Digest>;
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

export class Solver {
  readonly #world: World;
  readonly #options: SolveOptions;
  readonly #cache: ResultCache;
  readonly #slots: Slots;
  /** By id: what two stages do alike is done once. */
  readonly #solved = new Map<Digest, Promise<Solved>>();
  readonly #structures: Structures;

  constructor(world: World, options: SolveOptions) {
    this.#world = world;
    this.#options = options;
    this.#cache = new ResultCache(world.store, options.imported);
    this.#slots = new Slots(options.jobs);
    this.#structures = new Structures({
      ignoreCache: options.ignoreCache,
      mayKnow: async (op) => options.imported !== undefined || (await this.#cache.knows(op)),
      contentOf: async (node) => (steps[node.op.kind] as Step<LayerOp>).contentKey?.(node.op, [], world),
    });
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

  /** What was solved so far; the other nodes nobody needed. */
  solved(node: Node): Promise<Solved> | undefined {
    return this.#solved.get(node.id);
  }

  async #solve(node: Node): Promise<Solved> {
    // Thousands of nodes may stand on each other: none of them begins within the call that begins the one above.
    await undefined;
    const { op } = node;
    if (op.kind === "source") {
      const stack = openSource(op, this.#world);
      this.#reportCached(node);
      const key = Promise.resolve(sourceKey(op));
      return { stack, key, structure: key, createdMs: 0, cached: true, renewed: false };
    }
    if (op.kind === "run") this.#prepareBase(node);
    if (readsNodes(node)) {
      const known = await this.#fromStructure(node as LayerNode);
      if (known) return known;
    }
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

  /**
   * A node that is known by all that stands below it. Of its inputs only the one that it is put onto is solved: the others
   * were read when it was made, and nobody needs their files for it again.
   */
  async #fromStructure(node: LayerNode): Promise<Solved | undefined> {
    const op = opKey(node.op);
    if (!(await this.#cache.knows(op))) return undefined;
    const structure = await this.#structures.of(node);
    if (structure === undefined) return undefined;
    const found = await this.#cache.find(structure);
    if (!found?.definition) return undefined;
    const below = await this.solve(node.inputs[0] as Node);
    // What stands on something that was made anew is the same only if that came out the same.
    if (below.renewed) return undefined;
    this.#reportCached(node);
    const known = { ...found, definition: found.definition, content: undefined };
    return this.#known(node, op, [below], Promise.resolve(structure), known);
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
      this.#reportCached(node);
      const structure = structureFrom(node, found.content.digest, inputs);
      structure.catch(() => undefined);
      return this.#known(node, key, inputs, structure, found);
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
      const { definition, structure, record } = this.#keep(node, key, contentOf, inputs, performed, createdMs);
      this.#whenFinished(node, performed);
      return { stack, key: definition, structure, createdMs, cached: false, renewed: true, record };
    });
  }

  /** What is known of an op on these inputs: first by what needs no files, last by what may have to wait for layers. */
  async #find(op: Digest, inputs: readonly Solved[], contentOf: () => Promise<Digest | undefined>) {
    if (!(await this.#cache.knows(op))) return undefined;
    const [below] = inputs as [Solved];
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
  #known(node: LayerNode, op: Digest, inputs: readonly Solved[], structure: Promise<Digest>, found: Found): Solved {
    const { layer, createdMs, definition, content, remote } = found;
    const { store } = this.#world;
    const [below] = inputs as [Solved];
    const record = async (): Promise<ResultRecord> => {
      const chain = await below.stack.chainId(store);
      const keys = [
        definition,
        ...(readsNodes(node) ? [await structure] : []),
        ...(content ? [contentKey(op, content.digest, chain)] : []),
      ];
      return { op, definition, keys, layer, createdMs, ...(remote ? { remote } : {}) };
    };
    const fetched = remote && {
      ...remote,
      fetch: async () => {
        // Caches last longer than one walk; a walk that has failed does not wait for them.
        await orAborted(remote.fetch(), this.#world.signal);
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
      structure,
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
    node: LayerNode,
    op: Digest,
    contentOf: () => Promise<Digest | undefined>,
    inputs: readonly Solved[],
    performed: Performed,
    createdMs: number,
  ): { definition: Promise<Digest>; structure: Promise<Digest>; record: () => Promise<ResultRecord> } {
    const { background, store } = this.#world;
    const [below] = inputs as [Solved];
    const content = (performed.content ?? Promise.resolve()).then(contentOf);
    const definition = Promise.all([content, below.key]).then(([known, parent]) => definitionKey(op, known, parent));
    definition.catch(() => undefined);
    const structure = content.then((known) => structureFrom(node, known, inputs));
    structure.catch(() => undefined);
    const kept = (async (): Promise<ResultRecord> => {
      const layer = await performed.layer.committed;
      const keys = [
        await definition,
        ...(readsNodes(node) ? [await structure] : []),
        contentKey(op, await content, await below.stack.chainId(store)),
      ];
      const record = { op, definition: await definition, keys, layer, createdMs };
      this.#cache.put(record);
      return record;
    })();
    background(kept);
    return { definition, structure, record: () => kept };
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

  #reportCached(node: Node): void {
    const at = Date.now();
    this.#world.report({ kind: "start", step: { id: node.id, title: node.title }, at });
    this.#world.report({ kind: "done", id: node.id, cached: true, at });
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
  const key = Promise.all([below.key, above.key]).then(mergedKey);
  key.catch(() => undefined);
  const structure = Promise.all([below.structure, above.structure]).then(mergedKey);
  structure.catch(() => undefined);
  const { createdMs } = above;
  return {
    stack,
    key,
    structure,
    createdMs,
    cached: above.cached && below.cached,
    renewed: above.renewed || below.renewed,
  };
}

/** Damaged on the disk, or from the start no layer of that name. What the host refuses is no fault of the layer. */
function isBadLayer(error: unknown): boolean {
  if (!isWbuildError(error)) return false;
  return error.code === "STORE_CORRUPT" || (error.code.startsWith("LAYER_") && error.code !== "LAYER_IO");
}

function isRenewed(inputs: readonly Solved[]): boolean {
  return inputs.some((input) => input.renewed);
}

function createdNow(world: World): number {
  const epoch = world.style.epochSeconds;
  return epoch === undefined ? Date.now() : epoch * 1000;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
