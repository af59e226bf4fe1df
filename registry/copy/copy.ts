/**
 * An image from one place to another, byte for byte: manifests and blobs keep their digests, what is there already is
 * not sent, and blobs flow from source to target without a stop on the disk.
 */
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { fromWhoHasIt } from "../from-who-has-it.ts";
import { isForeign } from "../oci/image.ts";
import { isIndexType } from "../oci/schema.ts";
import { type Choose, labelOf } from "../pull.ts";
import type { FetchedManifest } from "../repository.ts";
import { distinct, type OnProgress, reported, Slots, sideBySide, withoutBytes } from "../side-by-side.ts";
import { contentOf } from "./content.ts";
import type { CopySource, CopyTarget, Role } from "./place.ts";
import { checked, verified } from "./verified.ts";

export interface CopyOptions {
  /** Picks one image of an index; absent: the index with all its images. */
  readonly choose?: Choose;
  /** Signatures, attestations and whatever else refers to what is copied, too. */
  readonly includeReferrers?: boolean;
  /** Foreign layers (see isForeign) too; without it, their descriptors alone. */
  readonly allowNondistributable?: boolean;
  readonly onProgress?: OnProgress;
  /** Blobs at a time; default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

export interface CopyResult {
  readonly descriptor: Descriptor;
  /** Manifests that the target did not have under their name. */
  readonly manifests: number;
  /** How many blobs went which way. Those of images that the target had are not counted: nobody looked at them. */
  readonly sent: number;
  readonly mounted: number;
  readonly present: number;
  readonly leftOut: number;
  readonly referrers: number;
  /** What the source lists as a referrer, and does not have. */
  readonly gone: number;
}

const defaultConcurrency = 4;
const manifestsAtATime = 4;
/** Indexes in indexes, and signatures of signatures, are legal; towers of them are an attack. */
const maxDepth = 4;

/**
 * Copies what the source's name means to the target's name. Throws REG_PLATFORM, REG_MANIFEST, REG_DIGEST_MISMATCH,
 * REG_ARCHIVE_FORMAT (the target cannot hold it without a conversion, which this never does), and what both places throw.
 */
export async function copyImage(from: CopySource, to: CopyTarget, options: CopyOptions = {}): Promise<CopyResult> {
  if (options.includeReferrers && !to.takesReferrers)
    throw new WbuildError("REG_ARCHIVE_FORMAT", `${to.place} cannot hold what refers to an image`, {
      hint: "leave out --include-referrers, or copy to a registry or an OCI layout",
    });
  if (options.includeReferrers && !from.referrers)
    throw new WbuildError("REG_ARCHIVE_FORMAT", `${from.place} cannot tell what refers to its images`, {
      hint: "leave out --include-referrers, or copy from a registry or an OCI layout",
    });
  const work = new Copying(from, to, options);
  try {
    const named = await chosen(from, to, checked(await from.named(), from), options.choose, 0);
    await work.manifest(named.descriptor, "named", 0, named);
    if (options.includeReferrers) await work.referrers();
    await to.finish();
    return { descriptor: named.descriptor, ...work.counts };
  } catch (error) {
    await to.abort();
    throw error;
  }
}

/**
 * Brings manifests of a source with all that they name, so that an index at the target may name them. The target gets no
 * name, and is neither finished nor aborted here. Throws what copyImage throws.
 */
export async function copyParts(
  from: CopySource,
  to: CopyTarget,
  manifests: readonly Descriptor[],
  options: Omit<CopyOptions, "choose" | "includeReferrers"> = {},
): Promise<Omit<CopyResult, "descriptor">> {
  const work = new Copying(from, to, options);
  await sideBySide(distinct(manifests), manifestsAtATime, options.signal, (one, signal) =>
    work.manifest(one, "part", 1, undefined, signal),
  );
  return work.counts;
}

class Copying {
  readonly counts = { manifests: 0, sent: 0, mounted: 0, present: 0, leftOut: 0, referrers: 0, gone: 0 };
  readonly #from: CopySource;
  readonly #to: CopyTarget;
  readonly #options: CopyOptions;
  /** Images of one index share layers: each goes once, whoever needs it waits for it. */
  readonly #blobs = new Map<Digest, Promise<void>>();
  readonly #manifests = new Map<string, Promise<void>>();
  /** For blobs of all manifests together. */
  readonly #slots: Slots;

  constructor(from: CopySource, to: CopyTarget, options: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#slots = new Slots(options.concurrency ?? defaultConcurrency);
  }

  /** A manifest with all that it names, parts first: registries refuse what names something that they lack. */
  manifest(
    descriptor: Descriptor,
    role: Role,
    depth: number,
    known?: FetchedManifest,
    signal: AbortSignal | undefined = this.#options.signal,
  ): Promise<void> {
    const key = `${descriptor.digest} ${typeof role === "string" ? role : role.tag}`;
    let running = this.#manifests.get(key);
    if (!running) {
      running = this.#tree(descriptor, role, depth, known, signal);
      this.#manifests.set(key, running);
    }
    return running;
  }

