/** What a checkout may be made of: so many files, so many bytes. A repository that wants to do harm is small where it is fetched. */
import { lstatSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { WbuildError } from "../../../native/error.ts";
import { tooLarge } from "../limit.ts";

/** Names in one checkout, folders included. */
const mostEntries = 4_000_000;

function tooMany(what: string): WbuildError {
  return new WbuildError("CTX_GIT", `${what} holds more than ${mostEntries} files in one commit`);
}

/** Takes the output of `git ls-tree -r -t -z -l` as it comes. What it returns throws CTX_GIT, CTX_TOO_LARGE. */
export function entryCounter(what: string, maxBytes: number): (piece: Buffer) => void {
  let [count, bytes] = [0, 0];
  // MODE TYPE DIGEST SIZE before a tab, then the name up to a NUL.
  let head = "";
  let isInName = false;
  return (piece) => {
    const text = piece.toString("latin1");
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf(isInName ? "\0" : "\t", at);
      if (!isInName) head += text.slice(at, end < 0 ? undefined : end);
      if (end < 0) return;
      at = end + 1;
      isInName = !isInName;
      if (!isInName) continue;
      // A folder's size is a dash.
      bytes += Number(head.slice(head.lastIndexOf(" ") + 1)) || 0;
      head = "";
      if (++count > mostEntries) throw tooMany(what);
      if (bytes > maxBytes) throw tooLarge(what, maxBytes);
    }
  };
}

/** Counts what was made. Throws CTX_GIT, CTX_TOO_LARGE. */
export function measure(folder: string, what: string, maxBytes: number): void {
  let [count, bytes] = [0, 0];
  for (const item of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (++count > mostEntries) throw tooMany(what);
    if (!item.isFile()) continue;
    bytes += lstatSync(join(item.parentPath, item.name)).size;
    if (bytes > maxBytes) throw tooLarge(what, maxBytes);
  }
}

export interface SpaceWatch extends Disposable {
  /** Aborted, with the error as reason, when too much of the file system was used up since the watch began. */
  readonly signal: AbortSignal;
}

/**
 * While git does by itself what cannot be counted beforehand. Others use the file system, too, so this only stops what runs
 * away; `measure` tells afterwards.
 */
export function watchSpace(folder: string, what: string, maxBytes: number): SpaceWatch {
  const controller = new AbortController();
  const before = statfsSync(folder);
  const timer = setInterval(() => {
    const now = statfsSync(folder);
    if ((before.bavail - now.bavail) * now.bsize > maxBytes) controller.abort(tooLarge(what, maxBytes));
    else if (before.ffree - now.ffree > mostEntries) controller.abort(tooMany(what));
  }, 200);
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
