/**
 * Steps that several builds of one process are at work on. Who comes second waits for the first, and then finds its result
 * in the cache like any other.
 */

export class Flights {
  readonly #open = new Map<string, Promise<unknown>>();

  /** What somebody else has in hand under this name, as a promise that only ever resolves; undefined when nobody has. */
  other(name: string): Promise<unknown> | undefined {
    return this.#open.get(name);
  }

  /** Tells others of work that has begun; it is over when `work` settles. Of a name that is taken nobody is told. */
  begin(name: string, work: Promise<unknown>): void {
    if (this.#open.has(name)) return;
    const end = () => void this.#open.delete(name);
    this.#open.set(name, work.then(end, end));
  }
}

/** The steps in hand, and what their names have to hold besides: the contexts that this build's copies read. */
export interface SharedFlights {
  readonly flights: Flights;
  readonly scope: string;
}
