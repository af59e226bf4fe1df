/**
 * What was built before: key → layer. A result is found by how it was made (the chain of definitions below it) or by
 * what it was made on (the chain ID of the layers below); the second saves work when a changed step had no effect.
 */
import * as v from "valibot";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf, isDigest } from "../../layerfs/store/digest.ts";
import type { Store } from "../../layerfs/store/store.ts";
import type { RemoteBlob } from "../steps/stack.ts";

export interface CachedLayer {
  readonly layer: Layer;
  /** When the step ran: it is what the image's history says, so that a cached build gives the same image. */
  readonly createdMs: number;
  /** The key by definition under which it is kept, for a result that was found without it. */
  readonly definition?: Digest;
  /** Where the blob comes from when it is not in the store yet. */
  readonly remote?: RemoteBlob;
}

/** A result with all that others need to find it: what one machine tells another. */
export interface ResultRecord extends CachedLayer {
  readonly op: Digest;
  readonly definition: Digest;
  /** The definition among them. */
  readonly keys: readonly Digest[];
}

/** Results that were read from elsewhere. A record whose blob was found to be lost is not given again. */
export interface ImportedResults {
  knows(op: Digest): boolean;
  find(key: Digest): (CachedLayer & { readonly remote: RemoteBlob }) | undefined;
  /** No result with this blob is given any more: it is not what its record says. */
  forget(blob: Digest): void;
}

const digestShape = v.custom<Digest>((value) => typeof value === "string" && isDigest(value));
const recordShape = v.object({
  diffId: digestShape,
  blob: v.object({ mediaType: v.string(), digest: digestShape, size: v.number() }),
  createdMs: v.number(),
  definition: v.exactOptional(digestShape),
});

/** By the op, the digest of the files that it reads (none: undefined), and the key of what it stands on. */
export function definitionKey(op: Digest, content: Digest | undefined, parent: Digest): Digest {
  return digestOf(`definition/1 ${op} ${content ?? "-"} ${parent}`);
}

/**
 * By all that is below, down to the bases, and what is read of contexts; `inputs` are such keys. For an op that reads other
 * nodes: to find it so, none of them needs to be here, or to be found.
 */
export function structureKey(op: Digest, content: Digest | undefined, inputs: readonly Digest[]): Digest {
  return digestOf(`structure/1 ${op} ${content ?? "-"} ${inputs.join(" ")}`);
}

/** By the same on the chain ID of the layers below, however these came to be; without layers it is undefined. */
export function contentKey(op: Digest, content: Digest | undefined, chain: Digest | undefined): Digest {
  return digestOf(`content/1 ${op} ${content ?? "-"} ${chain ?? "scratch"}`);
}

export class ResultCache {
  readonly #store: Store;
  readonly #imported: () => Promise<ImportedResults | undefined>;

  /** `imported` is asked when the store does not know; it never rejects. */
  constructor(store: Store, imported: () => Promise<ImportedResults | undefined> = async () => undefined) {
    this.#store = store;
    this.#imported = imported;
  }

  /** True when an op was ever carried out, here or where results were imported from. Without that no key can be found. */
  async knows(op: Digest): Promise<boolean> {
    return this.#store.cache.get(`op ${op}`) !== undefined || (await this.#imported())?.knows(op) === true;
  }

  /** A usable result: its blob is in the store, or it is known where it is. */
  async find(key: Digest): Promise<CachedLayer | undefined> {
    return (await this.#stored(key)) ?? (await this.#imported())?.find(key);
  }

  /** A record that cannot be read or has lost its blob counts as absent. */
  async #stored(key: Digest): Promise<CachedLayer | undefined> {
    const row = this.#store.cache.get(key);
    if (!row) return undefined;
    const parsed = v.safeParse(recordShape, parse(row.value));
    if (!parsed.success) return undefined;
    const { diffId, blob, createdMs, definition } = parsed.output;
    if ((await this.#store.blobs.has(blob.digest)) !== blob.size) return undefined;
    return { layer: { blob, diffId }, createdMs, ...(definition === undefined ? {} : { definition }) };
  }

  /** A result whose layer cannot be used: no key finds it any more. */
  async forget({ keys, layer }: ResultRecord): Promise<void> {
    for (const key of keys) this.#store.cache.delete(key);
    (await this.#imported())?.forget(layer.blob.digest);
  }

  /** Keeps a result whose blob is in the store. */
  put({ op, keys, layer, createdMs, definition }: ResultRecord): void {
    const { mediaType, digest, size } = layer.blob;
    const blob = { mediaType, digest, size };
    const value = JSON.stringify({ diffId: layer.diffId, blob, createdMs, definition });
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
