/** Questions on the terminal, on standard error so that standard output stays clean. */
import { WbuildError } from "../../native/error.ts";
import type { Cli } from "./command.ts";

export interface Question {
  readonly text: string;
  /** False for secrets: what is typed is not shown. */
  readonly echo: boolean;
  /** What is asked for and how else to give it, where there is no terminal. */
  readonly otherwise: readonly [what: string, hint: string];
}

/** The line that was typed. Throws CLI_USAGE without a terminal. */
export async function ask(cli: Cli, { text, echo, otherwise: [what, hint] }: Question): Promise<string> {
  if (!cli.stdin.isTTY) throw new WbuildError("CLI_USAGE", `there is no terminal to ask for ${what} on`, { hint });
  const { createInterface } = await import("node:readline/promises");
  const { Writable } = await import("node:stream");
  // The line editor echoes to its output: one that drops everything keeps the secret off the screen.
  const silent = new Writable({ write: (_part, _encoding, done) => done() });
  const lines = createInterface({ input: cli.stdin, output: echo ? cli.stderr : silent, terminal: true });
  try {
    if (!echo) cli.stderr.write(text);
    lines.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
    const answer = await lines.question(echo ? text : "", { signal: cli.signal });
    if (!echo) cli.stderr.write("\n");
    return echo ? answer.trim() : answer;
  } finally {
    lines.close();
    cli.stdin.pause();
  }
}
