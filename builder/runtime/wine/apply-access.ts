/** What icacls and takeown noted during a step, carried out on the changes of its layer; the notes are not believed. */
import { setImmediate } from "node:timers/promises";
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { keepMetadata, readMetadata, withMetadata } from "../../../layerfs/windows/metadata.ts";
import { foldPath } from "../../../layerfs/windows/names.ts";
import { WbuildError } from "../../../native/error.ts";
import { changedSecurity } from "./access.ts";
import type { Note } from "./journal.ts";

/** Files looked at, and descriptors written in pieces of 64 bytes: a hundred times `icacls /T` over 200,000 files. */
const mostWork = 20_000_000;
const workOfOneTurn = 20_000;

/**
 * Changes of owner and access, in the order in which they were made; a file that is otherwise unchanged comes along.
 * `changes` are by `set PATH` and `delete PATH`, folded. Throws STEP_ACCOUNT, WIN_SECURITY, WIN_JOURNAL for more than any
 * step needs.
 */
export async function applyAccess(
  changes: Map<string, Change>,
  drive: Tree,
  notes: readonly Note[],
  most = mostWork,
): Promise<void> {
  let work = 0;
  let turn = workOfOneTurn;
  // Attack: a journal of a million notes on one tree, or on one file whose access list is long. Both take days, in the
  // process that runs other builds.
  const spend = async (amount: number) => {
    work += amount;
    if (work > most) {
      throw new WbuildError("WIN_JOURNAL", "the step's journal has more changes of access than any step needs", {
        facts: { notes: notes.length },
        hint: "change the access of a folder once, with /T",
      });
    }
    if (work < turn) return;
    turn = work + workOfOneTurn;
    await setImmediate();
  };
  for (const note of notes) {
    if (note.kind === "link" || note.kind === "lost") continue;
    const wanted = foldPath(note.path);
    const targets = new Map<string, Entry>();
    const path = await drive.resolve(note.path);
    if (path !== undefined) {
      for (const entry of note.tree ? await drive.walk(path) : [await drive.stat(path)]) {
        if (entry && !changes.has(`delete ${foldPath(entry.path)}`)) targets.set(foldPath(entry.path), entry);
      }
    }
    await spend(1 + targets.size + (note.tree ? changes.size : 0));
    for (const change of note.tree ? changes.values() : [changes.get(`set ${wanted}`)]) {
      if (change?.kind !== "set") continue;
      const folded = foldPath(change.entry.path);
      if (folded !== wanted && !folded.startsWith(`${wanted}/`)) continue;
      const lower = targets.get(folded);
      targets.set(folded, lower?.type === change.entry.type ? keepMetadata(lower, change.entry) : change.entry);
    }
    for (const [folded, entry] of targets) {
      if (entry.type === "symlink") continue;
      const security = changedSecurity(entry, note);
      changes.set(`set ${folded}`, { kind: "set", entry: withMetadata(entry, { ...readMetadata(entry), security }) });
      await spend(security.length >> 6);
    }
  }
}
