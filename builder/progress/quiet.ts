/** The quiet face: says nothing. Failures are told by whoever ends the process. */
import type { ProgressFace } from "./events.ts";

export function quietFace(): ProgressFace {
  return { report() {}, close() {} };
}
