/** Two output streams as one iterable, in the order in which their pieces arrive; a slow reader slows the writer. */
import type { Readable } from "node:stream";
import type { OutputChunk } from "./spec.ts";

/** Bytes that wait for the reader before the streams are paused. */
const MOST_WAITING = 1 << 20;

export interface MergedOutput extends AsyncIterable<OutputChunk> {
  /** Reads and forgets what still comes. */
  discard(): void;
}

/** Ends when both streams have ended; null streams have ended from the start. To be iterated once. */
export function mergeOutput(stdout: Readable | null, stderr: Readable | null): MergedOutput {
  const queue: OutputChunk[] = [];
  let waiting = 0;
  let open = 0;
  let discarding = false;
  let wake: () => void = () => {};
  const streams: Readable[] = [];
  const attach = (stream: Readable | null, name: OutputChunk["stream"]) => {
    if (stream === null) return;
    streams.push(stream);
    open++;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      open--;
      wake();
    };
    stream.on("data", (bytes: Buffer) => {
      if (discarding) return;
      queue.push({ stream: name, bytes });
      waiting += bytes.length;
      if (waiting > MOST_WAITING) for (const each of streams) each.pause();
      wake();
    });
    stream.on("end", end);
    stream.on("close", end);
    stream.on("error", end);
  };
  attach(stdout, "stdout");
  attach(stderr, "stderr");
  return {
    discard() {
      discarding = true;
      queue.length = 0;
      for (const stream of streams) stream.resume();
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
          waiting -= chunk.bytes.length;
          if (waiting <= MOST_WAITING / 2) for (const stream of streams) stream.resume();
          yield chunk;
        }
        if (open === 0 || discarding) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
