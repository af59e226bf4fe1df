/** One at a time of those who want to fetch the same blob, in this process or another: the others wait, and find it here. */
import { closeSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type FileLock, tryLockFileSync } from "../../native/addon/addon.ts";
import { type Digest, hexOf } from "./digest.ts";
import type { Layout } from "./layout.ts";
import { partialEnding } from "./partial.ts";

/** How long between two looks at somebody else's transfer. A lock has no queue that an abort could leave. */
const pollMs = 50;

/** Whose transfer has not grown for so long is waited for no more: a dead connection would have ended by now, so it was stopped. */
const usualStallMs = 60_000;

export interface TurnOptions {
  /** Somebody has brought the blob meanwhile: nobody needs a turn any more. */
  readonly isHere: () => boolean;
  readonly signal?: AbortSignal | undefined;
  readonly stallMs?: number;
}

/**
 * Waits while somebody else fetches the blob. An advance, not a guard: where the others stand still, and where no lock can be
 * had, there are two who fetch, and the first one to end wins. Throws the signal's reason.
 */
export async function takeTurn(
  layout: Layout,
  digest: Digest,
  { isHere, signal, stallMs = usualStallMs }: TurnOptions,
): Promise<Disposable> {
  // No session's: what a killed process leaves of it is a leftover like any other.
  const path = join(layout.temp, `turn-${hexOf(digest)}`);
  let size = -1;
  let since = performance.now();
  for (;;) {
    const lock = tryLock(path);
    if (lock !== "taken" || isHere()) return turn(path, lock === "taken" ? undefined : lock);
    const now = sizeOf(layout, digest);
    if (now !== size) since = performance.now();
    else if (performance.now() - since > stallMs) return turn(path, undefined);
    size = now;
    await delay(pollMs, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  }
}

function turn(path: string, lock: FileLock | undefined): Disposable {
  return {
    [Symbol.dispose]() {
      if (lock === undefined) return;
      rmSync(path, { force: true });
      lock.release();
    },
  };
}

function tryLock(path: string): FileLock | undefined | "taken" {
  try {
    closeSync(openSync(path, "a", 0o600));
    return tryLockFileSync(path, "exclusive") ?? "taken";
  } catch {
    // A full disk or a removed folder is told by the transfer itself.
    return undefined;
  }
}

/** Of all parts of the blob. */
function sizeOf(layout: Layout, digest: Digest): number {
  try {
    const parts = readdirSync(layout.temp).filter((name) => name.endsWith(partialEnding(digest)));
    return parts.reduce(
      (sum, name) => sum + (statSync(join(layout.temp, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  } catch {
    return 0;
  }
}
