/** Anything that was thrown → what a person reads, and the exit code. The one place that does this. */
import { constants } from "node:os";
import { isWbuildError, type WbuildError } from "../../native/error.ts";
import { type Diagnostic, diagnosticsOf } from "../diagnose/diagnostic.ts";
import { renderDiagnostic } from "../diagnose/render.ts";
import { harmless } from "../progress/harmless.ts";
import { formatSeconds } from "../progress/units.ts";
import { codes } from "./codes.ts";
import type { ExitCode } from "./row.ts";

export interface ExplainOptions {
  /** Adds stacks. */
  readonly debug: boolean;
  readonly colours: boolean;
  readonly version: string;
}

export interface Explained {
  readonly exit: ExitCode;
  /** Ends with a newline. */
  readonly text: string;
  /** The line of a file that is to blame, for who notes errors there. */
  readonly place?: { readonly file: string; readonly line: number; readonly title: string; readonly text: string };
}

/** Causes are followed this far: a chain may be a circle. */
const deepest = 10;
/** Lines of the Dockerfile before and behind a step that failed. */
const linesAround = 2;
/** Last lines of a step's output that are shown. */
const shownLines = 12;

/** What the operating system says no with: not a bug of ours, though nobody put it into better words. */
const systemFailures: Readonly<Record<string, string>> = {
  ENOSPC: "free some room, for example with `wbuild prune`, or set $WBUILD_HOME to a folder on a larger disk",
  EDQUOT: "the disk quota is used up: free some room, or set $WBUILD_HOME to another disk",
  EACCES: "look at the owner and mode of that path",
  EPERM: "the operating system does not allow it to this user",
  EROFS: "that file system is read-only: choose another folder",
  ENOENT: "look at the spelling of that path",
  ENOTDIR: "a part of that path is a file",
  EISDIR: "that path is a folder where a file is needed",
  EMFILE: "too many files are open: raise the limit with `ulimit -n`",
  ENFILE: "too many files are open on this host",
  ENOMEM: "there is not enough memory",
  EIO: "the disk or file system failed: look into the kernel's log",
  ELOOP: "that path is a circle of symbolic links",
  ENAMETOOLONG: "that path is too long",
};

/**
 * The error and its causes, outermost first. Of several failures at once, the first: also where another one came while
 * things were put away after it.
 */
export function chainOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < deepest && !chain.includes(at); ) {
    if (at.name === "SuppressedError" && "suppressed" in at) {
      at = at.suppressed;
      continue;
    }
    chain.push(at);
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined);
  }
  return chain;
}

/**
 * The message is the outermost one, code and exit code are those of the innermost failure with a code; each cause is a
 * line of its own. What has no code and is no failure of the operating system is a bug: exit code 4 and the line to report.
 */
export function explain(error: unknown, options: ExplainOptions): Explained {
  const chain = chainOf(error);
  const known = chain.filter((part): part is WbuildError => isWbuildError(part));
  const innermost = known.at(-1);
  const head = chain[0];
  if (!head || !innermost) return explainForeign(error, chain, options);
  const row = codes[innermost.code];
  const hint = known.find((part) => part.hint !== undefined)?.hint ?? row?.hint;
  const [first, ...others] = diagnosticsOf(known.find((part) => part.facts.span !== undefined) ?? innermost);
  const shown: Diagnostic[] = [
    {
      ...first,
      severity: "error",
      code: innermost.code,
      message: oneLine(head.message),
      ...(innermost.code.startsWith("STEP_") ? { around: linesAround } : {}),
      notes: [...(first?.notes ?? []), ...durations(known), ...causes(chain)],
      ...(hint ? { hint } : {}),
    },
    ...others,
  ];
  const text = shown.map((diagnostic) => renderDiagnostic(diagnostic, { color: options.colours })).join("");
  const more = [...outputLines(known), ...(options.debug ? stackLines(chain) : [])];
  const { source, span } = first ?? {};
  return {
    // Whatever was to be written where: a full disk is no fault of the command line.
    exit: chain.some(isFull) ? 4 : (row?.exit ?? 4),
    text: text + more.map((line) => `${line}\n`).join(""),
    ...(source && span
      ? { place: { file: source.name, line: span.start.line, title: innermost.code, text: oneLine(head.message) } }
      : {}),
  };
}

