/** A cached layer on its way to another place, without being kept: whether it is what the cache said is known before its last bytes go. */
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { readDiffId } from "../../layerfs/layer/diff-id.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import { verified } from "../../registry/copy/verified.ts";
import { wrongDiffId } from "./place.ts";

/** Bytes that wait for whoever counts the diffID. */
const waitingBytes = 1024 * 1024;

/**
 * The layer's bytes as they come from `place`. All but the last part are given as they come: who sends them on with their length never
 * completes wrong content. Throws REG_DIGEST_MISMATCH, REG_SIZE_MISMATCH, CACHE_LOST for another diffID, LAYER_*, and what `bytes` throws.
 */
export async function* passing(
  bytes: AsyncIterable<Uint8Array>,
  { blob, diffId }: Layer,
  place: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const copy = new PassThrough({ highWaterMark: waitingBytes });
  // What goes wrong with the copy is what `counting` comes to.
  copy.on("error", () => {});
  const counting = readDiffId(copy, signal);
  // Told below, in its turn; what cannot be decompressed is not waited for.
  counting.catch(() => copy.destroy());
  let held: Uint8Array | undefined;
  try {
    for await (const part of verified(bytes, blob, 0, place)) {
      if (!copy.destroyed && !copy.write(part)) await roomIn(copy);
      if (held) yield held;
      held = part;
    }
    if (!copy.destroyed) copy.end();
    const found = await counting;
    if (found.diffId !== diffId) throw wrongDiffId(diffId);
    if (held) yield held;
  } finally {
    copy.destroy();
  }
}

/** Resolves also when nobody reads any more. */
async function roomIn(copy: PassThrough): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  try {
    await Promise.race([once(copy, "drain", { signal }), once(copy, "close", { signal })]);
  } finally {
    done.abort();
  }
}
