/** Work that is no node of the graph (a push, an export, a pull), told like one. */
import type { PushResult } from "../../registry/push.ts";
import type { TransferProgress } from "../../registry/side-by-side.ts";
import type { Report } from "../progress/events.ts";

/** Whoever pushes an image with foreign layers should know that the registry has not all of it. */
export function warnLeftOut(report: Report, { leftOut }: Pick<PushResult, "leftOut">): void {
  if (leftOut === 0) return;
  const text =
    leftOut === 1
      ? "one foreign layer was left out: its descriptor says where it is; --allow-nondistributable pushes it too"
      : `${leftOut} foreign layers were left out: their descriptors say where they are; --allow-nondistributable pushes them too`;
  report({ kind: "warning", text, at: Date.now() });
}

/**
 * Rejects with what the work rejects with. `work` tells the bytes it has moved, if it moves any. What ends because of `signal`
 * is told as canceled.
 */
export async function toldAsStep<T>(
  report: Report,
  title: string,
  work: (onProgress: (event: TransferProgress) => void) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  report({ kind: "start", step: { id: title, title }, at: Date.now() });
  try {
    const result = await work(({ label, done, total, note }) =>
      report({
        kind: "progress",
        id: title,
        label,
        done,
        ...(total === undefined ? {} : { total }),
        ...(note === undefined ? {} : { note }),
        unit: "bytes",
        at: Date.now(),
      }),
    );
    report({ kind: "done", id: title, cached: false, at: Date.now() });
    return result;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = Date.now();
    if (signal?.aborted) report({ kind: "canceled", id: title, at });
    else report({ kind: "failed", id: title, message, at });
    throw error;
  }
}

/**
 * For transfers that somebody asks for one by one: all with the same title are one step, which lasts until none of them is
 * left. Rejects with what the work rejects with.
 */
export function toldTogether(
  report: Report,
): (
  title: string,
  work: (onProgress: (event: TransferProgress) => void) => Promise<void>,
  signal?: AbortSignal,
) => Promise<void> {
  const running = new Map<
    string,
    { readonly work: Promise<void>[]; readonly tell: (event: TransferProgress) => void }
  >();
  return async (title, work, signal) => {
    const known = running.get(title);
    if (known) {
      const more = work(known.tell);
      known.work.push(more);
      return more;
    }
    let first: Promise<void> | undefined;
    const all = toldAsStep(
      report,
      title,
      async (tell) => {
        first = work(tell);
        const together = { work: [first], tell };
        running.set(title, together);
        try {
          // More may be added while these last.
          for (const one of together.work) await one;
        } finally {
          running.delete(title);
        }
      },
      signal,
    );
    // Each is told to who asked for it.
    all.catch(() => {});
    return first;
  };
}
