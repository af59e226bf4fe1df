/** The json face: each event as it is, one object a line. For programs that watch a build. */
import type { ProgressFace } from "./events.ts";

export function jsonFace(write: (text: string) => void): ProgressFace {
  return {
    report: (event) => write(`${JSON.stringify(event)}\n`),
    close() {},
  };
}
