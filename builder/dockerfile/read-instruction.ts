/** One logical line → one typed instruction. Every rule of a single instruction is checked here; rules between them in parse.ts. */
import { nearest } from "../diagnose/nearest.ts";
import type { Span } from "../diagnose/source.ts";
import { dockerfileError, type Place, quoted } from "./errors.ts";
import { parseDuration } from "./go-duration.ts";
import type { Arg, Command, Copy, Healthcheck, Instruction, KeyValue, Word } from "./instruction.ts";
import { isKeyword, type Keyword, keywords } from "./keywords.ts";
import type { LogicalLine } from "./logical-line.ts";
import {
  type Flag,
  hereDocument,
  jsonStrings,
  keywordOf,
  plainWords,
  quotedWords,
  restOf,
  skipBlanks,
  type Token,
  takeFlags,
  wordOf,
} from "./split.ts";

export interface ReadOptions {
  readonly escape: "\\" | "`";
  readonly warn: (text: string, span: Span) => void;
}

interface Reading extends ReadOptions {
  readonly line: LogicalLine;
  readonly kind: Keyword;
  /** Offset of what follows keyword and flags. */
  readonly rest: number;
  readonly flags: ReadonlyMap<string, Word>;
  /** Of a flag that has no value of its own to point at. */
  readonly flagSpan: (name: string) => Span;
}

type Common = { readonly span: Span; readonly text: string };

/** Throws DF_* with the place in facts; see docs/dockerfile.md for the codes. */
export function readInstruction(line: LogicalLine, options: ReadOptions): Instruction {
  const keyword = keywordOf(line);
  const kind = keyword.text.toUpperCase();
  if (!isKeyword(kind)) throw unknownInstruction(line, keyword);
  const { flags: written, rest } = takeFlags(line, keyword.to);
  const reading: Reading = {
    ...options,
    line,
    kind,
    rest,
    flags: checkFlags(line, kind, written),
    flagSpan: (name) => written.find((flag) => flag.name === name)?.span ?? line.span(),
  };
  if (skipBlanks(line, rest) >= line.text.length) throw missing(reading);
  const common = { span: line.span(), text: line.text };
  switch (kind) {
    case "FROM":
      return readFrom(reading, common);
    case "ARG":
      return { kind, ...common, args: readArgs(reading) };
    case "ENV":
    case "LABEL":
      return { kind, ...common, pairs: readPairs(reading) };
    case "RUN": {
      refuseHereDocument(reading);
      const command = readCommand(reading, rest);
      if (command.form === "exec" && command.argv.length === 0) throw missing(reading);
      return { kind, ...common, command, ...flagWords(reading, { network, security }) };
    }
    case "CMD":
    case "ENTRYPOINT":
      return { kind, ...common, command: readCommand(reading, rest) };
    case "COPY":
    case "ADD":
      return readCopy(reading, kind, common);
    case "WORKDIR":
      return { kind, ...common, path: wholeRest(reading) };
    case "USER":
      return { kind, ...common, user: wholeRest(reading) };
    case "STOPSIGNAL":
      return { kind, ...common, signal: wholeRest(reading) };
    case "MAINTAINER":
      options.warn("MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors=...", common.span);
      return { kind, ...common, name: wholeRest(reading) };
    case "EXPOSE":
      return { kind, ...common, ports: plainWords(line, rest).map((token) => wordOf(line, token)) };
    case "VOLUME":
      return { kind, ...common, paths: readVolumes(reading) };
    case "HEALTHCHECK":
      return readHealthcheck(reading, common);
    case "SHELL":
      return { kind, ...common, argv: readShell(reading) };
    case "ONBUILD":
      return { kind, ...common, trigger: readTrigger(reading) };
  }
}

function unknownInstruction(line: LogicalLine, keyword: Token): Error {
  const suggestion = nearest(keyword.text, Object.keys(keywords));
  return dockerfileError(
    "DF_UNKNOWN_INSTRUCTION",
    `unknown instruction ${quoted(keyword.text)}`,
    { span: line.span(keyword.from, keyword.to), source: line.source },
    {
      facts: { found: keyword.text, suggestion },
      hint:
        suggestion === undefined
          ? "each line begins with an instruction such as RUN or COPY; a command continues on the next line after a \\"
          : `did you mean ${suggestion}?`,
    },
  );
}

