/** HEALTHCHECK: its type, its command, its durations. */
import { dockerfileError, quoted } from "./errors.ts";
import { parseDuration } from "./go-duration.ts";
import type { Healthcheck } from "./instruction.ts";
import { keywords } from "./keywords.ts";
import { type Common, flagWord, missing, type Reading, readCommand } from "./reading.ts";
import { plainWords, skipBlanks } from "./split.ts";

export function readHealthcheck(reading: Reading, common: Common): Healthcheck {
  const { line } = reading;
  const [type] = plainWords(line, reading.rest);
  if (type === undefined) throw missing(reading);
  const at = { span: line.span(type.from, type.to), source: line.source };
  const kind = type.text.toUpperCase();
  const after = skipBlanks(line, type.to);
  if (kind === "NONE") {
    if (after < line.text.length) {
      throw dockerfileError("DF_HEALTHCHECK", "HEALTHCHECK NONE takes no arguments", at);
    }
    if (reading.flags.size > 0) reading.warn("the flags of HEALTHCHECK NONE mean nothing", at.span);
    return { kind: "HEALTHCHECK", ...common };
  }
  if (kind !== "CMD") {
    throw dockerfileError("DF_HEALTHCHECK", `HEALTHCHECK ${quoted(type.text)} is neither CMD nor NONE`, at, {
      hint: `write ${keywords.HEALTHCHECK.usage}`,
    });
  }
  const command = after < line.text.length ? readCommand(reading, after) : undefined;
  if (command === undefined || (command.form === "exec" && command.argv.length === 0)) {
    throw dockerfileError("DF_HEALTHCHECK", "HEALTHCHECK CMD needs a command", at);
  }
  return {
    kind: "HEALTHCHECK",
    ...common,
    command,
    ...durationFlag(reading, "interval", "interval"),
    ...durationFlag(reading, "timeout", "timeout"),
    ...durationFlag(reading, "start-period", "startPeriod"),
    ...durationFlag(reading, "start-interval", "startInterval"),
    ...retriesFlag(reading),
  };
}

function durationFlag<Name extends string>(reading: Reading, flag: string, name: Name): Partial<Record<Name, number>> {
  const word = flagWord(reading, flag);
  if (word === undefined) return {};
  const value = parseDuration(word.text);
  if (value === undefined || value < 0 || (value > 0 && value < 1e6)) {
    const problem = value === undefined ? "is no duration" : "is shorter than a millisecond";
    throw dockerfileError(
      "DF_DURATION",
      `HEALTHCHECK --${flag}=${quoted(word.text).slice(1, -1)} ${problem}`,
      { span: word.span, source: reading.line.source },
      { facts: { flag, found: word.text }, hint: "write a number and a unit, such as 30s, 1m30s or 500ms" },
    );
  }
  return { [name]: value } as Partial<Record<Name, number>>;
}

function retriesFlag(reading: Reading): { retries?: number } {
  const word = flagWord(reading, "retries");
  if (word === undefined) return {};
  const value = /^[+]?\d{1,10}$/.test(word.text) ? Number(word.text) : Number.NaN;
  if (!(value < 2 ** 31)) {
    throw dockerfileError(
      "DF_FLAG_VALUE",
      `HEALTHCHECK --retries=${quoted(word.text).slice(1, -1)} is no count`,
      { span: word.span, source: reading.line.source },
      { facts: { flag: "retries", found: word.text } },
    );
  }
  return { retries: value };
}
