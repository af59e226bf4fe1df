/** Work of a build that nobody waits for at once. */

/** Its first failure is told at once; its end is always awaited. */
export class Background {
  readonly #running = new Set<Promise<unknown>>();
  readonly #onFailure: (error: unknown) => void;
  failure: unknown;

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  add(work: Promise<unknown>): void {
    const watched = work
      .catch((error: unknown) => {
        this.failure ??= error;
        this.#onFailure(error);
      })
      .finally(() => this.#running.delete(watched));
    this.#running.add(watched);
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Rejects with the first failure. */
  async finished(): Promise<void> {
    await this.settled();
    if (this.failure !== undefined) throw this.failure;
  }
}
