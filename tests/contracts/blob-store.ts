/** What every BlobStore promises (layerfs/store/blob-store.ts). Given a way to make one, it runs the same suite on it. */
import test from "ava";
import fc from "fast-check";
import type { BlobExpectation, BlobStore } from "../../layerfs/store/blob-store.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { isWbuildError } from "../../native/error.ts";

export interface BlobStoreUnderTest extends AsyncDisposable {
  readonly blobs: BlobStore;
}

const mediaType = "application/octet-stream";
const bytesOf = (text: string) => new TextEncoder().encode(text);

async function* inChunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function gather(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const hello = bytesOf("hello, blob");
const other = digestOf("something else");

const refused: [name: string, bytes: () => Uint8Array | AsyncIterable<Uint8Array>, expect: object, code: string][] = [
  ["bytes with another digest", () => hello, { digest: other }, "STORE_DIGEST_MISMATCH"],
  ["a stream with another digest", () => inChunks(hello, 3), { digest: other }, "STORE_DIGEST_MISMATCH"],
  ["bytes that are too long", () => hello, { size: hello.length - 1 }, "STORE_SIZE_MISMATCH"],
  ["a stream that is too long", () => inChunks(hello, 3), { size: hello.length - 1 }, "STORE_SIZE_MISMATCH"],
  ["a stream that never ends", () => forever(), { size: 100_000 }, "STORE_SIZE_MISMATCH"],
  ["bytes that are too short", () => hello, { size: hello.length + 1 }, "STORE_SIZE_MISMATCH"],
  ["a stream that is too short", () => inChunks(hello, 3), { size: hello.length + 1 }, "STORE_SIZE_MISMATCH"],
];

async function* forever(): AsyncIterable<Uint8Array> {
  for (;;) yield new Uint8Array(1000);
}

export function blobStoreContract(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  test(`${name}: what was put comes out again`, async (t) => {
    await using it = await make();
    t.is(await it.blobs.has(digestOf(hello)), undefined);
    const blob = await it.blobs.put(inChunks(hello, 4), { mediaType });
    t.deepEqual(blob, { mediaType, digest: digestOf(hello), size: hello.length });
    t.is(await it.blobs.has(blob.digest), hello.length);
    t.deepEqual(await gather(it.blobs.open(blob)), Buffer.from(hello));
  });

  test(`${name}: an empty blob is a blob`, async (t) => {
    await using it = await make();
    for (const bytes of [new Uint8Array(), inChunks(new Uint8Array(), 1)]) {
      const blob = await it.blobs.put(bytes, { mediaType, size: 0 });
      t.is(await it.blobs.has(blob.digest), 0);
      t.is((await gather(it.blobs.open(blob))).length, 0);
    }
  });

  for (const [what, bytes, expect, code] of refused) {
    test(`${name}: put refuses ${what} and stores nothing`, async (t) => {
      await using it = await make();
      const error = await t.throwsAsync(it.blobs.put(bytes(), { mediaType, ...expect } as BlobExpectation));
      t.true(isWbuildError(error, code as "STORE_SIZE_MISMATCH"), String(error));
      t.is(await it.blobs.has(digestOf(hello)), undefined);
      t.is(await it.blobs.has(other), undefined);
    });
  }

  test(`${name}: an error of the source passes as it is and nothing is stored`, async (t) => {
    await using it = await make();
    const cause = new Error("the line went dead");
    const broken = async function* () {
      yield hello;
      throw cause;
    };
    t.is(await t.throwsAsync(it.blobs.put(broken(), { mediaType })), cause);
    t.is(await it.blobs.has(digestOf(hello)), undefined);
  });

  test(`${name}: opening what is not there says STORE_NO_BLOB`, async (t) => {
    await using it = await make();
    const error = await t.throwsAsync(gather(it.blobs.open({ digest: other, size: 3 })));
    t.true(isWbuildError(error, "STORE_NO_BLOB"), String(error));
  });

  test(`${name}: the same content put twice, and ten times at once`, async (t) => {
    await using it = await make();
    const first = await it.blobs.put(hello, { mediaType });
    t.deepEqual(await it.blobs.put(inChunks(hello, 2), { mediaType }), first);
    const big = new Uint8Array(300_000).fill(7);
    const all = await Promise.all(Array.from({ length: 10 }, () => it.blobs.put(inChunks(big, 65_536), { mediaType })));
    t.is(new Set(all.map((blob) => blob.digest)).size, 1);
    t.deepEqual(await gather(it.blobs.open(all[0]!)), Buffer.from(big));
  });

  test(`${name}: a range gives just these bytes`, async (t) => {
    await using it = await make();
    const bytes = Uint8Array.from({ length: 700_000 }, (_, i) => i * 31);
    const blob = await it.blobs.put(bytes, { mediaType });
    await fc.assert(
      fc.asyncProperty(fc.nat(750_000), fc.option(fc.nat(750_000), { nil: undefined }), async (from, to) => {
        const range = to === undefined ? { from } : { from, to };
        const expected = Buffer.from(bytes.subarray(from, Math.max(from, to ?? bytes.length)));
        t.deepEqual(await gather(it.blobs.open(blob, range)), expected);
      }),
      { numRuns: 30 },
    );
  });
}
