/** One row of the table of error codes. */

/** 1: a step failed. 2: usage, or the Dockerfile. 3: cannot reach or authenticate. 4: this host, or wbuild itself. */
export type ExitCode = 1 | 2 | 3 | 4;

export interface CodeRow {
  readonly exit: ExitCode;
  readonly title: string;
  /** What to do, when the error itself does not say. */
  readonly hint?: string;
}

export type CodeTable = Readonly<Record<string, CodeRow>>;

export function row(exit: ExitCode, title: string, hint?: string): CodeRow {
  return hint === undefined ? { exit, title } : { exit, title, hint };
}
