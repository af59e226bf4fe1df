/** A stream into a file in few large writes, each under way while the next bytes arrive and are hashed. */
import type { FileHandle } from "node:fs/promises";
import { storeError } from "./failure.ts";

/** Bytes of one write. Sockets give 64 KiB at a time, and each write is a journey to another thread and back. */
const batchBytes = 512 * 1024;

/** Milliseconds that bytes of a slow stream wait at most for more: what a killed process held in memory is lost. */
const patienceMs = 100;

/**
 * Writes from byte `at` of the file on. `check` sees every chunk first and refuses by throwing; what it refuses is not
 * written. When the stream breaks, all that came before is in the file. A chunk must not change once it was given. Throws what `check` and the stream throw; STORE_FULL
 * and its like for the disk.
 */
export async function writeStream(
  file: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  check: (chunk: Uint8Array) => void,
  { path, at }: { readonly path: string; readonly at: number },
): Promise<void> {
  let place = at;
  let batch: Uint8Array[] = [];
  let held = 0;
  let written: Promise<void> = Promise.resolve();
  let last = performance.now();
  const flush = async () => {
    last = performance.now();
    await written;
    written = writeAll(file, batch, path, place);
    // It is awaited before the next one; until then its failure must not count as unhandled.
    written.catch(() => {});
    place += held;
    batch = [];
    held = 0;
  };
  try {
    for await (const chunk of bytes) {
      check(chunk);
      batch.push(chunk);
      held += chunk.length;
      if (held >= batchBytes || performance.now() - last > patienceMs) await flush();
    }
  } catch (error) {
    // A disk that fails here, too, is told by the next try; the first failure is the one to tell.
    await flush().catch(() => {});
    await written.catch(() => {});
    throw error;
  }
  await flush();
  await written;
}

async function writeAll(file: FileHandle, batch: readonly Uint8Array[], path: string, from: number): Promise<void> {
  let at = from;
  let rest = batch.filter(({ length }) => length > 0);
  try {
    while (rest.length > 0) {
      const { bytesWritten } = await file.writev(rest, at);
      at += bytesWritten;
      rest = without(rest, bytesWritten);
    }
  } catch (cause) {
    throw storeError(cause, "write a blob", path);
  }
}

/** What is left of the chunks when the first `count` bytes are taken off: the kernel may take fewer than it was given. */
function without(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  return chunks.flatMap((chunk) => {
    const taken = Math.min(left, chunk.length);
    left -= taken;
    return taken === chunk.length ? [] : [chunk.subarray(taken)];
  });
}
