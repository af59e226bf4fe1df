/** A BlobStore in memory that keeps the store's promises: digests and sizes are verified as bytes flow. */
import type { BlobExpectation, BlobStore, ByteRange } from "../../layerfs/store/blob-store.ts";
import type { Descriptor } from "../../layerfs/store/descriptor.ts";
import { type Digest, digestOf } from "../../layerfs/store/digest.ts";
import { WbuildError } from "../../native/error.ts";

export class MemoryBlobs implements BlobStore {
  readonly content = new Map<Digest, Uint8Array>();

  async has(digest: Digest): Promise<number | undefined> {
    return this.content.get(digest)?.length;
  }

  async *open(blob: Pick<Descriptor, "digest" | "size">, range?: ByteRange): AsyncIterable<Uint8Array> {
    const bytes = this.content.get(blob.digest);
    if (!bytes) throw new WbuildError("STORE_NO_BLOB", `no blob ${blob.digest}`);
    const to = range?.to ?? bytes.length;
    for (let at = range?.from ?? 0; at < to; at += 65536) yield bytes.subarray(at, Math.min(to, at + 65536));
  }

  async put(bytes: AsyncIterable<Uint8Array> | Uint8Array, expect: BlobExpectation): Promise<Descriptor> {
    const parts: Uint8Array[] = [];
    let size = 0;
    const take = (part: Uint8Array) => {
      size += part.length;
      if (expect.size !== undefined && size > expect.size) throw sizeMismatch(expect.size, size);
      parts.push(Buffer.from(part));
    };
    if (bytes instanceof Uint8Array) take(bytes);
    else for await (const part of bytes) take(part);
    if (expect.size !== undefined && size !== expect.size) throw sizeMismatch(expect.size, size);
    const all = Buffer.concat(parts);
    const digest = digestOf(all);
    if (expect.digest !== undefined && digest !== expect.digest)
      throw new WbuildError("STORE_DIGEST_MISMATCH", `content is ${digest}, not ${expect.digest}`);
    this.content.set(digest, all);
    return { mediaType: expect.mediaType, digest, size };
  }
}

function sizeMismatch(expected: number, found: number): WbuildError {
  return new WbuildError("STORE_SIZE_MISMATCH", `expected ${expected} bytes, found ${found}`, {
    facts: { expected, found },
  });
}
