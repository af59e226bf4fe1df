/** A Dockerfile's text → stages of typed instructions, by BuildKit's rules. Knows no variables' values and no images. */
import { isWbuildError, type WbuildError } from "../../native/error.ts";
import type { SourceText, Span } from "../diagnose/source.ts";
import { isLateDirective, readDirectives } from "./directives.ts";
import { dockerfileError } from "./errors.ts";
import type { Arg, Dockerfile, From, Instruction, Stage } from "./instruction.ts";
import { isComment, type LogicalLine, physicalLines } from "./logical-line.ts";
import { type LogicalLines, logicalLines } from "./logical-lines.ts";
import { checkTrigger, readInstruction } from "./read-instruction.ts";
import type { ReadOptions } from "./reading.ts";

/** Characters. A Dockerfile is written by people; what is bigger is a mistake or an attack on memory. */
const largest = 4 * 1024 * 1024;
const mostProblems = 10;

/**
 * Reads a whole Dockerfile. Throws the first problem as a WbuildError DF_*, whose facts hold { file, span } and, when
 * there are more, `others`: up to nine further WbuildErrors of the same shape.
 */
export function parseDockerfile(source: SourceText): Dockerfile {
  if (source.text.length > largest) {
    const start = { line: 1, column: 1 };
    throw dockerfileError("DF_TOO_LARGE", "this Dockerfile is larger than 4 MiB", {
      span: { start, end: start },
      source,
    });
  }
  const lines = physicalLines(source.text);
  const directives = readDirectives(source, lines);
  const warnings: { text: string; span: Span }[] = [];
  const warn = (text: string, span: Span): void => {
    warnings.push({ text, span });
  };
  const logical = logicalLines(source, lines, directives.escape);
  warnOfDirectives(lines, logical, directives, warn);
  const instructions = readAll(logical.instructions, { escape: directives.escape, warn });
  const { globalArgs, stages } = arrange(source, lines, instructions);
  return {
    source,
    escape: directives.escape,
    ...(directives.syntax === undefined ? {} : { syntax: directives.syntax }),
    ...(directives.check === undefined ? {} : { check: directives.check }),
    globalArgs,
    stages,
    warnings,
  };
}

/**
 * The trigger of an ONBUILD, as an image's config holds it: one instruction, with the lines of its here-documents behind it.
 * The escape character is always the backslash: the config does not keep it. Throws DF_* like parseDockerfile; `source` names
 * the image for messages. `at`: the place that all of the instruction gets, as it stands in no file; absent, in the text itself.
 */
export function parseTrigger(text: string, { name }: SourceText, at?: Span): Instruction {
  const source = { name, text };
  const [line, more] = logicalLines(source, physicalLines(text), "\\").instructions;
  if (line === undefined) {
    const start = { line: 1, column: 1 };
    throw dockerfileError("DF_EMPTY", "this ONBUILD trigger holds no instruction", {
      span: { start, end: start },
      source,
    });
  }
  if (more !== undefined) {
    throw dockerfileError("DF_ONBUILD_TRIGGER", "an ONBUILD trigger is one instruction", { span: more.span(), source });
  }
  checkTrigger(line);
  const instruction = readInstruction(line, { escape: "\\", warn: () => {} });
  return at === undefined ? instruction : placed(instruction, at);
}

/** The same value with every place in it replaced. */
function placed<T>(value: T, at: Span): T {
  if (Array.isArray(value)) return value.map((each) => placed(each, at)) as T;
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([key, each]) => [key, /span$/i.test(key) ? at : placed(each, at)]);
  return Object.fromEntries(fields) as T;
}

function readAll(lines: readonly LogicalLine[], options: ReadOptions): Instruction[] {
  const instructions: Instruction[] = [];
  const problems: WbuildError[] = [];
  for (const line of lines) {
    try {
      instructions.push(readInstruction(line, options));
    } catch (error) {
      if (!isWbuildError(error)) throw error;
      problems.push(error);
      if (problems.length >= mostProblems) break;
    }
  }
  const [first, ...others] = problems;
  if (first === undefined) return instructions;
  if (others.length > 0) Object.assign(first.facts, { others });
  throw first;
}

function arrange(
  source: SourceText,
  lines: readonly string[],
  instructions: readonly Instruction[],
): { globalArgs: Arg[]; stages: Stage[] } {
  const globalArgs: Arg[] = [];
  const stages: { index: number; name?: string; from: From; instructions: Exclude<Instruction, From>[] }[] = [];
  for (const instruction of instructions) {
    const stage = stages.at(-1);
    if (instruction.kind === "FROM") {
      const name = instruction.as === undefined ? {} : { name: instruction.as };
      stages.push({ index: stages.length, ...name, from: instruction, instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "ARG") globalArgs.push(instruction);
    else {
      throw dockerfileError(
        "DF_BEFORE_FROM",
        `${instruction.kind} stands before the first FROM`,
        { span: instruction.span, source },
        { facts: { instruction: instruction.kind }, hint: "begin with FROM; only ARG may come before it" },
      );
    }
  }
  if (stages.length === 0) {
    const line = Math.max(1, lines.length);
    const at = { line, column: (lines[line - 1] ?? "").length + 1 };
    const empty = globalArgs.length === 0;
    throw dockerfileError(
      empty ? "DF_EMPTY" : "DF_NO_FROM",
      empty ? "this Dockerfile holds no instruction" : "this Dockerfile has no FROM",
      { span: { start: at, end: at }, source },
      { hint: "begin with FROM image, or FROM scratch for an empty image" },
    );
  }
  return { globalArgs, stages };
}

/** What to say of a front end that is asked for, by directive or as BUILDKIT_SYNTAX; undefined for Docker's own. */
export function foreignSyntax(syntax: string | undefined): string | undefined {
  if (!syntax || /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@]|$)/.test(syntax)) return undefined;
  return `wbuild reads Dockerfiles itself and does not load the syntax ${syntax}`;
}

function warnOfDirectives(
  lines: readonly string[],
  logical: LogicalLines,
  directives: { readonly syntax?: string; readonly lineCount: number },
  warn: (text: string, span: Span) => void,
): void {
  const at = (line: number): Span => ({
    start: { line, column: 1 },
    end: { line, column: (lines[line - 1] ?? "").length + 1 },
  });
  const foreign = foreignSyntax(directives.syntax);
  if (foreign !== undefined) {
    const line = lines.findIndex((each) => /^\s*#\s*syntax\s*=/i.test(each)) + 1;
    warn(foreign, at(Math.max(1, line)));
  }
  lines.forEach((text, index) => {
    if (index < directives.lineCount || logical.isText(index) || !isComment(text) || !isLateDirective(text)) return;
    warn("this directive has no effect: directives stand at the very top of the file", at(index + 1));
  });
}
