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

/** Rejects with what the work rejects with. `work` tells the bytes it has moved, if it moves any. */
export async function toldAsStep<T>(
  report: Report,
  title: string,
  work: (onProgress: (event: TransferProgress) => void) => Promise<T>,
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
    report({
      kind: "failed",
      id: title,
      message: error instanceof Error ? error.message : String(error),
      at: Date.now(),
    });
    throw error;
  }
}
