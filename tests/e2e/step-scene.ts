/** Images of one step that writes what it sees into a file, which the test reads back from `out`. */
import type { ExecutionContext } from "ava";
import type { BuildOutcome, Scene } from "./scene.ts";

export const base = "FROM wbuild.local/linux";

/** Builds `out`; fails the test when that fails. */
export async function built(t: ExecutionContext, s: Scene, context: string, ...flags: string[]): Promise<BuildOutcome> {
  const done = await s.build(context, "-t", "out", ...flags);
  t.is(done.code, 0, done.stderr);
  return done;
}
