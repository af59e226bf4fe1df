/** Digests of many files at once, on as many threads as the machine has. */
import { digestFiles } from "../../native/addon/addon.ts";
import { WbuildError } from "../../native/error.ts";
import type { Entry } from "../layer/entry.ts";
import type { Digest } from "../store/digest.ts";

/** sha256 of each entry's bytes, in order. Throws TREE_NO_CONTENT for an entry that is no readable file of this host. */
export async function digestContents(entries: readonly Entry[]): Promise<Digest[]> {
  const paths = entries.map((entry) => {
    if (entry.content?.kind === "file") return entry.content.path;
    throw new WbuildError("TREE_NO_CONTENT", `${entry.path} is not a file that can be read`, {
      facts: { path: entry.path, type: entry.type },
    });
  });
  return digestFiles(paths);
}

/** sha256 of files of this host by their paths, in order. Throws LAYER_IO. */
export function digestFilesAt(paths: readonly string[]): Promise<Digest[]> {
  return digestFiles(paths);
}
