/** When something was last used, to the minute: a use within the same minute costs no write. */
const useGrainMs = 60_000;

/** True when the noted time is too old, or lies in the future because the clock was set back. */
export function isStaleUse(notedMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - notedMs) >= useGrainMs;
}
