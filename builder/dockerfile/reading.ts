/** What the readers of single instructions share: the flags, the JSON forms, the commands, and how they complain. */
import { nearest } from "../diagnose/nearest.ts";
import type { Span } from "../diagnose/source.ts";
import { dockerfileError, type Place, quoted } from "./errors.ts";
import type { Command, Word } from "./instruction.ts";
import { type Keyword, keywords } from "./keywords.ts";
import type { LogicalLine } from "./logical-line.ts";
import { type Flag, hereDocument, jsonStrings, restOf, skipBlanks, wordOf } from "./split.ts";

/** What reading needs from the file around the instruction. */
export interface ReadOptions {
  readonly escape: "\\" | "`";
  readonly warn: (text: string, span: Span) => void;
}

/** An instruction while it is read. */
export interface Reading extends ReadOptions {
  readonly line: LogicalLine;
  readonly kind: Keyword;
  /** Offset of what follows keyword and flags. */
  readonly rest: number;
  readonly flags: ReadonlyMap<string, Word>;
}

export type Common = { readonly span: Span; readonly text: string };

/**
 * The flags of an instruction by name. Throws DF_UNSUPPORTED_FLAG (of the language, not carried out yet), DF_UNKNOWN_FLAG
 * with the nearest, DF_DUPLICATE_FLAG, DF_FLAG_VALUE.
 */
export function checkFlags(line: LogicalLine, kind: Keyword, written: readonly Flag[]): Map<string, Word> {
  const rules = keywords[kind];
  const values = new Map<string, Word>();
  for (const flag of written) {
    const at: Place = { span: flag.span, source: line.source };
    const name = quoted(`--${flag.name}`).slice(1, -1);
    if (rules.refused.includes(flag.name)) {
      // `--link=false` asks for what happens anyway.
      if (flag.value?.text.toLowerCase() === "false" && ["link", "parents", "keep-git-dir"].includes(flag.name))
        continue;
      throw dockerfileError("DF_UNSUPPORTED_FLAG", `${kind} ${name} is not supported yet`, at, {
        facts: { instruction: kind, flag: flag.name },
        hint: `this version of wbuild knows ${kind} ${rules.flags.map((each) => `--${each}`).join(", ")}`,
      });
    }
    if (!rules.flags.includes(flag.name)) throw unknownFlag(kind, name, flag, at);
    if (values.has(flag.name)) {
      throw dockerfileError("DF_DUPLICATE_FLAG", `${kind} ${name} is given twice`, at, { facts: { flag: flag.name } });
    }
    if (flag.value === undefined || flag.value.text === "") {
      throw dockerfileError("DF_FLAG_VALUE", `${kind} ${name} needs a value`, at, {
        facts: { flag: flag.name },
        hint: `write it as ${name}=VALUE, without blanks`,
      });
    }
    values.set(flag.name, flag.value);
  }
  return values;
}

export function unknownFlag(kind: Keyword, name: string, flag: Flag, at: Place): Error {
  const { flags, refused } = keywords[kind];
  const suggestion = nearest(flag.name, [...flags, ...refused]);
  const known =
    flags.length === 0 ? `${kind} takes no flags` : `${kind} takes ${flags.map((each) => `--${each}`).join(", ")}`;
  return dockerfileError("DF_UNKNOWN_FLAG", `${kind} has no flag ${name}`, at, {
    facts: { instruction: kind, flag: flag.name, suggestion },
    hint: suggestion === undefined ? known : `did you mean --${suggestion}?`,
  });
}

/** DF_MISSING_ARGUMENT with the way to write it. */
export function missing(reading: Reading): Error {
  const { line, kind } = reading;
  return dockerfileError(
    "DF_MISSING_ARGUMENT",
    `${kind} needs an argument`,
    { span: line.span(), source: line.source },
    { facts: { instruction: kind }, hint: `write ${keywords[kind].usage}` },
  );
}

/** Closed lists of flag values. */
export const network = (word: Word): boolean => ["default", "none", "host"].includes(word.text);
export const security = (word: Word): boolean => ["sandbox", "insecure"].includes(word.text);

/** Flags that keep their word, checked where their values are a closed list. */
export function flagWords<Name extends string>(
  reading: Reading,
  checks: Record<Name, (word: Word) => boolean>,
): Partial<Record<Name, Word>> {
  const words: Partial<Record<Name, Word>> = {};
  for (const name of Object.keys(checks) as Name[]) {
    const word = reading.flags.get(name);
    if (word === undefined) continue;
    if (!checks[name](word)) {
      throw dockerfileError(
        "DF_FLAG_VALUE",
        `${reading.kind} --${name} cannot be ${quoted(word.text)}`,
        { span: word.span, source: reading.line.source },
        {
          facts: { flag: name, found: word.text },
          hint: name === "network" ? "use default, none or host" : name === "security" ? "use sandbox or insecure" : "",
        },
      );
    }
    words[name] = word;
  }
  return words;
}

/** What follows keyword and flags, as one word. */
export function wholeRest(reading: Reading): Word {
  const rest = restOf(reading.line, reading.rest);
  if (rest === undefined) throw missing(reading);
  return wordOf(reading.line, rest);
}

/** A JSON array of strings; undefined when it is none, and so the shell form. Throws DF_JSON_STRINGS. */
export function readJson(reading: Reading, from: number): string[] | undefined {
  const found = jsonStrings(reading.line, from);
  if (found === "mixed") {
    throw dockerfileError(
      "DF_JSON_STRINGS",
      `the JSON array of ${reading.kind} may hold only strings`,
      { span: reading.line.span(skipBlanks(reading.line, from)), source: reading.line.source },
      { hint: 'put each item in double quotes: ["program", "8080"]' },
    );
  }
  return found;
}

/** Exec form or shell form. */
export function readCommand(reading: Reading, from: number): Command {
  const { line } = reading;
  const start = skipBlanks(line, from);
  const span = line.span(start);
  const argv = readJson(reading, start);
  if (argv !== undefined) return { form: "exec", argv, span };
  const text = line.text.slice(start);
  if (text.length < 1000 && /^\[\s*["'].*["']\s*\]$/s.test(text)) {
    reading.warn("this is no valid JSON array, so the shell gets it as it is written", span);
  }
  return { form: "shell", line: text, span };
}

/** Throws DF_UNSUPPORTED_HEREDOC; a JSON array holds none. */
export function refuseHereDocument(reading: Reading): void {
  const { line, kind, rest } = reading;
  if (Array.isArray(jsonStrings(line, rest))) return;
  const found = hereDocument(line, rest, reading.escape);
  if (found === undefined) return;
  throw dockerfileError(
    "DF_UNSUPPORTED_HEREDOC",
    `here-documents (${quoted(found.text).slice(1, -1)}) in ${kind} are not supported yet`,
    { span: line.span(found.from, found.to), source: line.source },
    {
      hint:
        kind === "RUN"
          ? "join the commands with && and continue the line with \\"
          : "put the text into a file of the context",
    },
  );
}
