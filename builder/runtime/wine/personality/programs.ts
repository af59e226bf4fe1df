/** Our own programs for Windows steps, as they were compiled into dist/wine, and which of Wine's they stand in for. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { distFolder } from "../../../../native/addon/load.ts";
import { WbuildError } from "../../../../native/error.ts";
import { hasFixedAddress, type Wine } from "./find-wine.ts";
import { chainCode, patchWine } from "./patches.ts";
import { refusedPrograms, refuser } from "./refused.ts";

export interface OwnProgram {
  readonly name: string;
  readonly bytes: Buffer;
}

/** Those that a container runs from /wbuild; no Windows program ever sees them. */
const starters: ReadonlySet<string> = new Set(["session", "run.exe"]);
/** Stands in for a loader of Wine's that can only lie at one address (native/wine/loader.c). */
export const loader = "loader";
const needed = [...starters, loader, "wineboot.exe"];

/** Folder of the compiled programs; $WBUILD_WINE_PROGRAMS names another one in tests. */
export function programsFolder(): string {
  return process.env.WBUILD_WINE_PROGRAMS ?? join(distFolder(), "wine");
}

/** Names and bytes, sorted. Throws BOX_NOT_BUILT where one is missing without which no step can run. */
export function ownPrograms(): OwnProgram[] {
  const folder = programsFolder();
  for (const name of needed) {
    if (existsSync(join(folder, name))) continue;
    throw new WbuildError("BOX_NOT_BUILT", `cannot find ${join(folder, name)}, which Windows steps need`, {
      hint: "run `npm run setup` in the checkout: it installs mingw-w64 and compiles it",
    });
  }
  return readdirSync(folder)
    .filter(
      (name) => starters.has(name) || name === loader || name === chainCode || /^[a-z0-9-]+\.(exe|dll)$/.test(name),
    )
    .flatMap((name) => {
      const bytes = readFileSync(join(folder, name));
      return (name === refuser ? Object.keys(refusedPrograms) : [name]).map((name) => ({ name, bytes }));
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function programsDigest(programs: readonly OwnProgram[]): string {
  const hash = createHash("sha256");
  for (const { name, bytes } of programs) hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  return hash.digest("hex");
}

/**
 * Their place in the programs' folder. Wine looks for its own files in `x86_64-windows` below each folder of $WINEDLLPATH, so
 * that those of ours which it does not have are taken before what an image has of the same name, as Wine's are.
 */
export const standIns = "dlls/x86_64-windows";

/** Where the programs of a personality are used. */
export interface PlacedPrograms {
  /** Names that stand in for Wine's own file of that name. */
  readonly replaced: readonly string[];
  /** Names that Wine does not have: they go into system32. */
  readonly added: readonly string[];
  /** What could not be led to our programs, because this Wine looks different. */
  readonly unpatched: readonly string[];
}

/**
 * Writes them into a folder: session, run.exe and, where Wine's own is not to be used, the loader at its top, what programs shall find as Windows' own in `standIns`,
 * there also those of Wine's files that must be a little different.
 */
export function placePrograms(programs: readonly OwnProgram[], wine: Wine, folder: string): PlacedPrograms {
  const system = join(folder, standIns);
  mkdirSync(system, { recursive: true });
  const replaced: string[] = [];
  const added: string[] = [];
  for (const { name, bytes } of programs) {
    if (starters.has(name)) {
      writeFileSync(join(folder, name), bytes, { mode: 0o755 });
      continue;
    }
    if (name === chainCode) continue;
    if (name === loader) {
      if (!hasFixedAddress(wine.loader)) continue;
      writeFileSync(join(folder, name), bytes, { mode: 0o755 });
      symlinkSync(join(wine.unix, "ntdll.so"), join(folder, "ntdll.so"));
      continue;
    }
    const isWines = existsSync(join(wine.windows, name));
    // A newer Wine brings the missing DLL itself, and more of it than ours.
    if (isWines && name.endsWith(".dll")) continue;
    // What Wine does not pretend to have may be in an image.
    if (!isWines && name in refusedPrograms) continue;
    (isWines ? replaced : added).push(name);
    writeFileSync(join(system, name), bytes, { mode: 0o755 });
  }
  const { patched, failed } = patchWine(wine, new Map(programs.map(({ name, bytes }) => [name, bytes])));
  for (const [name, bytes] of patched) {
    replaced.push(name);
    writeFileSync(join(system, name), bytes, { mode: 0o755 });
  }
  return { replaced, added, unpatched: failed };
}