function checkFlags(line: LogicalLine, kind: Keyword, written: readonly Flag[]): Map<string, Word> {
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

function unknownFlag(kind: Keyword, name: string, flag: Flag, at: Place): Error {
  const { flags, refused } = keywords[kind];
  const suggestion = nearest(flag.name, [...flags, ...refused]);
  const known =
    flags.length === 0 ? `${kind} takes no flags` : `${kind} takes ${flags.map((each) => `--${each}`).join(", ")}`;
  return dockerfileError("DF_UNKNOWN_FLAG", `${kind} has no flag ${name}`, at, {
    facts: { instruction: kind, flag: flag.name, suggestion },
    hint: suggestion === undefined ? known : `did you mean --${suggestion}?`,
  });
}

function missing(reading: Reading): Error {
  const { line, kind } = reading;
  return dockerfileError(
    "DF_MISSING_ARGUMENT",
    `${kind} needs an argument`,
    { span: line.span(), source: line.source },
    { facts: { instruction: kind }, hint: `write ${keywords[kind].usage}` },
  );
}

const network = (word: Word): boolean => ["default", "none", "host"].includes(word.text);
const security = (word: Word): boolean => ["sandbox", "insecure"].includes(word.text);

/** Flags that keep their word, checked where their values are a closed list. */
function flagWords<Name extends string>(
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

function wholeRest(reading: Reading): Word {
  const rest = restOf(reading.line, reading.rest);
  if (rest === undefined) throw missing(reading);
  return wordOf(reading.line, rest);
}

const stageName = /^[a-z][a-z0-9\-_.]*$/;

function readFrom(reading: Reading, common: Common): Instruction {
  const { line } = reading;
  const [image, as, name, extra] = plainWords(line, reading.rest);
  if (image === undefined) throw missing(reading);
  const platform = reading.flags.get("platform");
  const from = { kind: "FROM" as const, ...common, image: wordOf(line, image), ...(platform ? { platform } : {}) };
  if (as === undefined) return from;
  if (as.text.toLowerCase() !== "as" || name === undefined || extra !== undefined) {
    const odd = as.text.toLowerCase() !== "as" ? as : (extra ?? as);
    throw dockerfileError(
      "DF_FROM_FORM",
      `FROM takes an image, or an image, AS and a name, but found ${quoted(odd.text)}`,
      { span: line.span(odd.from, odd.to), source: line.source },
      { hint: `write ${keywords.FROM.usage}` },
    );
  }
  const lower = name.text.toLowerCase();
  const asSpan = line.span(name.from, name.to);
  if (!stageName.test(lower)) {
    throw dockerfileError(
      "DF_STAGE_NAME",
      `${quoted(name.text)} cannot be the name of a stage`,
      { span: asSpan, source: line.source },
      { hint: "a stage name begins with a letter and holds letters, digits, '-', '_' and '.'" },
    );
  }
  if (lower === "scratch" || lower === "context")
    reading.warn(`the stage name ${lower} is reserved: choose another`, asSpan);
  return { ...from, as: lower, asSpan };
}

function readArgs(reading: Reading): Arg["args"] {
  const { line } = reading;
  return quotedWords(line, reading.rest, reading.escape).map((token) => {
    const equals = token.text.indexOf("=");
    const name = equals < 0 ? token.text : token.text.slice(0, equals);
    const span = line.span(token.from, token.to);
    if (!/^[^\s"'$\\`]+$/.test(name)) {
      throw dockerfileError(
        "DF_ARG_NAME",
        name === "" ? "ARG needs a name before the =" : `${quoted(name)} cannot be the name of an ARG`,
        { span, source: line.source },
        { hint: `write ${keywords.ARG.usage}` },
      );
    }
    if (name.startsWith("#")) {
      reading.warn("a comment stands on a line of its own: here # is the name of an argument", span);
    }
    if (equals < 0) return { name, span };
    const value = { text: token.text.slice(equals + 1), from: token.from + equals + 1, to: token.to };
    return { name, value: wordOf(line, value), span };
  });
}

function readPairs(reading: Reading): KeyValue[] {
  const { line, kind } = reading;
  const words = quotedWords(line, reading.rest, reading.escape);
  const [first] = words;
  if (first === undefined) throw missing(reading);
  if (!first.text.includes("=")) return [readOldPair(reading)];
  return words.map((token) => {
    const equals = token.text.indexOf("=");
    const at = { span: line.span(token.from, token.to), source: line.source };
    if (equals < 0) {
      throw dockerfileError("DF_MISSING_EQUALS", `${kind}: no = in ${quoted(token.text)}`, at, {
        hint: `write name=value, and put a value with blanks in quotes: ${kind} name="two words"`,
      });
    }
    if (equals === 0) throw dockerfileError("DF_BLANK_NAME", `${kind} needs a name before the =`, at);
    return {
      key: wordOf(line, { text: token.text.slice(0, equals), from: token.from, to: token.from + equals }),
      value: wordOf(line, { text: token.text.slice(equals + 1), from: token.from + equals + 1, to: token.to }),
    };
  });
}

/** `ENV name the rest is the value`: the old form, one pair. */
function readOldPair(reading: Reading): KeyValue {
  const { line, kind } = reading;
  const [key] = plainWords(line, reading.rest);
  const value = key === undefined ? undefined : restOf(line, key.to);
  if (key === undefined || value === undefined) {
    throw dockerfileError(
      "DF_MISSING_ARGUMENT",
      `${kind} needs a name and a value`,
      { span: line.span(), source: line.source },
      { facts: { instruction: kind }, hint: `write ${keywords[kind].usage}` },
    );
  }
  reading.warn(`${kind} name value is the old form: write ${kind} name=value`, line.span());
  return { key: wordOf(line, key), value: wordOf(line, value) };
}

function readJson(reading: Reading, from: number): string[] | undefined {
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

function readCommand(reading: Reading, from: number): Command {
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

function refuseHereDocument(reading: Reading): void {
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

function readCopy(reading: Reading, kind: Copy["kind"], common: Common): Instruction {
  const { line } = reading;
  refuseHereDocument(reading);
  const json = readJson(reading, reading.rest);
  const whole = line.span(skipBlanks(line, reading.rest));
  const words =
    json === undefined
      ? plainWords(line, reading.rest).map((token) => wordOf(line, token))
      : json.map((text) => ({ text, span: whole }));
  const target = words.at(-1);
  if (target === undefined || words.length < 2) {
    throw dockerfileError(
      "DF_MISSING_ARGUMENT",
      `${kind} needs at least one source and a target`,
      { span: line.span(), source: line.source },
      { facts: { instruction: kind }, hint: `write ${keywords[kind].usage}` },
    );
  }
  const from = reading.flags.get("from");
  if (from?.text.includes("$")) {
    throw dockerfileError(
      "DF_FROM_VARIABLE",
      "COPY --from cannot hold a variable",
      { span: from.span, source: line.source },
      { hint: "name a stage for it: FROM $IMAGE AS files, then COPY --from=files" },
    );
  }
  const any = () => true;
  return {
    kind,
    ...common,
    sources: words.slice(0, -1),
    target,
    ...flagWords(reading, { from: any, chown: any, chmod: any }),
  };
}

function readVolumes(reading: Reading): Word[] {
  const { line } = reading;
  const json = readJson(reading, reading.rest);
  const whole = line.span(skipBlanks(line, reading.rest));
  const words =
    json === undefined
      ? plainWords(line, reading.rest).map((token) => wordOf(line, token))
      : json.map((text) => ({ text: text.trim(), span: whole }));
  if (words.length === 0) throw missing(reading);
  if (words.some((word) => word.text === "")) {
    throw dockerfileError("DF_VOLUME", "VOLUME cannot be an empty path", { span: whole, source: line.source });
  }
  return words;
}

function readShell(reading: Reading): string[] {
  const argv = readJson(reading, reading.rest);
  if (argv !== undefined && argv.length > 0) return argv;
  const { line } = reading;
  throw dockerfileError(
    "DF_SHELL_JSON",
    argv === undefined ? "SHELL must be a JSON array" : "SHELL needs a program",
    { span: line.span(skipBlanks(line, reading.rest)), source: line.source },
    { hint: 'write SHELL ["/bin/bash", "-c"]' },
  );
}

const forbiddenTriggers = new Set(["ONBUILD", "FROM", "MAINTAINER"]);

function readTrigger(reading: Reading): string {
  const inner = reading.line.from(skipBlanks(reading.line, reading.rest));
  checkTrigger(inner);
  // What the trigger says is checked now, where the file is at hand, though it is carried out in another build.
  readInstruction(inner, { escape: reading.escape, warn: () => {} });
  return inner.text;
}

/** Throws DF_ONBUILD_TRIGGER for an instruction that may not be delayed. */
export function checkTrigger(inner: LogicalLine): void {
  const keyword = keywordOf(inner);
  const name = keyword.text.toUpperCase();
  if (!forbiddenTriggers.has(name)) return;
  throw dockerfileError(
    "DF_ONBUILD_TRIGGER",
    `${name} cannot be the trigger of an ONBUILD`,
    { span: inner.span(keyword.from, keyword.to), source: inner.source },
    { facts: { trigger: name } },
  );
}

function readHealthcheck(reading: Reading, common: Common): Healthcheck {
  const { line } = reading;
  const [type] = plainWords(line, reading.rest);
  if (type === undefined) throw missing(reading);
  const at = { span: line.span(type.from, type.to), source: line.source };
  const kind = type.text.toUpperCase();
  const after = skipBlanks(line, type.to);
  if (kind === "NONE") {
    if (after < line.text.length || reading.flags.size > 0) {
      throw dockerfileError("DF_HEALTHCHECK", "HEALTHCHECK NONE takes neither flags nor arguments", at);
    }
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
  const word = reading.flags.get(flag);
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
  const word = reading.flags.get("retries");
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
