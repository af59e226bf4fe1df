/** `--on-failure` and `--keep-failed`: what is to happen when a step fails. */
import type { Command as Parser } from "commander";
import type { FailureChoice } from "../failed/look-into.ts";
import type { BuildWorld } from "../plan-request.ts";
import type { Cli } from "./command.ts";
import { parseChoice } from "./flags/values.ts";
import type { Session } from "./session.ts";

export interface FailureFlags {
  readonly onFailure?: string;
  readonly keepFailed?: string;
  /** `wbuild debug --invoke`. */
  readonly invoke?: string;
}

export function defineFailureFlags(parser: Parser): void {
  parser
    .option("--on-failure <what>", "shell: open one where a step failed, with its files, mounts and variables")
    .option("--keep-failed [name]", "keep the files of a step that failed as this image (default: failed)");
}

/** Undefined: nothing was asked for. Throws CLI_VALUE. */
export function failureChoiceOf(flags: FailureFlags): FailureChoice | undefined {
  const { onFailure, keepFailed } = flags;
  if (onFailure !== undefined) parseChoice("--on-failure", onFailure, ["shell"]);
  if (onFailure === undefined && keepFailed === undefined) return undefined;
  return {
    shell: onFailure !== undefined,
    ...(keepFailed === undefined ? {} : { keepAs: keepFailed === "" ? "failed" : keepFailed }),
  };
}

/** Nothing of it is loaded before a step has failed. */
export function whenFailed(
  choice: FailureChoice,
  flags: FailureFlags,
  session: Session,
  cli: Cli,
): NonNullable<BuildWorld["whenFailed"]> {
  return async (failed) => {
    const { lookInto } = await import("../failed/look-into.ts");
    const { runtimes } = await import("../runtime/choose.ts");
    const { harmless } = await import("../progress/harmless.ts");
    const store = await session.store();
    const say = (text: string) => void cli.stderr.write(`${harmless(text)}\n`);
    session.endReport();
    return lookInto(failed, choice, {
      store,
      runtime: runtimes(store.home),
      warn: (text) => say(`warning: ${text}`),
      announce: say,
      tty: cli.stdin.isTTY === true && cli.stdout.isTTY === true,
      onSignals: cli.takeSignals,
      ...(flags.invoke === undefined ? {} : { command: [flags.invoke] }),
    });
  };
}
