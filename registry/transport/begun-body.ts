/** A body whose first part is there before a connection is asked for. */

/**
 * Servers close a connection on which nothing comes for some seconds, and a request's head goes out with the first part of its
 * body. A source that takes longer to begin (a slow registry, a layer that is still being made) would break every attempt.
 */
export class BegunBody implements AsyncIterable<Uint8Array> {
  readonly #parts: AsyncIterator<Uint8Array>;
  #first: Promise<IteratorResult<Uint8Array>> | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#parts = body[Symbol.asyncIterator]();
  }

  /** Waits for the first part. Throws what the source throws, and the signal's reason at once. */
  async begin(signal: AbortSignal | undefined): Promise<void> {
    const ended = new AbortController();
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true, signal: ended.signal });
    });
    const first = this.#parts.next();
    this.#first = first;
    // Of the two, one may fail when nobody listens any more.
    for (const one of [first, aborted]) one.catch(() => {});
    try {
      await Promise.race([first, aborted]);
    } finally {
      ended.abort();
    }
  }

  /** Nobody will read it. Not waited for: a stream from the network may end only when its connection does. */
  giveUp(): void {
    void this.#parts.return?.().catch(() => {});
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => {
        const first = this.#first;
        this.#first = undefined;
        return first ?? this.#parts.next();
      },
      return: async () => (await this.#parts.return?.()) ?? { done: true, value: undefined },
    };
  }
}
