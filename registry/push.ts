/** From a store to a registry, byte for byte: layers and configuration side by side, then the manifest that names them. */
import type { BlobStore } from "../layerfs/store/blob-store.ts";
import type { Descriptor } from "../layerfs/store/descriptor.ts";
import type { Digest } from "../layerfs/store/digest.ts";
import { WbuildError } from "../native/error.ts";
import type { RegistryClient } from "./client.ts";
import { isForeign } from "./oci/image.ts";
import { isIndexType, isManifestType, maxManifestBytes, parseIndex, parseManifest } from "./oci/schema.ts";
import { labelOf } from "./pull.ts";
import type { Reference } from "./reference.ts";
import type { Repository } from "./repository.ts";
import { distinct, type OnProgress, reported, sideBySide, withoutBytes } from "./side-by-side.ts";

export interface PushOptions {
  /** Repositories of the same registry that are known to hold a blob. */
  readonly mountFrom?: (digest: Digest) => readonly string[];
  /** Fetches a blob that the store lacks; asked for only when the registry lacks it, too. */
  readonly bring?: (blob: Descriptor) => Promise<void>;
  /**
   * The bytes of a blob that the store lacks, from their start, for a push that keeps nothing; undefined to have it brought. Called
   * once for a blob: an upload that breaks goes on from what was brought.
   */
  readonly pass?: (blob: Descriptor) => AsyncIterable<Uint8Array> | undefined;
  /** Asks for the manifest first: where it is, all that it names is, too. One round trip more for each image that is not. */
  readonly mayBeThere?: boolean;
  /** Sends foreign layers (see isForeign) too; without it, their descriptors alone. */
  readonly allowNondistributable?: boolean;
  readonly onProgress?: OnProgress;
  /** Uploads at a time; default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

export interface PushResult {
  readonly descriptor: Descriptor;
  /** How many blobs went which way. */
  readonly sent: number;
  readonly mounted: number;
  readonly present: number;
  /** Foreign layers whose bytes stay where their descriptors say. */
  readonly leftOut: number;
}

const defaultConcurrency = 4;
const maxIndexDepth = 3;

/**
 * Pushes an image or an index with all its images, and tags it. Throws REG_INCOMPLETE when the store lacks a part,
 * and what Repository.pushBlob and pushManifest throw.
 */
export async function pushImage(
  client: RegistryClient,
  descriptor: Descriptor,
  reference: Reference,
  from: BlobStore,
  options: PushOptions = {},
): Promise<PushResult> {
  const repository = client.repository(reference, { isTarget: true });
  const push = new Push(repository, from, options);
  const state = options.mayBeThere ? await stateAt(client, reference, descriptor) : "absent";
  if (state !== "absent") {
    if (state === "there")
      await repository.pushManifest(await readManifest(descriptor, from), descriptor.mediaType, reference.tag);
    const { digest, size } = descriptor;
    options.onProgress?.({ digest, label: labelOf(digest), total: size, done: size, ...withoutBytes("present") });
  } else await push.tree(descriptor, reference.tag);
  return { descriptor, ...push.counts };
}

/** There under its digest; done: and under the name. */
async function stateAt(client: RegistryClient, reference: Reference, descriptor: Descriptor) {
  const { remoteTarget } = await import("./copy/remote.ts");
  return remoteTarget(client, reference).state(descriptor, "named");
}

/** One image on its way. */
class Push {
  readonly counts = { sent: 0, mounted: 0, present: 0, leftOut: 0 };
  readonly #repository: Repository;
  readonly #from: BlobStore;
  readonly #options: PushOptions;

  constructor(repository: Repository, from: BlobStore, options: PushOptions) {
    this.#repository = repository;
    this.#from = from;
    this.#options = options;
  }

  async tree(descriptor: Descriptor, tag: string | undefined, depth = 0): Promise<void> {
    const { mediaType } = descriptor;
    const bytes = await readManifest(descriptor, this.#from);
    if (isIndexType(mediaType)) {
      if (depth === maxIndexDepth)
        throw new WbuildError(
          "REG_MANIFEST",
          `the image to push to ${this.#repository.registry} has indexes in indexes in indexes`,
        );
      // Children first: registries refuse an index that names what they do not have.
      for (const child of parseIndex(bytes, mediaType).manifests) await this.tree(child, undefined, depth + 1);
    } else if (isManifestType(mediaType)) {
      const { layers, config } = parseManifest(bytes, mediaType);
      const { concurrency = defaultConcurrency, signal } = this.#options;
      await sideBySide(distinct([...layers, config]), concurrency, signal, (blob, stop) => this.#blob(blob, stop));
    }
    // What is neither is carried as it is: whether it can be used is a question for those who know its type.
    await this.#repository.pushManifest(bytes, mediaType, tag);
  }

  async #blob(blob: Descriptor, signal: AbortSignal): Promise<void> {
    const { allowNondistributable, bring, mountFrom, onProgress, pass } = this.#options;
    const event = { digest: blob.digest, label: labelOf(blob.digest), total: blob.size };
    // Layers that only their maker may serve stay with their maker; a registry needs just their descriptor.
    if (isForeign(blob) && allowNondistributable !== true) {
      this.counts.leftOut++;
      onProgress?.({ ...event, done: blob.size, ...withoutBytes("left out") });
      return;
    }
    const others = mountFrom?.(blob.digest) ?? [];
    const isHere = async () => (await this.#from.has(blob.digest)) !== undefined;
    const isElsewhere = async () => others.length > 0 || (await this.#repository.hasBlob(blob.digest, signal));
    // A blob that was never fetched (a lazily resolved base) may be there already, or in another repository.
    if (!bring && !(await isHere()) && !(await isElsewhere())) throw incomplete(blob);
    const open = this.#from.open.bind(this.#from);
    let isFirst = true;
    const bytes = async function* (at: number) {
      if (!(await isHere())) {
        const passed = isFirst && at === 0 ? pass?.(blob) : undefined;
        isFirst = false;
        if (passed) return yield* passed;
        await bring?.(blob);
      }
      if (!(await isHere())) throw incomplete(blob);
      yield* open(blob, { from: at });
    };
    const openAt = (at: number) => (onProgress ? reported(bytes(at), event, onProgress, at) : bytes(at));
    let from: string | undefined;
    const how = await this.#repository.pushBlob(blob, () => openAt(0), {
      openAt,
      mountFrom: others,
      onMount: (other) => {
        from = other;
      },
      signal,
    });
    this.counts[how]++;
    if (how !== "sent") onProgress?.({ ...event, done: blob.size, ...withoutBytes(how, from) });
  }
}

function incomplete({ digest }: Descriptor): WbuildError {
  return new WbuildError("REG_INCOMPLETE", `blob ${digest} of the image is not in the store`, {
    facts: { digest },
    hint: "pull or build the image again",
  });
}

async function readManifest(descriptor: Descriptor, from: BlobStore): Promise<Uint8Array> {
  if ((await from.has(descriptor.digest)) === undefined)
    throw new WbuildError("REG_INCOMPLETE", `manifest ${descriptor.digest} is not in the store`, {
      facts: { digest: descriptor.digest },
      hint: "pull the image for the platforms that it names",
    });
  if (descriptor.size > maxManifestBytes)
    throw new WbuildError(
      "REG_MANIFEST",
      `manifest ${descriptor.digest} has ${descriptor.size} bytes, too many for a registry`,
    );
  const parts: Uint8Array[] = [];
  for await (const part of from.open(descriptor)) parts.push(part);
  return Buffer.concat(parts);
}
