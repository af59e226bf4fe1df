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
  signal?: Pick<AbortSignal, "aborted">,
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
    { readonly add: (work: Promise<void>) => void; readonly tell: (event: TransferProgress) => void }
  >();
  return async (title, work, signal) => {
    const known = running.get(title);
    if (known) {
      const more = work(known.tell);
      known.add(more);
      return more;
    }
    let first: Promise<void> | undefined;
    let failure: { readonly error: unknown; readonly aborted: boolean } | undefined;
    const all = toldAsStep(
      report,
      title,
      async (tell) => {
        let left = 0;
        const ended = () => {
          if (--left === 0) running.delete(title);
        };
        const parts: Promise<void>[] = [];
        const add = (part: Promise<void>) => {
          left++;
          // The others end because of the first that fails; that they do, and are then canceled, is not what happened.
          const note = (error: unknown) => {
            failure ??= { error, aborted: signal?.aborted === true };
            ended();
          };
          parts.push(part.then(ended, note));
        };
        first = work(tell);
        running.set(title, { add, tell });
        add(first);
        // More may be added while these last.
        for (const part of parts) await part;
        if (failure) throw failure.error;
      },
      {
        get aborted() {
          return failure?.aborted === true;
        },
      },
    );
    // Each is told to who asked for it.
    all.catch(() => {});
    return first;
  };
}
