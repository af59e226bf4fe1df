/** Says which step of the Dockerfile an error belongs to: low code does not know. */
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { Node } from "../graph/graph.ts";

/** The error with the node's place, unless it has one already or is a bug. */
export function located(error: unknown, node: Node): unknown {
  if (!isWbuildError(error) || error.facts.span !== undefined || node.span === undefined) return error;
  return new WbuildError(error.code, error.message, {
    facts: { ...error.facts, span: node.span, step: node.title },
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}
