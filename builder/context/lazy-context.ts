/** A context that is opened when somebody needs its files. Its keys are kept by what it is, so that a cached build opens nothing. */
import { type Digest, digestOf, isDigest } from "../../layerfs/store/digest.ts";
import type { FactTable } from "../../layerfs/store/facts.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import type { BuildContext } from "./context.ts";

export interface LazyOptions {
  readonly facts: FactTable;
  /** Names once and for all what is in it, such as a commit. Absent: it may change, and its keys are its own business. */
  readonly identify?: () => Promise<string>;
  readonly open: () => Promise<BuildContext>;
}

export class LazyContext implements BuildContext {
  readonly tree: Tree;
  readonly #options: LazyOptions;
  #opened: Promise<BuildContext> | undefined;

  constructor(options: LazyOptions) {
    this.#options = options;
    const tree = async () => (await this.#open()).tree;
    this.tree = {
      resolve: async (...args) => (await tree()).resolve(...args),
      stat: async (path) => (await tree()).stat(path),
      list: async (path) => (await tree()).list(path),
      walk: async (path) => (await tree()).walk(path),
      digest: async (entry) => (await tree()).digest(entry),
      async *read(entry) {
        yield* (await tree()).read(entry);
      },
    };
  }

  #open(): Promise<BuildContext> {
    this.#opened ??= this.#options.open();
    return this.#opened;
  }

  async contentKey(query: Parameters<BuildContext["contentKey"]>[0]): Promise<Digest> {
    const { facts, identify } = this.#options;
    if (!identify) return (await this.#open()).contentKey(query);
    const name = `remote ${digestOf(await identify())} ${digestOf(JSON.stringify(query))}`;
    const known = facts.get(name);
    if (typeof known === "string" && isDigest(known)) return known;
    const key = await (await this.#open()).contentKey(query);
    facts.set(name, key);
    return key;
  }

  async note(query: Parameters<BuildContext["note"]>[0]): Promise<void> {
    await (await this.#open()).note(query);
  }

  async sweep(selected: Parameters<BuildContext["sweep"]>[0]) {
    return (await this.#open()).sweep(selected);
  }

  async rememberSweep(...args: Parameters<BuildContext["rememberSweep"]>): Promise<void> {
    await (await this.#open()).rememberSweep(...args);
  }

  async remember(...args: Parameters<BuildContext["remember"]>): Promise<void> {
    await (await this.#open()).remember(...args);
  }

  async missing(source: string) {
    return (await this.#open()).missing(source);
  }
}
