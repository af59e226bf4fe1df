/** What the readers of single instructions share: the flags, the JSON forms, the commands, and how they complain. */
import { nearest } from "../diagnose/nearest.ts";
import type { Span } from "../diagnose/source.ts";
import { dockerfileError, type Place, quoted } from "./errors.ts";
import type { Command, Word } from "./instruction.ts";
import { type Keyword, keywords } from "./keywords.ts";
import type { LogicalLine } from "./logical-line.ts";
import { type Flag, jsonStrings, restOf, skipBlanks, wordOf } from "./split.ts";

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
  readonly flags: Flags;
}

export type Common = { readonly span: Span; readonly text: string };

/** The flags of an instruction by name, in the order written. A boolean one without value has none. */
export type Flags = ReadonlyMap<string, readonly Flag[]>;

/**
 * Checks the flags of an instruction as BuildKit does. Throws DF_UNKNOWN_FLAG with the nearest, DF_DUPLICATE_FLAG,
 * DF_FLAG_VALUE.
 */
export function checkFlags(line: LogicalLine, kind: Keyword, written: readonly Flag[]): Flags {
  const known = keywords[kind].flags;
  const found = new Map<string, Flag[]>();
  for (const flag of written) {
    const at: Place = { span: flag.span, source: line.source };
    const name = quoted(`--${flag.name}`).slice(1, -1);
    const form = Object.hasOwn(known, flag.name) ? known[flag.name] : undefined;
    if (form === undefined) throw unknownFlag(kind, name, flag, at);
    const facts = { flag: flag.name };
    const same = found.get(flag.name);
    if (same !== undefined && form !== "values") {
      throw dockerfileError("DF_DUPLICATE_FLAG", `${kind} ${name} is given twice`, at, { facts });
    }
    if (form === "boolean") checkBoolean(kind, name, flag, at);
    else if (flag.value === undefined) {
      const hint = `write it as ${name}=VALUE, without blanks`;
      throw dockerfileError("DF_FLAG_VALUE", `${kind} ${name} needs a value`, at, { facts, hint });
    }
    if (same === undefined) found.set(flag.name, [flag]);
    else same.push(flag);
  }
  return found;
}

function checkBoolean(kind: Keyword, name: string, flag: Flag, at: Place): void {
  if (flag.value === undefined || /^(true|false)$/i.test(flag.value.text)) return;
  const found = flag.value.text;
  const problem = found === "" ? "has nothing behind its =" : `is true or false, not ${quoted(found)}`;
  throw dockerfileError("DF_FLAG_VALUE", `${kind} ${name} ${problem}`, at, {
    facts: { flag: flag.name, found },
    hint: `write ${name}, or ${name}=false`,
  });
}

function unknownFlag(kind: Keyword, name: string, flag: Flag, at: Place): Error {
  const flags = Object.keys(keywords[kind].flags);
  const suggestion = nearest(flag.name, flags);
  const known =
    flags.length === 0 ? `${kind} takes no flags` : `${kind} takes ${flags.map((each) => `--${each}`).join(", ")}`;
  return dockerfileError("DF_UNKNOWN_FLAG", `${kind} has no flag ${name}`, at, {
    facts: { instruction: kind, flag: flag.name, suggestion },
    hint: suggestion === undefined ? known : `did you mean --${suggestion}?`,
  });
}

/** The value of a flag; undefined where it is not given, or empty, which says the same. */
export function flagWord({ flags }: Reading, name: string): Word | undefined {
  const value = flags.get(name)?.[0]?.value;
  return value?.text === "" ? undefined : value;
}

/** A field of that name with the flag's value, or none. */
export function wordField<Name extends string>(reading: Reading, name: Name): Partial<Record<Name, Word>> {
  const word = flagWord(reading, name);
  return word === undefined ? {} : ({ [name]: word } as Record<Name, Word>);
}

/** A field with every value of a flag that may come more than once, or none. */
export function wordsField<Name extends string>(
  { flags }: Reading,
  flag: string,
  name: Name,
): Partial<Record<Name, readonly Word[]>> {
  const words = (flags.get(flag) ?? []).flatMap(({ value }) => value ?? []);
  return words.length === 0 ? {} : ({ [name]: words } as unknown as Record<Name, readonly Word[]>);
}

/** A field with what a boolean flag says, or none where it is not given. */
export function booleanField<Name extends string>(
  { flags }: Reading,
  flag: string,
  name: Name,
): Partial<Record<Name, boolean>> {
  const given = flags.get(flag)?.[0];
  if (given === undefined) return {};
  return { [name]: given.value?.text.toLowerCase() !== "false" } as Record<Name, boolean>;
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

const choices = {
  network: ["default", "none", "host"],
  security: ["sandbox", "insecure"],
} as const;

/** A field with the value of a flag whose values are a closed list, or none. Throws DF_FLAG_VALUE. */
export function choiceField<Name extends keyof typeof choices>(
  reading: Reading,
  name: Name,
): Partial<Record<Name, Word>> {
  const word = reading.flags.get(name)?.[0]?.value;
  if (word === undefined) return {};
  const known: readonly string[] = choices[name];
  if (known.includes(word.text)) return { [name]: word } as Record<Name, Word>;
  throw dockerfileError(
    "DF_FLAG_VALUE",
    `${reading.kind} --${name} cannot be ${quoted(word.text)}`,
    { span: word.span, source: reading.line.source },
    { facts: { flag: name, found: word.text }, hint: `use ${known.slice(0, -1).join(", ")} or ${known.at(-1)}` },
  );
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
