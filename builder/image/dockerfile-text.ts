/** Values → Dockerfile lines that mean exactly them: everything that a Dockerfile would expand, join or cut is escaped. */
import type { ContainerConfig } from "../../registry/oci/image.ts";
import { formatDuration } from "../dockerfile/go-duration.ts";

/** A line cannot hold these, and nothing in a Dockerfile stands for them outside JSON. */
export function isOneLine(text: string): boolean {
  return !/[\n\r]/.test(text);
}

/** A word for ENV, LABEL, ARG, WORKDIR, USER, STOPSIGNAL: in double quotes when it needs them. */
export function quoteWord(text: string): string {
  if (/^[\w./:@%+,=~-]+$/.test(text)) return text;
  return `"${text.replace(/[\\"$]/g, "\\$&")}"`;
}

/** A word of a list that is split at blanks (COPY, EXPOSE): escapes instead of quotes. */
export function escapeWord(text: string): string {
  return text.replace(/[\\'"$]/g, "\\$&");
}

/** A JSON array of words that are still expanded (COPY, VOLUME). */
export function jsonWords(words: readonly string[]): string {
  return execForm(words.map(escapeWord));
}

/** `CMD`, `ENTRYPOINT`, `RUN`: the shell form where argv is the shell and one plain line, else JSON, which says it exactly. */
export function commandLine(keyword: string, argv: readonly string[], shell: readonly string[]): string {
  const line = argv.at(-1) ?? "";
  const isShell = argv.length === shell.length + 1 && shell.every((part, index) => part === argv[index]);
  return isShell && isPlainCommand(line) ? `${keyword} ${line}` : `${keyword} ${execForm(argv)}`;
}

export function execForm(argv: readonly string[]): string {
  return `[${argv.map((each) => JSON.stringify(each)).join(", ")}]`;
}

/** Reads back as written: one line, no blanks at its ends, no flag, JSON, continuation or here-document. */
function isPlainCommand(line: string): boolean {
  return line !== "" && isOneLine(line) && line.trim() === line && !/^(--|\[)|[\\]\s*$|(^|\s)\d*<<-?[^<\s]/.test(line);
}

/** Lines for NAME=value pairs; undefined for one that no Dockerfile can say (a line end, a `=` in the name). */
export function pairText(name: string, value: string): string | undefined {
  if (name === "" || name.includes("=") || !isOneLine(name + value)) return undefined;
  return `${quoteWord(name)}=${value === "" ? '""' : quoteWord(value)}`;
}

/** HEALTHCHECK as the config has it; undefined when no Dockerfile can say it. */
export function healthcheckLine(health: NonNullable<ContainerConfig["Healthcheck"]>): string | undefined {
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
  return type === "CMD-SHELL" && rest.length === 1 && isPlainCommand(line) ? start + line : undefined;
}

/** Foreign text as a comment of one line. */
export function commentLine(text: string): string {
  return `# ${text.replace(/[\n\r\v\f]+/g, " ").trim()}`;
}
