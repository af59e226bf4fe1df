/** An answer's body as it arrives: every byte that came is handed on, also when the connection breaks behind it. */
import type { Readable } from "node:stream";

/** Bytes that may wait for a slow receiver before the sender is made to wait. */
const readAhead = 1024 * 1024;

/** Fewer bytes than this, in as long a time as a silent connection is waited for, are no progress. */
const minimumBytes = 1024;

/**
 * The body's parts. A stream that fails drops what it holds, and a transfer would have to fetch it again; here the
 * failure comes after all that came before it.
 *
 * A body that only drips ends as a silent one does, with HTTP_BODY_TIMEOUT. Attack, or a broken proxy: a byte every few
 * seconds keeps a connection from ever being silent, and its client for days. Time that the receiver takes does not count.
 */
export async function* arriving(body: Readable, patienceMs: number): AsyncGenerator<Uint8Array> {
  const waiting: Buffer[] = [];
  let held = 0;
  let hasEnded = body.readableEnded;
  // What broke together with its head has told so already.
  let failure: { readonly error: Error } | undefined = body.errored ? { error: body.errored } : undefined;
  if (body.destroyed && !hasEnded) failure ??= { error: closed() };
  let wake = () => {};
  body.on("data", (part: Buffer) => {
    waiting.push(part);
    held += part.length;
    if (held >= readAhead) body.pause();
    wake();
  });
  body.on("end", () => {
    hasEnded = true;
    wake();
  });
  body.on("error", (error: Error) => {
    failure ??= { error };
    wake();
  });
  body.on("close", () => {
    // Without an end and without a word: somebody destroyed it.
    if (!hasEnded) failure ??= { error: closed() };
    wake();
  });
  let waitedMs = 0;
  let came = 0;
  try {
    for (;;) {
      const part = waiting.shift();
      if (part !== undefined) {
        held -= part.length;
        if (held < readAhead / 2 && body.isPaused()) body.resume();
        came += part.length;
        if (came >= minimumBytes) waitedMs = came = 0;
        yield part;
        continue;
      }
      if (hasEnded) return;
      if (failure) throw failure.error;
      if (waitedMs > patienceMs) throw Object.assign(new Error("too slow"), { code: "HTTP_BODY_TIMEOUT" });
      const began = process.uptime();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      waitedMs += (process.uptime() - began) * 1000;
    }
  } finally {
    body.destroy();
  }
}

function closed(): Error {
  return Object.assign(new Error("closed"), { code: "ECONNRESET" });
}
