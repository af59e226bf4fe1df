/**
 * The personality: Wine's own C: and registry, made once for each Wine and each version of our programs, and laid below
 * every Windows step. It is no part of any image.
 */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { type FileLock, lockFile } from "../../../../native/addon/addon.ts";
import { type Container, containerOf } from "./container.ts";
import { requireWine, type Wine } from "./find-wine.ts";
import { makePersonality } from "./make-personality.ts";
import { patchNames } from "./patches.ts";
import { type OwnProgram, ownPrograms, programsDigest } from "./programs.ts";
import { profileFolders } from "./system-tree.ts";

export interface Personality extends Container {
  /** Wine's: "8.0 (Debian 8.0~repack-4)". */
  readonly version: string;
  /** Host path of the container's bottom lower layer: `Files` is C:, the rest are mount points. */
  readonly root: string;
  /** Host paths of Wine's own registry, settled: another start and stop changes nothing but times. */
  readonly registry: { readonly system: string; readonly user: string; readonly userdef: string };
  /** Wine's files that are ours instead. */
  readonly replaced: readonly string[];
  /** Files of ours in system32 that Wine does not have. */
  readonly added: readonly string[];
  /** What works in this Wine as Wine has it, not as Windows does: "the command mklink of cmd". */
  readonly unpatched: readonly string[];
}

export interface PersonalityOptions {
  readonly warn?: (text: string) => void;
  /** Instead of the host's first. */
  readonly wine?: Wine;
  readonly programs?: readonly OwnProgram[];
}

/** Folders that are being made or removed; what killed processes leave of them goes when the next is made. */
export const unfinished = "making-";

/** Changes with what make-personality.ts makes of the same Wine. */
const format = 11;

/** Written last: a folder with it is complete. Whoever uses the personality holds a shared lock on it. */
export const factsFile = "facts.json";

const names = v.array(v.string());
const factsSchema = v.object({ version: v.string(), replaced: names, added: names, unpatched: names });

/**
 * The personality of this host, made when it is not there yet (some seconds; others that ask meanwhile wait for it).
 * `home` is $WBUILD_HOME. Needs what any container needs (canMakeContainers). Throws WIN_NO_WINE, WIN_PERSONALITY,
 * BOX_NOT_BUILT and other BOX_*.
 */
export async function ensurePersonality(home: string, options: PersonalityOptions = {}): Promise<Personality> {
  const wine = options.wine ?? requireWine();
  const programs = options.programs ?? ownPrograms();
  const top = join(home, "wine");
  const folder = join(top, keyOf(wine, programs));
  while (!(await hold(folder))) {
    mkdirSync(top, { recursive: true, mode: 0o700 });
    const lock = await lockFile(join(top, "lock"), "exclusive");
    try {
      if (!isComplete(folder)) {
        options.warn?.("setting up Wine for Windows steps, once for this Wine: it takes some seconds");
        await make(top, folder, wine, programs);
      }
    } finally {
      lock.release();
    }
  }
  const personality = describe(folder, wine);
  const { unpatched, version } = personality;
  if (unpatched.length > 0) {
    options.warn?.(
      `Wine ${version} is not known to wbuild: ${unpatched.join(", ")} may do nothing and say that all went well`,
    );
  }
  return personality;
}

/** The same, where it is there already; undefined otherwise. Throws BOX_NOT_BUILT. */
export function knownPersonality(home: string, wine: Wine): Personality | undefined {
  const folder = personalityFolder(home, wine);
  return isComplete(folder) ? describe(folder, wine) : undefined;
}

/** Where the personality of this Wine is, or would be. Throws BOX_NOT_BUILT. */
export function personalityFolder(home: string, wine: Wine): string {
  return join(home, "wine", keyOf(wine, ownPrograms()));
}

/** Personalities that this process uses, until it ends. */
const held = new Map<string, FileLock>();

/** Takes part in a personality's use: as long as this process lives, nobody removes it. False when it is not there. */
async function hold(folder: string): Promise<boolean> {
  const facts = join(folder, factsFile);
  const inode = () => statSync(facts, { throwIfNoEntry: false })?.ino;
  const before = inode();
  if (before === undefined || held.has(folder)) return before !== undefined;
  const lock = await lockFile(facts, "shared").catch((error: unknown) => {
    if (inode() === before) throw error;
    return undefined;
  });
  if (lock === undefined || inode() !== before) {
    // Somebody removed it, or put another in its place, while we waited.
    lock?.release();
    return false;
  }
  // When it was last used.
  utimesSync(facts, new Date(), new Date());
  held.set(folder, lock);
  return true;
}

/** What the result depends on: a new Wine package has other files, though its version may read the same. */
function keyOf(wine: Wine, programs: readonly OwnProgram[]): string {
  const hash = createHash("sha256").update(`${format}\0${programsDigest(programs)}\0${patchNames.join()}\0`);
  const telling = [`${wine.windows}/ntdll.dll`, `${wine.windows}/kernelbase.dll`, `${wine.unix}/ntdll.so`];
  for (const path of [wine.loader, wine.server, ...telling, `${wine.data}/wine.inf`]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest("hex").slice(0, 32);
}

function isComplete(folder: string): boolean {
  return existsSync(join(folder, factsFile));
}

async function make(top: string, folder: string, wine: Wine, programs: readonly OwnProgram[]): Promise<void> {
  // Whoever left these was killed: we hold the lock that they had.
  for (const name of readdirSync(top)) {
    if (name.startsWith(unfinished)) rmSync(join(top, name), { recursive: true, force: true });
  }
  const making = join(top, `${unfinished}${process.pid}`);
  mkdirSync(making, { mode: 0o700 });
  try {
    const facts = await makePersonality(making, wine, programs);
    writeFileSync(join(making, factsFile), `${JSON.stringify(facts, undefined, 2)}\n`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(making, folder);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
}

function describe(folder: string, wine: Wine): Personality {
  const facts = v.parse(factsSchema, JSON.parse(readFileSync(join(folder, factsFile), "utf8")));
  const text = (name: string) => join(folder, "wine", `${name}.reg`);
  return {
    version: facts.version,
    root: join(folder, "root"),
    ...containerOf(folder, wine, facts.replaced),
    registry: { system: text("system"), user: text("user"), userdef: text("userdef") },
    replaced: facts.replaced,
    added: facts.added,
    unpatched: facts.unpatched,
  };
}

/**
 * The small lower folder of one step: `Files/Users/NAME` with what a profile has, for accounts whose profile the image
 * lacks. `folder` must be there; it is given back.
 */
export function profileFolder(folder: string, name: string): string {
  for (const path of profileFolders) mkdirSync(join(folder, "Files/Users", name, path), { recursive: true });
  return folder;
}
