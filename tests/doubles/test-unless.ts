/** Tests of what not every host has: where it is missing they are skipped, and their titles say why. */
import test, { type ImplementationFn } from "ava";

type Declare = (title: string, run: ImplementationFn<[]>) => void;

/** `test`, or another way to declare one, unless something is missing: the reason, in few words. */
export function testUnless(missing: string | undefined, declare: Declare = test): Declare {
  if (missing === undefined) return declare;
  return (title, run) => test.skip(`${title} (skipped: ${missing})`, run);
}

/** Why what only root may do cannot be tried; undefined for root. */
export const noRoot = process.geteuid?.() === 0 ? undefined : "needs root";
