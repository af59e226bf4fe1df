/** Work of foreign patterns, ended when it takes too long. */
import { createContext, Script } from "node:vm";
import { badValue } from "../value.ts";

/** Any honest pattern on the longest text that functions take needs some milliseconds. */
const mostMs = 1000;

/**
 * What `work` gives. Attack: `^(a+)+$` on forty letters takes JavaScript's engine, which tries one way after another, longer
 * than anybody lives, and no signal reaches the process meanwhile. Throws BAKE_VALUE after a second, and what `work` throws.
 */
export function bounded<T>(name: string, work: () => T): T {
  const context = createContext({ work });
  try {
    return new Script("work()").runInContext(context, { timeout: mostMs }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    throw badValue(`${name}: the pattern takes too long on this text`);
  }
}
