/** Which command, and its flags: argv → a parser that has read them. Commander does the reading; its words end here. */
import { existsSync } from "node:fs";
import { CommanderError, Command as Parser } from "commander";
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { Command } from "./command.ts";
import { instead, insteadOfFlag } from "./docker-words.ts";

export interface Invocation {
  readonly name: string;
  /** What follows the command's name. */
  readonly rest: readonly string[];
}

/**
 * Finds the command. Global flags may stand before its name. `wbuild PATH` and `wbuild -t x .` mean build.
 * Throws CLI_COMMAND for a word that is neither a command nor a path.
 */
export function findCommand(argv: readonly string[], names: readonly string[]): Invocation {
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    if (word === "--home") at += 2;
    else if (word === "--debug" || word.startsWith("--home=")) at += 1;
    else break;
  }
  const first = argv[at];
  if (first === undefined) return { name: "help", rest: argv.slice(0, at) };
  const before = argv.slice(0, at);
  if (first === "debug") return { name: first, rest: [...before, ...withoutBuild(argv.slice(at + 1))] };
  if (names.includes(first) || first === "help") return { name: first, rest: [...before, ...argv.slice(at + 1)] };
  const looksLikePath = first.startsWith("-") || /[/.:]/.test(first) || existsSync(first);
  if (looksLikePath) return { name: "build", rest: argv };
  const known = instead(first);
  const near = known === undefined ? nearest(first.toLowerCase(), names) : undefined;
  throw new WbuildError("CLI_COMMAND", `${JSON.stringify(first.slice(0, 60))} is neither a command nor a folder`, {
    facts: { word: first.slice(0, 60), nearest: near },
    hint: known ?? (near ? `did you mean \`wbuild ${near}\`?` : "`wbuild --help` lists the commands"),
  });
}

/** `debug` has one subcommand, build, which may be left out. Before it stand the flags of debug alone. */
function withoutBuild(rest: readonly string[]): string[] {
  let at = 0;
  while (/^--(on|invoke)(=|$)/.test(rest[at] ?? "")) at += rest[at]?.includes("=") ? 1 : 2;
  return rest[at] === "build" ? rest.toSpliced(at, 1) : [...rest];
}

/** A parser with the command's flags and the global ones; nothing is read yet. */
export function defineParser(name: string, command: Command): Parser {
  const parser = new Parser(`wbuild ${name}`);
  parser.helpOption(false).allowExcessArguments(false).exitOverride();
  parser.configureOutput({ writeOut() {}, writeErr() {} });
  command.define(parser);
  parser.option("-h, --help", "show this help");
  parser.option("--home <folder>", "keep the store here");
  parser.option("--debug", "show stacks with errors");
  return parser;
}

/** True when help is asked for among the flags (not after `--`, nor in what `run` passes on). */
export function asksForHelp(parser: Parser, rest: readonly string[]): boolean {
  for (const [at, word] of rest.entries()) {
    if (word === "--") return false;
    if (passesThrough.has(parser) && !word.startsWith("-") && !takesValue(parser, rest[at - 1])) return false;
    if (
      word === "--help" ||
      (word === "-h" && !parser.options.some((option) => option.short === "-h" && option.long !== "--help"))
    )
      return true;
  }
  return false;
}

const passesThrough = new WeakSet<Parser>();

/** For `run`: what follows the first operand belongs to the program in the container. */
export function passOn(parser: Parser): Parser {
  passesThrough.add(parser);
  return parser.passThroughOptions();
}

/** Reads the flags. Throws CLI_USAGE with commander's finding in our form, or what a flag's own parser threw. */
export function readFlags(name: string, command: Command, parser: Parser, rest: readonly string[]): void {
  try {
    parser.parse(plainSwitches(parser, rest), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw usageError(name, command, parser, error, rest);
  }
}

/**
 * Switches with a value, `--pull=true` and `--human=false` as Go's flags have them, in the form that commander reads. What
 * follows `--`, or belongs to the program that `run` starts, stays as it is.
 */
function plainSwitches(parser: Parser, rest: readonly string[]): string[] {
  const words: string[] = [];
  let isOver = false;
  for (const [at, word] of rest.entries()) {
    isOver ||=
      word === "--" || (passesThrough.has(parser) && !word.startsWith("-") && !takesValue(parser, rest[at - 1]));
    const found = isOver ? undefined : /^--([^=]+)=(true|false|1|0)$/i.exec(word);
    const option = found && parser.options.find(({ long }) => long === `--${found[1]}`);
    // A value that may be left out stands behind =, so that what follows is never taken for one.
    if (!isOver && parser.options.some(({ long, optional, required }) => optional && !required && long === word))
      words.push(`${word}=`);
    else if (!option || option.required || option.optional) words.push(word);
    else if (/^(true|1)$/i.test(found[2] ?? "")) words.push(`--${found[1]}`);
    else if (parser.options.some(({ long }) => long === `--no-${found[1]}`)) words.push(`--no-${found[1]}`);
  }
  return words;
}

function takesValue(parser: Parser, word: string | undefined): boolean {
  return (
    word !== undefined &&
    parser.options.some(({ required, short, long }) => required && (short === word || long === word))
  );
}

function usageError(
  name: string,
  command: Command,
  parser: Parser,
  error: CommanderError,
  rest: readonly string[],
): WbuildError {
  const quoted = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  const help = `\`wbuild ${name} --help\` lists the flags`;
  const message = error.message.replace(/^error: /, "").split("\n")[0] ?? "";
  switch (error.code) {
    case "commander.unknownOption": {
      const [flag = "", value] = quoted.split(/=(.*)/s);
      const flags = parser.options.flatMap((option) => [option.long ?? "", option.short ?? ""]).filter((f) => f !== "");
      if (value !== undefined && flags.includes(flag))
        return new WbuildError("CLI_VALUE", `${flag} takes true or false, not ${JSON.stringify(value.slice(0, 60))}`);
      const known = insteadOfFlag(name, flag);
      const near = known === undefined && flag.startsWith("--") ? nearest(flag, flags) : undefined;
      return new WbuildError("CLI_FLAG", `wbuild ${name} has no flag ${flag}`, {
        facts: { flag: quoted, nearest: near },
        hint: known ?? (near ? `did you mean ${near}?` : help),
      });
    }
    case "commander.missingArgument": {
      const [flag, value] = rest.slice(-2);
      const taken = rest.length > 1 && takesValue(parser, flag);
      return new WbuildError("CLI_USAGE", `wbuild ${name} needs ${command.operands}`, {
        hint: taken
          ? `${JSON.stringify(value?.slice(0, 60))} is the value of ${flag}: add ${command.operands} behind it`
          : name === "build"
            ? "give the folder to build, for example `wbuild .`"
            : `for example \`${command.examples[0]?.[0] ?? ""}\``,
      });
    }
    case "commander.excessArguments":
      return new WbuildError(
        "CLI_USAGE",
        `wbuild ${name} takes ${command.operands === "" ? "no operands" : `only ${command.operands}`}, not ${rest.length > 0 ? parser.args.map((arg) => JSON.stringify(arg)).join(" ") : "more"}`,
        { hint: help },
      );
    case "commander.optionMissingArgument":
      return new WbuildError("CLI_USAGE", `the flag ${quoted.replace(/[<>]/g, "")} needs a value`, { hint: help });
    default:
      return new WbuildError("CLI_USAGE", message, { hint: help });
  }
}
