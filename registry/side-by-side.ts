/** Several transfers at once, but not more than asked; the first failure ends the others. */

/** Runs `work` for each item, at most `limit` at a time, in order of start. Rejects with the first failure, after all have ended. */
export async function sideBySide<T>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal | undefined,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ours = new AbortController();
  const both = signal ? AbortSignal.any([signal, ours.signal]) : ours.signal;
  const waiting = items.values();
  let failure: { readonly error: unknown } | undefined;
  const lane = async () => {
    for (const item of waiting) {
      if (both.aborted) return;
      try {
        await work(item, both);
      } catch (error) {
        // Those that end because of this one must not hide it.
        failure ??= { error };
        ours.abort(error);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(limit, items.length)) }, lane));
  if (failure) throw failure.error;
  signal?.throwIfAborted();
}

/** What `work` comes to, or the signal's reason at once; then nobody hears what becomes of the work. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A counting semaphore that serves in order: for work that comes from several places and shares one limit. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = Math.max(1, count);
  }

  /** Runs `work` when a slot is free; gives it back also when the work fails. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** What a transfer says while it lasts. */
export interface TransferProgress {
  readonly digest: `sha256:${string}`;
  /** A few words for a progress line. */
  readonly label: string;
  /** Bytes so far. */
  readonly done: number;
  readonly total?: number;
  /** Why no bytes of it had to move, in a few words. */
  readonly note?: string;
}

export type OnProgress = (event: TransferProgress) => void;

/** Passes on the bytes from an offset and reports them, at most about twenty times a second so that faces are not flooded. */
export async function* reported(
  bytes: AsyncIterable<Uint8Array>,
  event: Omit<TransferProgress, "done">,
  onProgress: OnProgress,
  from = 0,
): AsyncGenerator<Uint8Array> {
  let done = from;
  let last = 0;
  onProgress({ ...event, done });
  for await (const part of bytes) {
    done += part.length;
    const now = process.uptime();
    if (now - last > 0.05) {
      last = now;
      onProgress({ ...event, done });
    }
    yield part;
  }
  onProgress({ ...event, done });
}

/** Told once of a blob that went without its bytes. `from`: the repository that a mounted one came from. */
export function withoutBytes(how: "mounted" | "present" | "left out", from?: string): { readonly note: string } {
  if (how === "left out") return { note: "left out" };
  return { note: how === "present" ? "already there" : `mounted${from === undefined ? "" : ` from ${from}`}` };
}

/** Each digest once, in order: an image may name one blob several times. */
export function distinct<T extends { readonly digest: string }>(blobs: readonly T[]): T[] {
  const seen = new Set<string>();
  return blobs.filter(({ digest }) => !seen.has(digest) && seen.add(digest));
}
