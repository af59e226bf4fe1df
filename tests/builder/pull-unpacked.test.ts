/** Pulls that unpack while layers come: what ends all of it, and that nothing is at work or left behind then. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test from "ava";
import { bringUnpacked } from "../../builder/open-image.ts";
import type { Descriptor, Layer } from "../../layerfs/store/descriptor.ts";
import { digestOf } from "../../layerfs/store/digest.ts";
import { packedTar } from "../doubles/packed-tar.ts";
import { makeHome } from "../layerfs/store/home.ts";

async function layerOf(name: string) {
  const tar = await packedTar((pack) => pack.entry({ name }, name));
  const bytes = gzipSync(tar);
  const blob = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: digestOf(bytes),
    size: bytes.length,
  };
  return { bytes, layer: { blob, diffId: digestOf(tar) } satisfies Layer };
}

/** Half of a layer, and then nothing more before somebody ends it. */
async function* stalled(bytes: Uint8Array, signal: AbortSignal, reached: () => void) {
  yield bytes.subarray(0, bytes.length / 2);
  await new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    reached();
  });
}

const cases: [title: string, first: "lies" | "breaks" | "is fine", expected: object][] = [
  ["a layer that is not what the image says", "lies", { code: "LAYER_DIFFID" }],
  ["a transfer that breaks", "breaks", { message: "broken off" }],
  ["who gives it up", "is fine", { message: "enough" }],
];

for (const [title, first, expected] of cases)
  test(`${title} ends the transfers beside it, and is what is told`, async (t) => {
    using home = makeHome();
    const { store } = home;
    const [lower, upper] = [await layerOf("lower"), await layerOf("upper")];
    const bottom = first === "lies" ? { ...lower.layer, diffId: digestOf("another tar") } : lower.layer;
    const giveUp = new AbortController();
    let running = 0;
    let reached = () => {};
    const isStalled = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const bytesOf = async function* ({ digest }: Descriptor, signal: AbortSignal) {
      if (digest === upper.layer.blob.digest) return yield* stalled(upper.bytes, signal, reached);
      await isStalled;
      if (first === "breaks") throw new Error("broken off");
      if (first === "is fine") giveUp.abort(new Error("enough"));
      yield lower.bytes;
    };
    const fetch = async (blob: Descriptor, signal: AbortSignal) => {
      running++;
      try {
        await store.blobs.fetch?.(blob, () => bytesOf(blob, signal));
      } finally {
        running--;
      }
    };
    const coming = { os: "linux", layers: [bottom, upper.layer], fetch };
    await t.throwsAsync(bringUnpacked({ store, signal: giveUp.signal }, coming), expected);
    t.is(running, 0);
    const left = readdirSync(join(home.path, "store-v1/temp"));
    t.deepEqual(
      left.filter((name) => !name.endsWith(".part")),
      [],
      "what came is kept for the next pull, and nothing else",
    );
    t.is(store.snapshots.find(store.snapshots.chainId(undefined, upper.layer.diffId)), undefined);
  });
