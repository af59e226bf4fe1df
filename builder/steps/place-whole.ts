/** A folder of the context placed in one piece: no entry is made of what it holds. */
import type { RecordBatch } from "../../layerfs/layer/write.ts";
import type { FolderSweep } from "../../layerfs/tree/folder-sweep.ts";
import { shapeSweep } from "../../layerfs/windows/swept.ts";
import type { Selected } from "../context/select.ts";
import type { CopyOp } from "../graph/graph.ts";
import type { Dress, Placement } from "./place.ts";

export interface Whole {
  readonly selected: Selected;
  readonly batch: RecordBatch;
}

export interface WholeSource {
  /** As BuildContext.sweep. */
  sweep(selected: Selected): Promise<FolderSweep | undefined>;
  /** No layer is below. */
  readonly isFirst: boolean;
  readonly epochSeconds?: number;
}

/**
 * A lone folder of the context whose target does not exist yet: nothing below can be in its way, so its entries need no
 * look at each of them. The target and the folders above are placed; the rest is given. Undefined where that is not so.
 */
export async function placeWhole(
  op: CopyOp,
  selection: readonly Selected[],
  placement: Placement,
  dress: Dress,
  source: WholeSource,
): Promise<Whole | undefined> {
  const [selected] = selection;
  if (op.documents) return undefined;
  // Modes that depend on what was there are found entry by entry.
  if (typeof dress.chmod === "string") return undefined;
  if (op.from !== "context" || selection.length !== 1 || selected?.root.type !== "directory") return undefined;
  const target = await placement.locate(op.target);
  if (target === "" ? !(await placement.isEmpty()) : await placement.at(target)) return undefined;
  const sweep = await source.sweep(selected);
  if (!sweep) return undefined;
  if (op.os !== "windows") {
    await placement.folder(target);
    return { selected, batch: sweep.toLayer(target, dress.owner ?? { uid: 0, gid: 0 }, dress.chmod) };
  }
  const at = await placement.folder(target);
  const batch = await shapeSweep(sweep, {
    target: at,
    origin: source.isFirst ? "base" : "copy",
    look: (path) => placement.at(path),
    ...(dress.security === undefined ? {} : { security: dress.security }),
    ...(source.epochSeconds === undefined ? {} : { epochSeconds: source.epochSeconds }),
  });
  return batch && { selected, batch };
}
