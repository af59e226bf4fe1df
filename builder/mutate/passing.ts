/** Files of a layer in the order in which they pass, under the names that a plan has for them: nothing is kept of their bytes. */
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import { bytesOf } from "./spool.ts";

const smallBytes = 64 * 1024;

/** `wanted`: what becomes of the file that the `at`th change (from 0) sets; undefined of those that are passed over. */
export async function* passingFiles(
  passing: AsyncIterable<Change>,
  wanted: (at: number) => Entry | undefined,
): AsyncGenerator<Change> {
  let at = 0;
  for await (const change of passing) {
    const entry = wanted(at++);
    if (entry === undefined || change.kind !== "set") continue;
    const { content } = change.entry;
    // A place in the tar says other bytes than at the first reading: the blob checks itself, so only a fault of ours.
    if (content === undefined) throw new TypeError(`${entry.path} changed while its layer was read`);
    // What is in memory travels with the entry; a stream for each small file costs more than its bytes.
    if (entry.size <= smallBytes && content.kind === "stream")
      yield { kind: "set", entry: { ...entry, content: { kind: "bytes", bytes: await bytesOf(content.open()) } } };
    else yield { kind: "set", entry: { ...entry, content } };
  }
}
