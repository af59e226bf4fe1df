/**
 * What was built before: key → layer. A result is found by how it was made (the chain of definitions below it) or by
 * what it was made on (the chain ID of the layers below); the second saves work when a changed step had no effect.
 */
import * as v from "valibot";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";

export interface CachedLayer {
  readonly layer: Layer;
  /** When the step ran: it is what the image's history says, so that a cached build gives the same image. */
  readonly createdMs: number;
}

const digestShape = v.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const recordShape = v.object({
  diffId: digestShape,
  blob: v.object({ mediaType: v.string(), digest: digestShape, size: v.number() }),
  createdMs: v.number(),
});

/** The keys under which a result is kept and looked for. */
export interface ResultKeys {
  /** This op has been carried out at least once, on whatever input. Without it no other key can be there. */
  readonly op: string;
  readonly definition: Digest;
  readonly content?: Digest;
}

export function definitionKey(op: Digest, content: Digest | undefined, parent: Digest): Digest {
  return digestOf(`definition/1 ${op} ${content ?? "-"} ${parent}`);
}

export function contentKey(op: Digest, content: Digest | undefined, chain: Digest | undefined): Digest {
  return digestOf(`content/1 ${op} ${content ?? "-"} ${chain ?? "scratch"}`);
}

export class ResultCache {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** True when an op was ever carried out here. */
  knows(op: Digest): boolean {
    return this.#store.cache.get(`op ${op}`) !== undefined;
  }

  /** A usable result: its blob is in the store. A record that cannot be read or has lost its blob counts as absent. */
  async find(key: Digest): Promise<CachedLayer | undefined> {
    const row = this.#store.cache.get(key);
    if (!row) return undefined;
    const parsed = v.safeParse(recordShape, parse(row.value));
    if (!parsed.success) return undefined;
    const { diffId, blob, createdMs } = parsed.output;
    if ((await this.#store.blobs.has(blob.digest)) !== blob.size) return undefined;
    return { layer: { blob, diffId }, createdMs };
  }

  put(op: Digest, keys: readonly Digest[], result: CachedLayer): void {
    const { diffId, blob } = result.layer;
    const value = JSON.stringify({ diffId, blob, createdMs: result.createdMs });
    for (const key of keys) this.#store.cache.put(key, value, [blob.digest]);
    this.#store.cache.put(`op ${op}`, "{}", []);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
