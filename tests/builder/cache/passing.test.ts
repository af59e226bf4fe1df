/** Layers that pass from a cache to another place: whatever is wrong with them is known before their last bytes are given. */
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import test from "ava";
import { passing } from "../../../builder/cache/passing.ts";
import type { Layer } from "../../../layerfs/store/descriptor.ts";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { mediaTypes } from "../../../registry/oci/image.ts";

const tar = randomBytes(3 << 20);
const bytes = gzipSync(tar);
const garbage = randomBytes(1 << 20);
const signal = new AbortController().signal;

function layerOf(blob: Uint8Array, diffId = digestOf(tar)): Layer {
  return { blob: { mediaType: mediaTypes.ociLayerGzip, digest: digestOf(blob), size: blob.length }, diffId };
}

async function* inParts(blob: Uint8Array, size = 64 << 10): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < blob.length; at += size) yield blob.subarray(at, at + size);
}

async function* breaking(): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 100_000);
  throw new Error("broken off");
}

/** What is given, and what it ends with. */
async function passed(source: AsyncIterable<Uint8Array>, layer: Layer) {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of passing(source, layer, "a cache", signal)) parts.push(part);
    return { given: Buffer.concat(parts), error: undefined };
  } catch (error) {
    return { given: Buffer.concat(parts), error: error as Error & { code?: string } };
  }
}

for (const size of [1000, 64 << 10, bytes.length])
  test(`what is right passes unchanged, in parts of ${size}`, async (t) => {
    const { given, error } = await passed(inParts(bytes, size), layerOf(bytes));
    t.is(error, undefined);
    t.true(given.equals(bytes));
  });

test("an empty layer passes", async (t) => {
  const empty = gzipSync(Buffer.alloc(0));
  t.true((await passed(inParts(empty), layerOf(empty, digestOf("")))).given.equals(empty));
});

const other = Buffer.from(bytes);
other[other.length - 9] = (other[other.length - 9] ?? 0) ^ 1;

const wrong: Readonly<Record<string, readonly [source: () => AsyncIterable<Uint8Array>, layer: Layer, told: RegExp]>> =
  {
    "other bytes": [() => inParts(other), layerOf(bytes), /./],
    "too few bytes": [() => inParts(bytes.subarray(0, -1)), layerOf(bytes), /REG_SIZE_MISMATCH/],
    "too many bytes": [() => inParts(Buffer.concat([bytes, bytes])), layerOf(bytes), /REG_SIZE_MISMATCH/],
    "another diffID": [() => inParts(bytes), layerOf(bytes, digestOf("lie")), /CACHE_LOST/],
    "what cannot be decompressed": [() => inParts(garbage), layerOf(garbage), /./],
    "a source that breaks off": [breaking, layerOf(bytes), /broken off/],
  };
for (const [what, [source, layer, told]] of Object.entries(wrong))
  test(`${what}: told of before the last bytes are given`, async (t) => {
    const { given, error } = await passed(source(), layer);
    t.regex(`${error?.code} ${error?.message}`, told);
    t.not(error, undefined);
    t.true(given.length < layer.blob.size);
  });

test("who stops taking ends it, and the source is closed", async (t) => {
  let isClosed = false;
  async function* source() {
    try {
      yield* inParts(bytes);
    } finally {
      isClosed = true;
    }
  }
  for await (const _ of passing(source(), layerOf(bytes), "a cache", signal)) break;
  t.true(isClosed);
});
