/**
 * A process of its own that works on a store as builds do; the kill and concurrency tests start it.
 * argv: home, seed, rounds (0: until killed). Each line on stdout is `done NAME` once the ref NAME is durable.
 */
import { writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../layerfs/store/digest.ts";
import { openStore } from "../../../layerfs/store/store.ts";

const [home = "", seed = "", rounds = "0"] = process.argv.slice(2);

/** The same numbers for the same seed (mulberry32). */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const random = randomOf(Number(seed));

async function* slowly(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

async function round(n: number): Promise<void> {
  using store = openStore(home);
  using _lease = store.lease();
  // Few different contents, so that processes meet at the same blobs.
  const text = `content ${Math.floor(random() * 12)}`;
  const bytes = Buffer.alloc(1 + Math.floor(random() * 80_000), text);
  const blob = await store.blobs.put(slowly(bytes), { mediaType: "x" });
  const shared = await store.blobs.put(Buffer.from(text), { mediaType: "x" });
  const diffId = digestOf(`tar of ${text}`);
  store.layers.record({ blob, diffId }, { uncompressedSize: 1, index: Buffer.from(`index of ${text}`) });
  if (store.snapshots.find(diffId) === undefined) {
    await using place = await store.snapshots.reserve();
    for (let i = 0; i < 5; i++) writeFileSync(join(place.folder, `file${i}`), text);
    place.commit(diffId, diffId);
  }
  store.cache.put(text, JSON.stringify({ blob: blob.digest }), [blob.digest, diffId]);
  const name = `ref ${Math.floor(random() * 8)}`;
  store.refs.set(name, blob, [shared.digest]);
  // Whatever a collection next door does, what the lease covers is there.
  for (const digest of [blob.digest, shared.digest]) {
    if ((await store.blobs.has(digest)) === undefined) throw new Error(`round ${n} lost ${digest} under a lease`);
  }
  if (store.snapshots.find(diffId) === undefined) throw new Error(`round ${n} lost a snapshot under a lease`);
  writeSync(1, `done ${name}\n`);
  if (random() < 0.2) await store.collect(random() < 0.5 ? { keepStorageBytes: 200_000 } : { all: true });
  if (random() < 0.2) store.refs.delete(`ref ${Math.floor(random() * 8)}`);
}

for (let n = 0; rounds === "0" || n < Number(rounds); n++) await round(n);
