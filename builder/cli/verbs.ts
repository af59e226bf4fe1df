/** Commands whose first word says what to do: `wbuild hive show`, `wbuild manifest create`. */
import { WbuildError } from "../../native/error.ts";
import type { Cli } from "./command.ts";
import { parseChoice } from "./flags/values.ts";

export interface Verb<Flags> {
  /** As help has them. */
  readonly operands: string;
  readonly least: number;
  readonly most: number;
  /** Those of the command's own flags that mean something to it. */
  readonly flags: readonly (keyof Flags)[];
  run(operands: readonly string[], flags: Flags, cli: Cli): Promise<number>;
}

/**
 * Carries out the verb that the first word names. Flags that no verb lists are the business of all of them.
 * Throws CLI_VALUE for a word that is none, CLI_USAGE for too few or too many operands and for a flag of another verb.
 */
export async function runVerb<Flags extends object>(
  command: string,
  verbs: Readonly<Record<string, Verb<Flags>>>,
  [word = "", ...operands]: readonly string[],
  flags: Flags,
  cli: Cli,
): Promise<number> {
  const name = parseChoice(command, word, Object.keys(verbs));
  const verb = verbs[name] as Verb<Flags>;
  if (operands.length < verb.least || operands.length > verb.most)
    throw new WbuildError("CLI_USAGE", `wbuild ${command} ${name} needs ${verb.operands}`);
  const ofVerbs = new Set(Object.values(verbs).flatMap((each) => each.flags));
  for (const flag of ofVerbs)
    if (flags[flag] !== undefined && !verb.flags.includes(flag))
      throw new WbuildError("CLI_USAGE", `wbuild ${command} ${name} has no use for --${dashed(String(flag))}`);
  return verb.run(operands, flags, cli);
}

/** `dryRun` → `dry-run`: commander's names back as they are typed. */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
