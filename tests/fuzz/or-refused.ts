/** Hostile input may be refused, by an error of ours; any other one is a fault. */
import { isWbuildError } from "../../native/error.ts";

/** What `run` gives, or nothing when it refuses. */
export function orRefused<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (isWbuildError(error)) return undefined;
    throw error;
  }
}
