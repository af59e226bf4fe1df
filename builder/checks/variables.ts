/** UndefinedVar: names that nothing has set where they are used. */
import { nearest } from "../diagnose/nearest.ts";
import type { Finding } from "./rule.ts";
import type { Moment } from "./walk.ts";

export function checkVariables({ raw, unset, known }: Moment): Finding[] {
  return unset.map((name) => {
    const close = nearest(name, known);
    const message = `the variable ${name} is not set here${close === undefined ? "" : ` (did you mean ${close}?)`}`;
    return { rule: "UndefinedVar", message, span: raw.span };
  });
}
