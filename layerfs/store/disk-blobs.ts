/** Blobs as files: temporary name, sync, rename, sync the folder. Bytes are checked on their way in and out. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { Arrivals } from "./arrivals.ts";
import type { BlobExpectation, BlobFiles, ByteRange, FetchOptions, ReservedFile } from "./blob-store.ts";
import type { Descriptor } from "./descriptor.ts";
import { type Digest, digestOf } from "./digest.ts";
import { openDigester } from "./digester.ts";
import { isMissing, storeError } from "./failure.ts";
import { type Layout, shardedPath } from "./layout.ts";
import { claimPartial, partialEnding } from "./partial.ts";
import type { Session } from "./session.ts";
import { takeTurn } from "./turn.ts";
import { writeStream } from "./write-stream.ts";

const chunkBytes = 256 * 1024;

/** A blob of this size, which manifests and configurations seldom reach, is read at once: to ask another thread takes longer. */
const smallBytes = 64 * 1024;

/** Content that lies here for longer is on the disk for sure; a younger file's folder may still wait for its sync. */
const settledMs = 10_000;

type Bytes = AsyncIterable<Uint8Array> | Uint8Array;

/** Implements the contract of blob-store.ts on a folder. Every method throws STORE_DIGEST_SYNTAX for what is no digest. */
export class DiskBlobs implements BlobFiles {
  readonly #layout: Layout;
  readonly #session: Session;
  readonly #arrivals = new Arrivals();

  constructor(layout: Layout, session: Session) {
    this.#layout = layout;
    this.#session = session;
  }

