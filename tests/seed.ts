/**
 * Loaded before every test file: property tests draw the same cases on every run, so that a failure belongs to the change
 * at hand. New cases are drawn by `npm run fuzz`, which sets WBUILD_FUZZ.
 */
import fc from "fast-check";

const fixedSeed = 20_261_121;

export const isFuzzing = process.env.WBUILD_FUZZ === "1";

if (!isFuzzing) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: fixedSeed });

/** The seed for what draws cases in another process. */
export function seedOf(random: () => number): number {
  return isFuzzing ? random() : fixedSeed;
}
