/**
 * Tree: a read-only view of files without mounting anything: a build context, or stacked layers.
 * COPY, ADD, WORKDIR, USER look-ups and cache keys all use it.
 */
import type { Entry } from "../layer/entry.ts";

export interface Tree {
  /**
   * Follows symlinks in every component but, unless `follow` is true, the last; never leaves the root ("/" and ".." stop there).
   * Gives the clean path of what was found, or undefined when a component is missing. Throws TREE_LOOP after 255 links.
   */
  resolve(path: string, follow?: boolean): Promise<string | undefined>;
  /** The entry at exactly this clean path (links are not followed); undefined when it is not there. Hard links appear as files with their own `content`. */
  stat(path: string): Promise<Entry | undefined>;
  /** Direct children, in byte order of their names. [] for what is no directory. */
  list(path: string): Promise<readonly Entry[]>;
  /** The entry and everything below it, parents first, siblings in byte order. [] when it is not there. */
  walk(path: string): Promise<readonly Entry[]>;
  /** What `walk` gives, one by one: of a large tree the list is more than the tree itself. */
  each?(path: string): Promise<Iterable<Entry>>;
  /** sha256 of a regular file's bytes, computed at most once per content. */
  digest(entry: Entry): Promise<import("../store/digest.ts").Digest>;
  /** Bytes of a regular file. Throws TREE_NO_CONTENT when this tree cannot give them. */
  read(entry: Entry): AsyncIterable<Uint8Array>;
}
