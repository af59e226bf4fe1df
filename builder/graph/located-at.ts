/** Says which word of the Dockerfile an error belongs to: who looks images up does not know. */
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { Word } from "../dockerfile/instruction.ts";
import type { PlanWorld } from "./plan-world.ts";

/** An image that cannot be had is blamed on the word that names it, and so is a platform that there is not. */
export function locatedAt(error: unknown, { span }: Word, world: PlanWorld): unknown {
  if (!isWbuildError(error) || error.facts.span !== undefined) return error;
  return new WbuildError(error.code, error.message, {
    facts: { ...error.facts, file: world.source.name, span },
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
