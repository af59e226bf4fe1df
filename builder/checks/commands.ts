/** JSONArgsRecommended and MultipleInstructionsDisallowed: CMD, ENTRYPOINT and HEALTHCHECK. */
import type { Stage } from "../dockerfile/instruction.ts";
import type { Finding } from "./rule.ts";
import type { Moment } from "./walk.ts";

/** A shell that the stage or its base chose is meant to be there. */
export function checkCommandForm({ raw, before }: Moment): Finding[] {
  if ((raw.kind !== "CMD" && raw.kind !== "ENTRYPOINT") || raw.command.form === "exec" || before.hasShell) return [];
  const message = `${raw.kind} is no JSON array, so a shell stands between signals and the program`;
  return [{ rule: "JSONArgsRecommended", message, span: raw.span }];
}

/** All but the last are blamed: they have no effect. */
export function checkOnce({ instructions }: Stage): Finding[] {
  return (["CMD", "ENTRYPOINT", "HEALTHCHECK"] as const).flatMap((kind) =>
    instructions
      .filter((instruction) => instruction.kind === kind)
      .slice(0, -1)
      .map((instruction): Finding => {
        const message = `another ${kind} of this stage takes the place of this one`;
        return { rule: "MultipleInstructionsDisallowed", message, span: instruction.span };
      }),
  );
}
