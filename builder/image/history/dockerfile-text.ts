/** Values → Dockerfile lines that mean exactly them: everything that a Dockerfile would expand, join or cut is escaped. */
import type { ContainerConfig } from "../../../registry/oci/image.ts";
import { formatDuration } from "../../dockerfile/go-duration.ts";

/** The escape character that the written file has: with the backtick, backslashes of Windows paths stay as they are. */
export type Escape = "\\" | "`";

/** A line cannot hold these, and nothing in a Dockerfile stands for them outside JSON. */
export function isOneLine(text: string): boolean {
  return !/[\n\r]/.test(text);
}

/** A word for ENV, LABEL, ARG, WORKDIR, USER, STOPSIGNAL: in double quotes when it needs them. */
export function quoteWord(text: string, escapeChar: Escape): string {
  const isPlain = escapeChar === "`" ? /^[\w./:@%+,=~\\-]+$/ : /^[\w./:@%+,=~-]+$/;
  if (isPlain.test(text)) return text;
  return `"${text.replace(escapeChar === "`" ? /[`"$]/g : /[\\"$]/g, (found) => escapeChar + found)}"`;
}

/** A word of a list that is split at blanks (COPY, EXPOSE): escapes instead of quotes. */
export function escapeWord(text: string, escapeChar: Escape): string {
  return text.replace(escapeChar === "`" ? /[`'"$]/g : /[\\'"$]/g, (found) => escapeChar + found);
}

/** A JSON array of words that are still expanded (COPY, VOLUME). */
export function jsonWords(words: readonly string[], escapeChar: Escape): string {
  return execForm(words.map((word) => escapeWord(word, escapeChar)));
}

/** `CMD`, `ENTRYPOINT`, `RUN`: the shell form where argv is the shell and one plain line, else JSON, which says it exactly. */
export function commandLine(
  keyword: string,
  argv: readonly string[],
  shell: readonly string[],
  escapeChar: Escape,
): string {
  const line = argv.at(-1) ?? "";
  const isShell = argv.length === shell.length + 1 && shell.every((part, index) => part === argv[index]);
  return isShell && isPlainCommand(line, escapeChar) ? `${keyword} ${line}` : `${keyword} ${execForm(argv)}`;
}

export function execForm(argv: readonly string[]): string {
  return `[${argv.map((each) => JSON.stringify(each)).join(", ")}]`;
}

/** Reads back as written: one line, no blanks at its ends, no flag, JSON, continuation or here-document. */
function isPlainCommand(line: string, escapeChar: Escape): boolean {
  if (line === "" || !isOneLine(line) || line.trim() !== line || line.endsWith(escapeChar)) return false;
  return !/^(--|\[)|(^|\s)\d*<<-?[^<\s]/.test(line);
}

/** Lines for NAME=value pairs; undefined for one that no Dockerfile can say (a line end, a `=` in the name). */
export function pairText(name: string, value: string, escapeChar: Escape): string | undefined {
  if (name === "" || name.includes("=") || !isOneLine(name + value)) return undefined;
  return `${quoteWord(name, escapeChar)}=${value === "" ? '""' : quoteWord(value, escapeChar)}`;
}

/** HEALTHCHECK as the config has it; undefined when no Dockerfile can say it. */
export function healthcheckLine(
  health: NonNullable<ContainerConfig["Healthcheck"]>,
  escapeChar: Escape,
): string | undefined {
  const [type, ...rest] = health.Test ?? [];
  if (type === "NONE") return "HEALTHCHECK NONE";
  const flags = (
    [
      ["interval", health.Interval],
      ["timeout", health.Timeout],
      ["start-period", health.StartPeriod],
      ["start-interval", health.StartInterval],
    ] as const
  ).flatMap(([name, value]) => (value ? [`--${name}=${formatDuration(value)} `] : []));
  const retries = health.Retries ? `--retries=${health.Retries} ` : "";
  const start = `HEALTHCHECK ${flags.join("")}${retries}CMD `;
  if (type === "CMD" && rest.length > 0) return start + execForm(rest);
  const [line = ""] = rest;
  return type === "CMD-SHELL" && rest.length === 1 && isPlainCommand(line, escapeChar) ? start + line : undefined;
}

/** Foreign text as a comment of one line. */
export function commentLine(text: string): string {
  return `# ${text.replace(/[\n\r\v\f]+/g, " ").trim()}`;
}