  /** After the image itself: a source that names an image as its own referrer must not make us wait for ourselves. */
  async referrers(): Promise<void> {
    const { signal } = this.#options;
    const asked = new Set<Digest>();
    for (let depth = 0; depth < maxDepth; depth++) {
      const fresh = [...this.#manifests.keys()].map((key) => key.split(" ")[0] as Digest);
      const round = [...new Set(fresh)].filter((digest) => !asked.has(digest));
      if (round.length === 0) return;
      await sideBySide(round, manifestsAtATime, signal, async (digest, both) => {
        asked.add(digest);
        const found = (await this.#from.referrers?.(digest)) ?? [];
        for (const { descriptor, tag } of found) {
          const role = tag === undefined ? "referrer" : { tag };
          const isThere = await this.manifest(descriptor, role, 0, undefined, both).then(
            () => true,
            (error: unknown) => ifGone(error, descriptor),
          );
          if (isThere) this.counts.referrers++;
          else this.counts.gone++;
        }
      });
    }
  }

  async #tree(
    descriptor: Descriptor,
    role: Role,
    depth: number,
    known: FetchedManifest | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (depth > maxDepth)
      throw new WbuildError("REG_MANIFEST", `${this.#from.place} has indexes in indexes in indexes`);
    const state = await this.#to.state(descriptor, role);
    // One question is enough for an image: a registry has taken its manifest only with its blobs. An index may have been
    // taken without its images, so each of these is asked for.
    if (state === "done" && !isIndexType(descriptor.mediaType)) return;
    const manifest = known ?? checked(await this.#from.manifest(descriptor), this.#from, descriptor);
    await this.#parts(manifest, depth, state === "absent", signal);
    if (state === "done") return;
    signal?.throwIfAborted();
    await this.#to.putManifest(manifest, role);
    this.counts.manifests++;
  }

  async #parts(manifest: FetchedManifest, depth: number, isAbsent: boolean, signal?: AbortSignal): Promise<void> {
    const { manifests, blobs } = contentOf(manifest);
    await sideBySide(distinct(manifests), manifestsAtATime, signal, (child, both) =>
      this.manifest(child, "part", depth + 1, undefined, both),
    );
    if (!isAbsent) return;
    await sideBySide(distinct(blobs), this.#options.concurrency ?? defaultConcurrency, signal, (blob, both) =>
      this.#once(blob, both),
    );
  }

  #once(blob: Descriptor, signal: AbortSignal): Promise<void> {
    let running = this.#blobs.get(blob.digest);
    if (!running) {
      running = this.#slots.use(() => this.#blob(blob, signal));
      this.#blobs.set(blob.digest, running);
    }
    return running;
  }

  #sourceOf({ digest }: Descriptor) {
    const registry = this.#to.repository?.registry;
    const name = registry === undefined ? undefined : this.#from.repositoryOf?.(digest, registry);
    return registry === undefined || name === undefined ? undefined : { registry, name };
  }

  async #blob(blob: Descriptor, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { onProgress } = this.#options;
    const event = { digest: blob.digest, label: labelOf(blob.digest), total: blob.size };
    // Layers that only their maker may serve stay with their maker; a registry needs just their descriptor.
    if (isForeign(blob) && this.#options.allowNondistributable !== true) {
      this.counts.leftOut++;
      onProgress?.({ ...event, done: blob.size, ...withoutBytes("left out") });
      return;
    }
    const open = (start = 0) => {
      const bytes = verified(this.#from.blob(blob, start, signal), blob, start, this.#from.place);
      return onProgress ? reported(bytes, event, onProgress, start) : bytes;
    };
    const repository = this.#from.repository ?? this.#sourceOf(blob);
    const put = () => this.#to.putBlob(blob, open, { signal, ...(repository ? { from: repository } : {}) });
    const distrust = this.#to.isOneWay ? undefined : this.#from.distrust;
    const how = await (distrust ? fromWhoHasIt({ distrust }, blob.digest, put) : put());
    this.counts[how]++;
    if (how !== "sent") onProgress?.({ ...event, done: blob.size, ...withoutBytes(how, repository?.name) });
  }
}

/**
 * False when the manifest itself is not there: a list that clients keep under a tag may name what somebody has deleted
 * since, and must not keep an image from being copied for ever. Whatever else is wrong is thrown.
 */
function ifGone(error: unknown, { digest }: Descriptor): false {
  if (isWbuildError(error, "REG_NOT_FOUND") && String(error.facts.operation).endsWith(`manifest ${digest}`))
    return false;
  throw error;
}

/** One image where one is asked for, or where the target holds only one. */
async function chosen(
  from: CopySource,
  to: CopyTarget,
  named: FetchedManifest,
  choose: Choose | undefined,
  depth: number,
): Promise<FetchedManifest> {
  if (!isIndexType(named.mediaType) || (choose === undefined && to.onlyOne === undefined)) return named;
  if (depth === maxDepth) throw new WbuildError("REG_MANIFEST", `${from.place} has indexes in indexes in indexes`);
  const { manifests } = contentOf(named);
  const images = manifests.filter(({ platform }) => platform?.os !== "unknown");
  if (!choose && images.length !== 1)
    throw new WbuildError("REG_ARCHIVE_FORMAT", `${from.place} has ${images.length} images, and ${to.onlyOne}`, {
      hint: "choose one with --platform",
    });
  const choice = choose ? choose(images) : images[0];
  if (!choice) {
    const offered = images.flatMap(({ platform }) => (platform ? [`${platform.os}/${platform.architecture}`] : []));
    throw new WbuildError("REG_PLATFORM", `${from.place} has no image for the platform that is wanted`, {
      facts: { offered },
      hint: `it has: ${offered.slice(0, 50).join(", ") || "none that names a platform"}`,
    });
  }
  return chosen(from, to, checked(await from.manifest(choice), from, choice), choose, depth + 1);
}
