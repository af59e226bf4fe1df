/** One repository of a registry: manifests, blobs and tags. Made by client.ts. */
import type { Descriptor } from "../layerfs/store/descriptor.ts";
import type { Digest } from "../layerfs/store/digest.ts";
import type { Upload } from "./transport/upload.ts";

/** A manifest as it came, byte for byte. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly descriptor: Descriptor;
}

export interface PushBlobOptions {
  /** Repositories of the same registry that are known to hold the blob. */
  readonly mountFrom?: readonly string[];
  /** Told which of them the blob was mounted from. */
  readonly onMount?: (from: string) => void;
  /**
   * The bytes from an offset on, for going on where an upload broke. Without it `open` is read again and what the
   * registry has is passed over: right for files, dear for bytes that come from far.
   */
  readonly openAt?: (from: number) => AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface TagsOptions {
  /** Tags that come after this one in the registry's order. */
  readonly last?: string;
  /** How many tags are asked for at a time (`n`); registries may give fewer. Default: the registry's own choice. */
  readonly pageSize?: number;
  /** At most so many tags in all. */
  readonly limit?: number;
}

export interface ReferrersOptions {
  /** Only those of this artifact type. */
  readonly artifactType?: string;
}

export interface Repository {
  readonly registry: string;
  readonly name: string;
  /** Which manifest a tag or digest names. Throws REG_NOT_FOUND. */
  resolve(tagOrDigest: string): Promise<Descriptor>;
  /**
   * A manifest of any media type whose digest (and size, when a descriptor is given) was verified. Throws REG_NOT_FOUND,
   * REG_DIGEST_MISMATCH, REG_SIZE_MISMATCH, REG_MANIFEST.
   */
  manifest(which: Descriptor | string): Promise<FetchedManifest>;
  /**
   * A blob's bytes from `from` on; a broken connection is resumed where it broke. The caller verifies the digest, which
   * BlobStore.put does. Throws REG_NOT_FOUND, REG_SIZE_MISMATCH.
   */
  blob(blob: Descriptor, from?: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * What came under this digest or tag was something else. A mirror that gave it is asked no more, which is told as a
   * warning; true: then it is worth asking again, of the next place.
   */
  distrust(tagOrDigest: string): boolean;
  hasBlob(digest: Digest, signal?: AbortSignal): Promise<boolean>;
  /** Brings a blob there with as little work as may be; `open` may be called again after a broken connection. */
  pushBlob(
    blob: Descriptor,
    open: () => AsyncIterable<Uint8Array>,
    options?: PushBlobOptions,
  ): Promise<"sent" | "mounted" | "present">;
  /** For a layer that is sent while it is still being made: its digest is said at the end. */
  startUpload(signal?: AbortSignal): Promise<Upload>;
  /**
   * Stores a manifest of any media type as it is, under its digest and, when given, a tag. One with a `subject` can be
   * found by `referrers` afterwards, also where the registry lacks that API. Throws REG_DIGEST_MISMATCH.
   */
  pushManifest(bytes: Uint8Array, mediaType: string, tag?: string): Promise<Descriptor>;
  /** Manifests whose `subject` is this digest, with their artifact types; none is an empty list. */
  referrers(digest: Digest, options?: ReferrersOptions): Promise<Descriptor[]>;
  /** Tags in the registry's order. Throws REG_NOT_FOUND. */
  tags(options?: TagsOptions): Promise<string[]>;
  /** The same page by page, for repositories with more tags than one wants to hold. */
  tagPages(options?: TagsOptions): AsyncIterable<readonly string[]>;
  /**
   * Deletes a tag alone (its manifest and other tags stay), or a manifest by its digest with all its tags.
   * Throws REG_NOT_FOUND, REG_UNSUPPORTED when the registry does not allow deletion, REG_DENIED.
   */
  deleteManifest(tagOrDigest: string): Promise<void>;
  /** Takes a blob out of the repository. Throws as deleteManifest does. */
  deleteBlob(digest: Digest): Promise<void>;
}
