/** BuildContext: where COPY and ADD find their sources, and what is remembered of them between builds. */

import type { Change } from "../../layerfs/layer/entry.ts";
import type { Digest } from "../../layerfs/store/digest.ts";
import type { FolderSweep } from "../../layerfs/tree/folder-sweep.ts";
import type { Tree } from "../../layerfs/tree/tree.ts";
import type { WbuildError } from "../../native/error.ts";

import type { Query, Selected } from "./select.ts";

export interface BuildContext {
  /** What is not ignored. */
  readonly tree: Tree;
  /**
   * Takes note of the stat data of what a COPY asks for as it is now. To be called before they are read: what changes
   * afterwards is then seen as changed by the next build.
   */
  note(query: Query): Promise<void>;
  /** Digest of all that a COPY takes. Reads only files whose stat data changed since they were last read. */
  contentKey(query: Query): Promise<Digest>;
  /** What of a folder is selected, in one piece, where this context can give that. */
  sweep(selected: Selected): Promise<FolderSweep | undefined>;
  /** Takes over the digests a layer writer found for a sweep's files: 32 bytes each, in order. */
  rememberSweep(selected: Selected, digests: Uint8Array): Promise<void>;
  /**
   * Takes over what a layer writer learned: `written` has the digests of the files whose `content` stands in `given`,
   * at the same paths. Saves reading them again for the content key.
   */
  remember(given: readonly Change[], written: readonly Change[]): Promise<void>;
  /** Why a source matched nothing: the pattern, what hid it, what is near. */
  missing(source: string): Promise<WbuildError>;
}
