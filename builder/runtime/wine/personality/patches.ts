/** Which of Wine's own files are led to our programs, and how: what Wine 8 only pretends to do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isWbuildError } from "../../../../native/error.ts";
import { forwardExport, forwardedFunctions, hiddenCommands, hideBuiltin } from "../../../../native/wine/patch.ts";
import { chainCommands } from "../../../../native/wine/patch-chain.ts";
import type { Wine } from "./find-wine.ts";

interface Patch {
  readonly file: string;
  /** For people: what it is about. */
  readonly what: string;
  /** Ours, without which the patch would lead nowhere. */
  readonly needs: string;
  apply(bytes: Uint8Array, needed: Uint8Array): Uint8Array;
}

/** Functions of kernelbase that do something else than on Windows: symbolic links are not made, folders' links followed. */
const forwarded = forwardedFunctions.map(
  (name): Patch => ({
    file: "kernelbase.dll",
    what: `the function ${name}`,
    needs: "wbuildlnk.dll",
    apply: (bytes) => forwardExport(bytes, name, `wbuildlnk.${name}`),
  }),
);

const hidden = hiddenCommands.map(
  (name): Patch => ({
    file: "cmd.exe",
    what: `the command ${name.toLowerCase()} of cmd`,
    needs: `${name.toLowerCase()}.exe`,
    apply: (bytes) => hideBuiltin(bytes, name),
  }),
);

/** Compiled code that goes into Wine's cmd.exe; no file of its own. */
export const chainCode = "chain.bin";

/** What cmd of Wine 10 does by itself. */
export const chainOperators = "the operators && and || of cmd";

/** Wine 8 runs `b` of `a && b` whatever became of `a`: most of what RUN says would go on after a failure. */
const chains: Patch = {
  file: "cmd.exe",
  what: chainOperators,
  needs: chainCode,
  apply: chainCommands,
};

const patches: readonly Patch[] = [...forwarded, ...hidden, chains];

/** What is patched: a personality with other patches is another one. */
export const patchNames: readonly string[] = patches.map(({ what }) => what);

export interface Patched {
  /** Wine's name → the changed file. */
  readonly patched: ReadonlyMap<string, Uint8Array>;
  /** What a Wine of another make does not let us change. */
  readonly failed: readonly string[];
}

/** `ours`: our programs by name. */
export function patchWine(wine: Wine, ours: ReadonlyMap<string, Uint8Array>): Patched {
  const patched = new Map<string, Uint8Array>();
  const failed: string[] = [];
  for (const { file, what, needs, apply } of patches) {
    const needed = ours.get(needs);
    if (!needed) continue;
    try {
      patched.set(file, apply(patched.get(file) ?? readFileSync(join(wine.windows, file)), needed));
    } catch (error) {
      if (!isWbuildError(error, "WIN_PATCH")) throw error;
      failed.push(what);
    }
  }
  return { patched, failed };
}
