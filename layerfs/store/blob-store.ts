/** BlobStore: content by digest. The narrowest role that serves a caller is the one to ask for. */
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";

export interface ByteRange {
  /** First byte, from 0. */
  readonly from: number;
  /** One past the last byte; the end when absent. */
  readonly to?: number;
}

export interface BlobExpectation {
  readonly mediaType: string;
  /** When given, `put` fails with STORE_DIGEST_MISMATCH if the bytes differ, and stores nothing. */
  readonly digest?: Digest;
  /** Bytes. When given, `put` fails with STORE_SIZE_MISMATCH as soon as one byte too many arrives, or at a short end. */
  readonly size?: number;
}

export interface FetchOptions {
  /** Nobody else looks at the chunks again, as is so when they come from a socket: their memory may be freed at once. */
  readonly areSpent?: boolean;
  /** Ends the waiting for somebody else who fetches the same blob. */
  readonly signal?: AbortSignal | undefined;
}

export interface BlobStore {
  /** The size in bytes of a stored blob, or undefined. */
  has(digest: Digest): Promise<number | undefined>;
  /** Bytes that check themselves: iteration of the whole blob throws STORE_CORRUPT at its end instead of finishing. Throws STORE_NO_BLOB. */
  open(blob: Pick<Descriptor, "digest" | "size">, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Idempotent: resolves when the content is durable, whoever stored it. */
  put(bytes: AsyncIterable<Uint8Array> | Uint8Array, expect: BlobExpectation): Promise<Descriptor>;
  /**
   * As `put`, for bytes that come from far: when they break off, what came is kept, and the next call goes on from there,
   * also in another process. `openAt` gives the bytes from an offset on. The whole is verified, whoever fetched its parts;
   * parts that turn out wrong are dropped and fetched again. While somebody else fetches the blob the call waits for that, and
   * `openAt` may never be called. Stores without it keep nothing.
   */
  fetch?(
    blob: Descriptor,
    openAt: (from: number) => AsyncIterable<Uint8Array>,
    options?: FetchOptions,
  ): Promise<Descriptor>;
}

/** What a store on disk can do besides: give out and take back whole files, so that native code can write them. */
export interface BlobFiles extends BlobStore {
  /** Absolute path of a stored blob's file (read-only for callers). */
  path(digest: Digest): string;
  /**
   * The bytes of a blob while `coming` fetches it, unverified, from the first one on; undefined when this process has nothing to
   * read along. They also end where the transfer fails: only `coming` tells whether they were the blob.
   */
  follow(digest: Digest, coming: Promise<unknown>): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** A fresh file name on the store's own file system, protected from collection until released. */
  reserve(): Promise<ReservedFile>;
}

export interface ReservedFile extends AsyncDisposable {
  readonly path: string;
  /**
   * Makes the finished file a blob: sync, rename, sync the folder. The caller vouches for digest and size.
   * Content that is there already wins and the file is dropped.
   */
  commit(blob: Descriptor): Promise<Descriptor>;
}