  path(digest: Digest): string {
    return shardedPath(this.#layout.blobs, digest);
  }

  /** As `has`, at once. */
  sizeOf(digest: Digest): number | undefined {
    return this.#session.hold([digest], () => this.#stat(digest)?.size);
  }

  async has(digest: Digest): Promise<number | undefined> {
    return this.sizeOf(digest);
  }

  #stat(digest: Digest): { size: number; ctimeMs: number } | undefined {
    const path = this.path(digest);
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      return found?.isFile() ? found : undefined;
    } catch (cause) {
      throw storeError(cause, "look for a blob", path);
    }
  }

  async *open(blob: Pick<Descriptor, "digest" | "size">, range?: ByteRange): AsyncIterable<Uint8Array> {
    const path = this.path(blob.digest);
    const from = range?.from ?? 0;
    const to = Math.min(range?.to ?? blob.size, blob.size);
    if (from < 0 || !Number.isSafeInteger(from) || !Number.isSafeInteger(to))
      throw new RangeError("no such byte range");
    if (blob.size <= smallBytes) {
      const whole = this.#readSmall(blob, path);
      if (from < to) yield whole.subarray(from, to);
      return;
    }
    await using file = await this.#openFile(blob.digest, path);
    const { size } = await file.stat();
    if (size !== blob.size) throw corrupt(blob.digest, path, { expected: blob.size, found: size });
    await using digester = from === 0 && to === blob.size ? openDigester(blob.size) : undefined;
    for (let at = from; at < to; ) {
      // A buffer of its own for each chunk: whoever takes it may keep it.
      const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, to - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at).catch((cause: unknown) => {
        throw storeError(cause, "read a blob", path);
      });
      if (bytesRead === 0) throw corrupt(blob.digest, path, { expected: blob.size, found: at });
      at += bytesRead;
      const chunk = buffer.subarray(0, bytesRead);
      await digester?.update(chunk);
      yield chunk;
    }
    const found = await digester?.digest();
    if (found !== undefined && found !== blob.digest)
      throw corrupt(blob.digest, path, { expected: blob.digest, found });
  }

  /** All of a small blob, checked. */
  #readSmall({ digest, size }: Pick<Descriptor, "digest" | "size">, path: string): Uint8Array {
    let bytes: Buffer;
    try {
      const file = openSync(path, "r");
      try {
        const found = fstatSync(file).size;
        if (found !== size) throw corrupt(digest, path, { expected: size, found });
        bytes = Buffer.allocUnsafeSlow(size);
        for (let at = 0; at < size; ) {
          const count = readSync(file, bytes, at, size - at, at);
          if (count === 0) throw corrupt(digest, path, { expected: size, found: at });
          at += count;
        }
      } finally {
        closeSync(file);
      }
    } catch (cause) {
      throw isMissing(cause) ? noBlob(digest, cause) : storeError(cause, "read a blob", path);
    }
    const found = digestOf(bytes);
    if (found !== digest) throw corrupt(digest, path, { expected: digest, found });
    return bytes;
  }

  async #openFile(digest: Digest, path: string): Promise<FileHandle> {
    try {
      return await open(path, "r");
    } catch (cause) {
      if (!isMissing(cause)) throw storeError(cause, "read a blob", path);
      throw noBlob(digest, cause);
    }
  }

  async put(bytes: Bytes, expect: BlobExpectation): Promise<Descriptor> {
    if (bytes instanceof Uint8Array) {
      const blob = { mediaType: expect.mediaType, digest: digestOf(bytes), size: bytes.length };
      checkSize(expect, blob.size, true);
      checkDigest(expect, blob.digest);
      using _lease = this.#session.lease();
      if (this.sizeOf(blob.digest) === blob.size) return this.#settled(blob);
      return this.#write(oneChunk(bytes), expect);
    }
    return this.#write(bytes, expect);
  }

  async #write(bytes: AsyncIterable<Uint8Array>, expect: BlobExpectation): Promise<Descriptor> {
    await using reserved = await this.reserve();
    let size = 0;
    let digest: Digest;
    {
      await using file = await open(reserved.path, "wx", 0o600).catch((cause: unknown) => {
        throw storeError(cause, "make a file", reserved.path);
      });
      const checked = (chunk: Uint8Array) => {
        size += chunk.length;
        checkSize(expect, size, false);
      };
      digest = await writeStream(file, bytes, checked, { path: reserved.path, at: 0 });
    }
    checkSize(expect, size, true);
    checkDigest(expect, digest);
    return await reserved.commit({ mediaType: expect.mediaType, digest, size });
  }

  async fetch(
    blob: Descriptor,
    openAt: (from: number) => AsyncIterable<Uint8Array>,
    options: FetchOptions = {},
  ): Promise<Descriptor> {
    using _lease = this.#session.lease();
    const isHere = () => this.sizeOf(blob.digest) === blob.size;
    if (isHere()) return this.#settled(blob);
    using _turn = await takeTurn(this.#layout, blob.digest, { isHere, signal: options.signal });
    if (isHere()) return this.#settled(blob);
    const path = this.#session.tempPath(partialEnding(blob.digest));
    const claim = claimPartial(this.#layout, blob.digest, path);
    let from = claim.size <= blob.size ? claim.size : 0;
    try {
      for (;;) {
        try {
          return await this.#fill(path, from, blob, openAt, options);
        } catch (error) {
          const isWrong = isWbuildError(error, "STORE_DIGEST_MISMATCH") || isWbuildError(error, "STORE_SIZE_MISMATCH");
          const isEmpty = (await stat(path).catch(() => undefined))?.size === 0;
          // A full disk: others need the room more than the next try does.
          if (isWrong || isEmpty || isWbuildError(error, "STORE_FULL")) await rm(path, { force: true });
          // What was kept may have been damaged (a power cut leaves zeros): then the whole is fetched.
          if (!isWrong || from === 0) throw error;
          from = 0;
        }
      }
    } finally {
      claim.release();
    }
  }

  async #fill(
    path: string,
    from: number,
    blob: Descriptor,
    openAt: (from: number) => AsyncIterable<Uint8Array>,
    { areSpent }: FetchOptions,
  ): Promise<Descriptor> {
    let size = from;
    let digest: Digest;
    {
      await using file = await open(path, from > 0 ? "r+" : "w", 0o600).catch((cause: unknown) => {
        throw storeError(cause, "make a file", path);
      });
      const arrival = this.#arrivals.begin(blob.digest, path);
      const checked = (chunk: Uint8Array) => {
        checkSize(blob, size + chunk.length, false);
        size += chunk.length;
        arrival.grew(size);
      };
      const isAsked = size < blob.size || blob.size === 0;
      try {
        digest = await writeStream(file, isAsked ? openAt(size) : nothing(), checked, { path, at: size, areSpent });
      } finally {
        arrival.end();
      }
    }
    checkSize(blob, size, true);
    checkDigest(blob, digest);
    return await this.#commit(path, blob);
  }

  follow(digest: Digest, coming: Promise<unknown>): Promise<AsyncIterable<Uint8Array> | undefined> {
    return this.#arrivals.follow(digest, coming);
  }

  async reserve(): Promise<ReservedFile> {
    const lease = this.#session.lease();
    const path = this.#session.tempPath();
    return {
      path,
      commit: (blob) => this.#commit(path, blob),
      [Symbol.asyncDispose]: async () => {
        await rm(path, { force: true });
        lease[Symbol.dispose]();
      },
    };
  }

  async #commit(path: string, blob: Descriptor): Promise<Descriptor> {
    const place = this.path(blob.digest);
    try {
      {
        await using file = await open(path, "r+");
        const { size } = await file.stat();
        if (size !== blob.size) throw sizeMismatch(blob.size, size);
        await file.chmod(0o444);
        await file.sync();
      }
      if ((await mkdir(dirname(place), { recursive: true, mode: 0o700 })) !== undefined) {
        await syncFolder(this.#layout.blobs);
      }
      // A file of another size is damaged: replacing it heals the store.
      if (this.sizeOf(blob.digest) === blob.size) return await this.#settled(blob);
      // Held since sizeOf, so no collection takes it from here on.
      await rename(path, place);
      await syncFolder(dirname(place));
      return blob;
    } catch (cause) {
      throw storeError(cause, "store a blob", place);
    }
  }

  /** Somebody stored it before; perhaps a moment ago, and has not yet synced the folder. */
  async #settled(blob: Descriptor): Promise<Descriptor> {
    const found = this.#stat(blob.digest);
    if (found !== undefined && Date.now() - found.ctimeMs < settledMs)
      await syncFolder(dirname(this.path(blob.digest)));
    return blob;
  }
}

