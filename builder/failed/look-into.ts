/** What a person asked for in case that a step fails: keep its files, open a shell in them. */
import { isWbuildError, WbuildError } from "../../native/error.ts";
import type { FailedStep } from "../steps/step.ts";
import { keepImage } from "./keep.ts";
import { openShell, type ShellWorld } from "./shell.ts";

export interface FailureChoice {
  readonly shell: boolean;
  /** Name of the image that keeps the files. */
  readonly keepAs?: string;
}

export interface FailureWorld extends ShellWorld {
  /** Before the shell has the terminal. */
  readonly announce: (text: string) => void;
}

/** Gives the error that the build is to fail with: the step's own, with a hint where its files are kept. */
export async function lookInto(failed: FailedStep, choice: FailureChoice, world: FailureWorld): Promise<unknown> {
  const kept = choice.keepAs === undefined ? undefined : await keepOrWarn(failed, choice.keepAs, world);
  if (choice.shell) {
    world.announce(`a shell where ${failed.node.title} failed; the build ends when it does`);
    await openShell(failed, world);
  }
  return kept === undefined ? failed.error : withHint(failed.error, kept);
}

async function keepOrWarn(failed: FailedStep, name: string, world: FailureWorld): Promise<string | undefined> {
  try {
    const { id, name: full } = await keepImage(failed, name, world.store);
    return `its files are kept as ${full} (${id.slice(7, 19)}): look into them with \`wbuild run -it ${name}\``;
  } catch (error) {
    if (!isWbuildError(error)) throw error;
    world.warn(`the files of the failed step cannot be kept: ${error.message}`);
    return undefined;
  }
}

function withHint(error: unknown, kept: string): unknown {
  if (!isWbuildError(error)) return error;
  const told = new WbuildError(error.code, error.message, {
    facts: error.facts,
    cause: error.cause,
    hint: error.hint === undefined ? kept : `${error.hint}; ${kept}`,
  });
  return told;
}