/** Failures without a code: of the operating system, or bugs. */
function explainForeign(error: unknown, chain: readonly Error[], options: ExplainOptions): Explained {
  const paint = painter(options.colours);
  const system = chain.find((part) => Object.hasOwn(systemFailures, systemCode(part)));
  if (system) {
    const lines = [
      `${paint("31;1", `error[${systemCode(system)}]`)}: ${paint("1", oneLine(system.message))}`,
      `  ${paint("36", "help")}: ${systemFailures[systemCode(system)]}`,
      ...(options.debug ? stackLines(chain) : []),
    ];
    return { exit: 4, text: `${lines.join("\n")}\n` };
  }
  const message = oneLine(chain[0]?.message ?? String(error));
  const where =
    chain[0]?.stack
      ?.split("\n")
      .find((line) => line.trimStart().startsWith("at "))
      ?.trim() ?? "";
  const lines = [
    `${paint("31;1", "internal error")}: ${paint("1", message)}`,
    ...causes(chain).map((line) => `  note: ${line}`),
    "  this is a bug in wbuild; please report this line:",
    `  wbuild ${options.version}, node ${process.versions.node}, ${chain[0]?.name ?? typeof error}: ${message} ${where}`.trimEnd(),
    ...(options.debug ? stackLines(chain) : ["  `--debug` shows more"]),
  ];
  return { exit: 4, text: `${lines.join("\n")}\n` };
}

/** Each cause that says something new, one line each. */
function causes(chain: readonly Error[]): string[] {
  const told = new Set([chain[0]?.message ?? ""]);
  const lines: string[] = [];
  for (const part of chain.slice(1)) {
    // A wrapper often repeats its cause's words: say them once.
    if (told.has(part.message) || [...told].some((text) => text.includes(part.message))) continue;
    told.add(part.message);
    lines.push(oneLine(part.message));
  }
  return lines;
}

/** How long a failed step ran: facts.ranMs. */
function durations(known: readonly WbuildError[]): string[] {
  const ranMs = known.map((part) => part.facts.ranMs).find((value) => typeof value === "number");
  return ranMs === undefined ? [] : [`it ran ${formatSeconds(ranMs)}`];
}

/** The last output of a failed step: facts.output, an array of lines. */
function outputLines(known: readonly WbuildError[]): string[] {
  const output = known.map((part) => part.facts.output).find((value) => Array.isArray(value));
  if (!output) return [];
  const lines = output.filter((line): line is string => typeof line === "string" && line.trim() !== "");
  if (lines.length === 0) return [];
  return ["  last output:", ...lines.slice(-shownLines).map((line) => `    ${harmless(line)}`)];
}

function stackLines(chain: readonly Error[]): string[] {
  return chain.flatMap((part, depth) =>
    `${depth > 0 ? "caused by " : ""}${part.stack ?? part.message}`.split("\n").map((line) => `  ${harmless(line)}`),
  );
}

/** Native code tells numbers. */
const full: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", constants.errno.ENOSPC, constants.errno.EDQUOT]);

function isFull(error: Error): boolean {
  return full.has(isWbuildError(error) ? error.facts.errno : systemCode(error));
}

function systemCode(error: Error): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return typeof code === "string" && typeof syscall === "string" ? code : "";
}

/** Messages can hold names from foreign files: one line, nothing that a terminal obeys. */
function oneLine(text: string): string {
  return harmless(text.replaceAll("\n", " "));
}

function painter(colours: boolean): (code: string, text: string) => string {
  return (code, text) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
}
