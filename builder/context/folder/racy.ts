/**
 * A file changed again within the clock's granularity keeps its times. One whose change time is this near to the moment
 * of reading is therefore not known by its times afterwards (what git calls "racily clean").
 */
const margin = 20_000_000n;

/** The latest change time that can be trusted of files that were read after `readAt`; nanoseconds since 1970. */
export function racyLimit(readAt: bigint): bigint {
  return readAt - margin;
}

export function isRacy(changedAt: bigint, readAt: bigint): boolean {
  return changedAt > racyLimit(readAt);
}
