/** What tests with Wine need, and why they are skipped where it is not there. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findWine } from "../../builder/runtime/wine/personality/find-wine.ts";
import { programsFolder } from "../../builder/runtime/wine/personality/programs.ts";
import { canMakeContainers } from "../../native/core/userns.ts";
import { testUnless } from "./test-unless.ts";

function missing(): string | undefined {
  if (!findWine()) return "no wine64 on this host";
  if (!existsSync(join(programsFolder(), "run.exe"))) return "the Windows programs are not compiled (no mingw-w64)";
  if (!canMakeContainers()) return "containers need root here";
  return undefined;
}

/** Why tests with Wine cannot run; undefined when they can. */
export const noWine = missing();

/** `test` with Wine; elsewhere a skipped test whose title says why. */
export const withWine = testUnless(noWine);

/** That cmd is as Wine 8 has it: chain.S is made for its functions. That of Wine 10 does by itself what chain.S is for. */
export const hasOldCmd: boolean = (() => {
  const wine = findWine();
  return wine !== undefined && readFileSync(join(wine.windows, "cmd.exe")).includes("WCMD_process_commands");
})();
