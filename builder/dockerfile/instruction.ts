/**
 * Typed instructions: what a Dockerfile says, before any variable is expanded. One readonly shape a keyword.
 * Words marked (expands) still hold $VARIABLES, quotes and escapes; words.ts expands them when a stage's scope is known.
 */
import type { SourceText, Span } from "../diagnose/source.ts";

interface Common {
  /** From the keyword to the end of the last line that continues it; here-documents behind it have places of their own. */
  readonly span: Span;
  /** The instruction as written, continuations joined by nothing, comments inside them removed, trimmed: `RUN a && b`. */
  readonly text: string;
}

/** A word with its own place, so that an error can underline it. (expands) */
export interface Word {
  readonly text: string;
  readonly span: Span;
}

export interface KeyValue {
  readonly key: Word;
  readonly value: Word;
}

export type Command =
  | { readonly form: "shell"; readonly line: string; readonly span: Span }
  /** JSON array: taken literally, never expanded. */
  | { readonly form: "exec"; readonly argv: readonly string[]; readonly span: Span };

/** A here-document: the lines after an instruction, up to the one that holds its name alone. */
export interface HereDocument {
  /** The delimiter without its quotes. */
  readonly name: string;
  /** The lines as written, each with its end: variables are in it, and `<<-` has taken no tabs away yet (textOf does). */
  readonly text: string;
  /** The delimiter was written without quotes: COPY and ADD expand variables in the text; in a RUN the shell does. */
  readonly expands: boolean;
  /** Written as `<<-`. */
  readonly stripsTabs: boolean;
  /** `3<<EOF`: the descriptor that the shell is to give it. */
  readonly descriptor?: number;
  /** The delimiter as written (`<<-"EOF"`), on the instruction's line. */
  readonly span: Span;
  /** The lines of text, up to the beginning of the one that ends it. */
  readonly textSpan: Span;
}

export interface From extends Common {
  readonly kind: "FROM";
  readonly image: Word;
  readonly as?: string;
  readonly asSpan?: Span;
  readonly platform?: Word;
}
export interface Arg extends Common {
  readonly kind: "ARG";
  readonly args: readonly { readonly name: string; readonly value?: Word; readonly span: Span }[];
}
export interface Env extends Common {
  readonly kind: "ENV";
  readonly pairs: readonly KeyValue[];
}
export interface Label extends Common {
  readonly kind: "LABEL";
  readonly pairs: readonly KeyValue[];
}
export interface Run extends Common {
  readonly kind: "RUN";
  readonly command: Command;
  readonly network?: Word;
  readonly security?: Word;
  /** Each `--mount` as written: its values are expanded, and read by read-mount.ts, where the stage's scope is known. */
  readonly mounts?: readonly Word[];
  readonly devices?: readonly Word[];
  readonly documents?: readonly HereDocument[];
}
/** COPY and ADD. */
export interface Copy extends Common {
  readonly kind: "COPY" | "ADD";
  readonly sources: readonly Word[];
  readonly target: Word;
  /** COPY only. (expands) */
  readonly from?: Word;
  readonly chown?: Word;
  readonly chmod?: Word;
  readonly link?: boolean;
  /** COPY only. */
  readonly parents?: boolean;
  readonly exclude?: readonly Word[];
  /** Sources that are here-documents, in the order of their words, which `sources` does not have. */
  readonly documents?: readonly HereDocument[];
  /** ADD only, of a URL (`sha256:…`) or of a git repository (a commit). */
  readonly checksum?: Word;
  readonly keepGitDir?: boolean;
  readonly unpack?: boolean;
}
export interface Workdir extends Common {
  readonly kind: "WORKDIR";
  readonly path: Word;
}
export interface User extends Common {
  readonly kind: "USER";
  readonly user: Word;
}
export interface Cmd extends Common {
  readonly kind: "CMD";
  readonly command: Command;
}
export interface Entrypoint extends Common {
  readonly kind: "ENTRYPOINT";
  readonly command: Command;
}
export interface Expose extends Common {
  readonly kind: "EXPOSE";
  readonly ports: readonly Word[];
}
export interface Volume extends Common {
  readonly kind: "VOLUME";
  readonly paths: readonly Word[];
}
export interface Stopsignal extends Common {
  readonly kind: "STOPSIGNAL";
  readonly signal: Word;
}
export interface Healthcheck extends Common {
  readonly kind: "HEALTHCHECK";
  /** undefined: HEALTHCHECK NONE. */
  readonly command?: Command;
  /** Nanoseconds, as the image config stores them; absent means the runtime's default. */
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
}
export interface Shell extends Common {
  readonly kind: "SHELL";
  readonly argv: readonly string[];
}
/** The trigger is kept as text; when a child image is built it is parsed anew. `trigger` is the text after ONBUILD. */
export interface Onbuild extends Common {
  readonly kind: "ONBUILD";
  readonly trigger: string;
}
export interface Maintainer extends Common {
  readonly kind: "MAINTAINER";
  readonly name: Word;
}

export type Instruction =
  | From
  | Arg
  | Env
  | Label
  | Run
  | Copy
  | Workdir
  | User
  | Cmd
  | Entrypoint
  | Expose
  | Volume
  | Stopsignal
  | Healthcheck
  | Shell
  | Onbuild
  | Maintainer;

export interface Stage {
  readonly index: number;
  /** Lower-cased, as stages are looked up. */
  readonly name?: string;
  readonly from: From;
  /** Everything after FROM, up to the next FROM. */
  readonly instructions: readonly Exclude<Instruction, From>[];
}

export interface Dockerfile {
  readonly source: SourceText;
  readonly escape: "\\" | "`";
  readonly syntax?: string;
  /** The check directive: value and place of the value. */
  readonly check?: Word;
  /** ARGs before the first FROM. */
  readonly globalArgs: readonly Arg[];
  readonly stages: readonly Stage[];
  /** Not fatal: deprecated forms, suspicious spellings. */
  readonly warnings: readonly { readonly text: string; readonly span: Span }[];
}
