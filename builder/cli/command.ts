/**
 * What a command is, and what it may touch of the process. A command's file holds one Command and nothing else that is
 * exported; main.ts loads that file only when the command was asked for.
 */
import type { Command as Parser } from "commander";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The process as commands see it. Only main.ts makes one for real. */
export interface Cli {
  readonly env: Environment;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** Aborted at the first SIGINT or SIGTERM, or when nobody reads standard output any more. */
  readonly signal: AbortSignal;
  readonly debug: boolean;
  /** `--home`, as given. */
  readonly home: string | undefined;
  readonly commands: CommandTable;
  /** From now on this value is replaced by stars in everything that we print: passwords and the like. */
  keepSecret(value: string): void;
  /** The values kept so far. */
  readonly secrets: readonly string[];
  /** From now on the first signals go to this function and abort nothing; gives a function that ends that. */
  takeSignals(handler: (name: NodeJS.Signals) => void): () => void;
}

export interface Command {
  /** `IMAGE [IMAGE]`: what follows the flags. */
  readonly operands: string;
  /** Paragraphs under the usage line: what it does, what it leaves alone. */
  readonly about: string;
  /** At least one: the line to type, and what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[];
  /** The exit code of a failure of ours, where it must not be taken for that of a program which we run. */
  readonly failureExit?: number;
  /** It reads layers entry by entry: its objects live shortly, and room for more of them makes nothing faster. */
  readonly readsLayers?: true;
  /** Adds operands and flags. */
  define(parser: Parser): void;
  /** Does it. A number is the exit code; nothing is 0. Operands and flags are read from the parser. */
  run(parser: Parser, cli: Cli): Promise<number | undefined>;
}

/** What the overview knows of a command before it is loaded. */
export interface CommandRow {
  readonly group: "build" | "images" | "registry" | "store" | "host";
  readonly summary: string;
  /** It runs containers, or reads and removes files of other owners: an ordinary user needs a user namespace for that. */
  readonly asRoot?: true;
  load(): Promise<Command>;
}

export type CommandTable = Readonly<Record<string, CommandRow>>;

/** The flags that were given or have a default, under the type that this command's `define` makes true. */
export function flagsOf<T extends object>(parser: Parser): Readonly<T> {
  return parser.opts<T>();
}

/** For flags that may be repeated: commander's reducer. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
