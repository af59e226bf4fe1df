/** The order that a stream of changes must have: see Change in entry.ts. Producers and the writer both hold to it. */
import { WbuildError } from "../../native/error.ts";
import type { Change } from "./entry.ts";
import { NameTable, withRoom } from "./name-table.ts";
import { showPath } from "./raw-path.ts";

const unclean = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Remembers what has passed and refuses what breaks the order. */
export class Order {
  readonly #names = new NameTable();
  /** Paths that have passed. */
  #seen = new Uint8Array(1024);
  /** Every folder that something has already been said about the inside of, with the first such path, plus one. */
  #entered = new Int32Array(1024);
  #last: Change | undefined;

  /** Throws LAYER_ORDER with both paths, LAYER_PATH for a path that is not clean. */
  check(change: Change): void {
    const path = change.kind === "set" ? change.entry.path : change.path;
    if (path === "" ? change.kind === "delete" : unclean.test(path)) {
      throw new WbuildError("LAYER_PATH", `not a clean path in a layer: ${JSON.stringify(showPath(path))}`, {
        facts: { path },
      });
    }
    if (change.kind === "clear") this.#checkClear(path);
    else {
      const id = this.#names.make(path);
      this.#seen = withRoom(this.#seen, id);
      this.#entered = withRoom(this.#entered, id);
      if (this.#seen[id] === 1) throw misplaced("comes twice", path, path);
      const first = this.#entered[id] ?? 0;
      if (first !== 0) {
        const inside = this.#names.pathOf(first - 1);
        throw misplaced(`comes after ${showPath(inside)}, which is inside it`, path, inside);
      }
      this.#seen[id] = 1;
      this.#enter(id);
    }
    this.#last = change;
  }

  #checkClear(path: string): void {
    const last = this.#last;
    if (last?.kind !== "set" || last.entry.path !== path || last.entry.type !== "directory") {
      const before = last === undefined ? "" : last.kind === "set" ? last.entry.path : last.path;
      throw misplaced("is cleared at a place other than directly after its folder", path, before);
    }
  }

  #enter(id: number): void {
    for (let at = id; at !== 0; ) {
      at = this.#names.parentOf(at);
      if (this.#entered[at] !== 0) return;
      this.#entered[at] = id + 1;
    }
  }
}

function misplaced(how: string, path: string, before: string): WbuildError {
  return new WbuildError("LAYER_ORDER", `in a layer, ${JSON.stringify(showPath(path))} ${how}`, {
    facts: { path, before },
  });
}
