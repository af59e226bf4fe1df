/** What is worth trying again, and when: exponential steps with jitter, the registry's own Retry-After, few attempts. */
import { setTimeout as sleep } from "node:timers/promises";
import { isWbuildError } from "../../native/error.ts";

export interface RetryPolicy {
  /** In all, the first included. */
  readonly attempts: number;
  readonly baseMs: number;
  readonly capMs: number;
  /** The longest Retry-After that is waited for; a longer one is an error now rather than a surprise. */
  readonly patienceMs: number;
}

export const defaultRetry: RetryPolicy = { attempts: 5, baseMs: 200, capMs: 8000, patienceMs: 60_000 };

const transientStatus = new Set([408, 425, 429, 500, 502, 503, 504]);
const transientErrno = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ECONNABORTED",
  "EAI_AGAIN",
  "HTTP_CONNECT_TIMEOUT",
  "HTTP_HEAD_TIMEOUT",
  "HTTP_BODY_TIMEOUT",
  "REG_ENDED_EARLY",
  // An upload that the registry forgot, or of which it has other bytes than we think.
  "UPLOAD_LOST",
  "UPLOAD_RANGE",
]);

/** True for failures that another attempt may not meet: overload, a broken connection. Refusals are none. */
export function isTransient(error: unknown): boolean {
  if (!isWbuildError(error)) return false;
  const { status, errno } = error.facts;
  return (
    (typeof status === "number" && transientStatus.has(status)) ||
    (typeof errno === "string" && transientErrno.has(errno))
  );
}

/** Milliseconds to wait before attempt `next` (2 is the first repetition), or undefined when it is not worth it. */
export function delayBefore(next: number, error: unknown, policy: RetryPolicy): number | undefined {
  if (next > policy.attempts || !isTransient(error)) return undefined;
  const asked = isWbuildError(error) ? error.facts.retryAfterMs : undefined;
  if (typeof asked === "number") return asked <= policy.patienceMs ? asked : undefined;
  const step = Math.min(policy.capMs, policy.baseMs * 2 ** (next - 2));
  return step / 2 + (Math.random() * step) / 2;
}

/** Runs `attempt` until it succeeds, fails for good, or the policy is spent; then the last failure is thrown. */
export async function withRetry<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let next = 2; ; next++) {
    try {
      return await attempt();
    } catch (error) {
      const delay = signal?.aborted === true ? undefined : delayBefore(next, error, policy);
      if (delay === undefined) throw error;
      await pause(delay, signal);
    }
  }
}

/** Waits, or rejects at once with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    // Node's error says only that somebody gave up, and whoever gets it would take it for a failure of the registry.
    signal?.throwIfAborted();
    throw error;
  }
}

/** Retry-After as milliseconds: seconds or a date (RFC 9110 section 10.2.3). */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
