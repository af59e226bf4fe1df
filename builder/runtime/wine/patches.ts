/** Which of Wine's own files are led to our programs, and how: what Wine 8 only pretends to do. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isWbuildError } from "../../../native/error.ts";
import { forwardExport, forwardedFunctions, hiddenCommands, hideBuiltin } from "../../../native/wine/patch.ts";
import type { Wine } from "./find-wine.ts";

interface Patch {
  readonly file: string;
  /** For people: what it is about. */
  readonly what: string;
  /** Ours, without which the patch would lead nowhere. */
  readonly needs: string;
  apply(bytes: Uint8Array): Uint8Array;
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

/** What is patched: a personality with other patches is another one. */
export const patchNames: readonly string[] = [...forwarded, ...hidden].map(({ what }) => what);

export interface Patched {
  /** Wine's name → the changed file. */
  readonly patched: ReadonlyMap<string, Uint8Array>;
  /** What a Wine of another make does not let us change. */
  readonly failed: readonly string[];
}

/** `ours` are the names of our programs. */
export function patchWine(wine: Wine, ours: ReadonlySet<string>): Patched {
  const patched = new Map<string, Uint8Array>();
  const failed: string[] = [];
  for (const { file, what, needs, apply } of [...forwarded, ...hidden]) {
    if (!ours.has(needs)) continue;
    try {
      patched.set(file, apply(patched.get(file) ?? readFileSync(join(wine.windows, file))));
    } catch (error) {
      if (!isWbuildError(error, "WIN_PATCH")) throw error;
      failed.push(what);
    }
  }
  return { patched, failed };
}
