/** The order that a stream of changes must have: see Change in entry.ts. Producers and the writer both hold to it. */
import { WbuildError } from "../../native/error.ts";
import type { Change } from "./entry.ts";
import { showPath } from "./raw-path.ts";

const unclean = /(?:^|\/)\.{0,2}(?:\/|$)/;

/** Remembers what has passed and refuses what breaks the order. */
export class Order {
  readonly #seen = new Set<string>();
  /** Every folder that something has already been said about the inside of, with the first such path. */
  readonly #entered = new Map<string, string>();
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
      if (this.#seen.has(path)) throw misplaced("comes twice", path, path);
      const inside = this.#entered.get(path);
      if (inside !== undefined) throw misplaced(`comes after ${showPath(inside)}, which is inside it`, path, inside);
      this.#seen.add(path);
      this.#enter(path);
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

  #enter(path: string): void {
    if (path === "") return;
    for (let slash = path.lastIndexOf("/"); ; slash = path.lastIndexOf("/", slash - 1)) {
      const parent = slash < 0 ? "" : path.slice(0, slash);
      if (this.#entered.has(parent)) return;
      this.#entered.set(parent, path);
      if (slash <= 0) {
        if (slash === 0 || parent === "") return;
      }
    }
  }
}

function misplaced(how: string, path: string, before: string): WbuildError {
  return new WbuildError("LAYER_ORDER", `in a layer, ${JSON.stringify(showPath(path))} ${how}`, {
    facts: { path, before },
  });
}