function noBlob(digest: Digest, cause: unknown): WbuildError {
  return new WbuildError("STORE_NO_BLOB", `the store has no blob ${digest}`, { facts: { digest }, cause });
}

async function* oneChunk(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* nothing(): AsyncIterable<Uint8Array> {}

/** Makes renames in a folder survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

function sizeMismatch(expected: number, found: number): WbuildError {
  return new WbuildError("STORE_SIZE_MISMATCH", `expected ${expected} bytes but got ${found}`, {
    facts: { expected, found },
  });
}

function checkSize(expect: BlobExpectation, size: number, atEnd: boolean): void {
  if (expect.size !== undefined && (size > expect.size || (atEnd && size < expect.size)))
    throw sizeMismatch(expect.size, size);
}

function checkDigest(expect: BlobExpectation, found: Digest): void {
  if (expect.digest === undefined || expect.digest === found) return;
  throw new WbuildError("STORE_DIGEST_MISMATCH", `expected content ${expect.digest} but got ${found}`, {
    facts: { expected: expect.digest, found },
  });
}

function corrupt(digest: Digest, path: string, facts: { expected: unknown; found: unknown }): WbuildError {
  return new WbuildError("STORE_CORRUPT", `stored blob ${digest} is damaged`, {
    facts: { digest, path, ...facts },
    hint: "remove it with `wbuild prune`, then pull or build again",
  });
}
