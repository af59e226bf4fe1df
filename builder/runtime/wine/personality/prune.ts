/** Removes personalities that no step needs any more: of Wines that were replaced, and of older versions of our programs. */
import { existsSync, readdirSync, renameSync, statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { tryLockFile } from "../../../../native/addon/addon.ts";
import { isWbuildError } from "../../../../native/error.ts";
import { findWine, type Wine } from "./find-wine.ts";
import { factsFile, personalityFolder, unfinished } from "./personality.ts";

export interface PruneOptions {
  /** Also the registries that steps began with, which are made again when they are missing. */
  readonly all: boolean;
  /** Tells what would go, and removes nothing. */
  readonly dryRun: boolean;
  /** Only what was last used before, in milliseconds since 1970. */
  readonly until?: number;
  /** Instead of the host's. */
  readonly wine?: Wine | undefined;
}

export interface PrunedWine {
  readonly kind: "wine";
  /** The name of its folder below $WBUILD_HOME/wine. */
  readonly id: string;
  readonly bytes: number;
}

/**
 * What of $WBUILD_HOME/wine went (or would go). The personality of this host's Wine stays, and any that a living process
 * uses. Throws LAYER_IO, and what node:fs throws.
 */
export async function pruneWine(home: string, options: PruneOptions): Promise<PrunedWine[]> {
  const top = join(home, "wine");
  if (!existsSync(top)) return [];
  const current = currentOf(home, "wine" in options ? options.wine : findWine());
  const { until = Number.POSITIVE_INFINITY, dryRun } = options;
  const removed: PrunedWine[] = [];
  // With it, nobody makes one: what is unfinished was left by somebody who was killed.
  const making = await tryLockFile(join(top, "lock"), "exclusive");
  try {
    for (const id of readdirSync(top)) {
      const folder = join(top, id);
      const isOld = /^[0-9a-f]{32}$/.test(id) && current !== undefined && id !== current;
      const isFree = (id === sessions && options.all) || (id.startsWith(unfinished) && making !== undefined);
      if (!(isOld || isFree) || lastUse(folder) >= until) continue;
      const facts = join(folder, factsFile);
      const unused = existsSync(facts) ? await tryLockFile(facts, "exclusive") : undefined;
      if (isOld && unused === undefined) continue;
      try {
        removed.push({ kind: "wine", id, bytes: await sizeOf(folder) });
        if (dryRun) continue;
        // Gone in one moment: nobody finds a half of it.
        const aside = join(top, `${unfinished}${process.pid}-${id}`);
        renameSync(folder, aside);
        await rm(aside, { recursive: true, force: true });
      } finally {
        unused?.release();
      }
    }
  } finally {
    making?.release();
  }
  return removed;
}

/** The registries that steps began with (kept-texts.ts): whoever uses one has links of its own. */
const sessions = "sessions";

/** The folder that is not old; "" without Wine, where all are, and undefined where nobody can tell. */
function currentOf(home: string, wine: Wine | undefined): string | undefined {
  try {
    return wine === undefined ? "" : basename(personalityFolder(home, wine));
  } catch (error) {
    if (isWbuildError(error, "BOX_NOT_BUILT")) return undefined;
    throw error;
  }
}

/** In milliseconds since 1970. */
function lastUse(folder: string): number {
  const found = statSync(join(folder, factsFile), { throwIfNoEntry: false }) ?? statSync(folder);
  return found.mtimeMs;
}

/** Bytes that it alone has on the disk: most files of Wine are links or names of the host's. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(path);
    else if (entry.isFile()) {
      const { blocks, nlink } = statSync(path);
      if (nlink === 1) bytes += blocks * 512;
    }
  }
  return bytes;
}
