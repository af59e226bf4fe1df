/** One logical line → one typed instruction. Every rule of a single instruction is checked here; rules between them in parse.ts. */
import { nearest } from "../diagnose/nearest.ts";
import { dockerfileError, quoted } from "./errors.ts";
import type { Arg, Instruction, KeyValue, Run, Word } from "./instruction.ts";
import { isKeyword, keywords } from "./keywords.ts";
import type { LogicalLine } from "./logical-line.ts";
import { readCopy } from "./read-copy.ts";
import { readHealthcheck } from "./read-healthcheck.ts";
import { mountFrom } from "./read-mount.ts";
import {
  type Common,
  checkFlags,
  choiceField,
  missing,
  type Reading,
  type ReadOptions,
  readCommand,
  readJson,
  wholeRest,
  wordField,
  wordsField,
} from "./reading.ts";
import { keywordOf, plainWords, quotedWords, restOf, skipBlanks, type Token, takeFlags, wordOf } from "./split.ts";

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
  };
  // A shell without a command is one that ends at once: of no use, but BuildKit takes it.
  const mayBeEmpty = kind === "CMD" || kind === "ENTRYPOINT";
  if (skipBlanks(line, rest) >= line.text.length && !mayBeEmpty) throw missing(reading);
  const common = { span: line.span(), text: line.text };
  switch (kind) {
    case "FROM":
      return readFrom(reading, common);
    case "ARG":
      return { kind, ...common, args: readArgs(reading) };
    case "ENV":
    case "LABEL":
      return { kind, ...common, pairs: readPairs(reading) };
    case "RUN":
      return readRun(reading, common);
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

const stageName = /^[a-z][a-z0-9\-_.]*$/;

function readRun(reading: Reading, common: Common): Run {
  const { line, rest } = reading;
  const command = readCommand(reading, rest);
  if (command.form === "exec" && command.argv.length === 0) throw missing(reading);
  // Whatever the rest of a mount turns out to be when it is carried out, which stages are needed must be known now.
  for (const { value } of reading.flags.get("mount") ?? []) if (value) mountFrom(value, line.source);
  const hasDocuments = command.form === "shell" && line.documents.length > 0;
  return {
    kind: "RUN",
    ...common,
    command,
    ...choiceField(reading, "network"),
    ...choiceField(reading, "security"),
    ...wordsField(reading, "mount", "mounts"),
    ...wordsField(reading, "device", "devices"),
    ...(hasDocuments ? { documents: line.documents } : {}),
  };
}

function readFrom(reading: Reading, common: Common): Instruction {
  const { line } = reading;
  const [image, as, name, extra] = plainWords(line, reading.rest);
  if (image === undefined) throw missing(reading);
  const from = { kind: "FROM" as const, ...common, image: wordOf(line, image), ...wordField(reading, "platform") };
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
  return { key: wordOf(line, key), value: wordOf(line, value) };
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
  // As BuildKit keeps it: the lines of here-documents behind the instruction.
  return inner.text + inner.documents.map(({ name, text }) => `\n${text}${name}`).join("");
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
