/** NoEmptyContinuation and InvalidDefinitionDescription: what stands between and above the lines of instructions. */
import type { Span } from "../diagnose/source.ts";
import type { Arg, Dockerfile, From, Instruction } from "../dockerfile/instruction.ts";
import { isComment, physicalLines } from "../dockerfile/logical-line.ts";
import type { Finding } from "./rule.ts";

/** All instructions in the order of the file. */
function allInstructions({ globalArgs, stages }: Dockerfile): Instruction[] {
  return [...globalArgs, ...stages.flatMap((stage) => [stage.from, ...stage.instructions])];
}

export function checkContinuations(dockerfile: Dockerfile): Finding[] {
  const lines = physicalLines(dockerfile.source.text);
  return allInstructions(dockerfile).flatMap(({ span }): Finding[] => {
    const empty = emptyLine(lines, span, dockerfile.escape);
    if (empty === undefined) return [];
    const message = "an empty line continues this instruction: remove it, or the sign of continuation before it";
    const point = { start: { line: empty, column: 1 }, end: { line: empty, column: 1 } };
    const end = later(span, empty);
    return [{ rule: "NoEmptyContinuation", message, span: { start: end, end }, point }];
  });
}

/** The number of the first empty line that belongs to an instruction, also behind its last words. */
function emptyLine(lines: readonly string[], { start, end }: Span, escapeChar: string): number | undefined {
  for (let line = start.line; line < end.line; line++) if (lines[line]?.trim() === "") return line + 1;
  const last = lines[end.line - 1]?.trimEnd() ?? "";
  const goesOn = last.endsWith(escapeChar) && !last.endsWith(escapeChar + escapeChar);
  return goesOn && lines[end.line]?.trim() === "" && end.line < lines.length ? end.line + 1 : undefined;
}

function later({ end }: Span, line: number): Span["end"] {
  return line > end.line ? { line, column: 1 } : end;
}

/** The comments directly above each FROM and ARG, without their #, first line first; directives are none. */
export function commentsAbove(dockerfile: Dockerfile): (instruction: From | Arg) => string[] {
  const lines = physicalLines(dockerfile.source.text);
  const directives = countDirectives(lines);
  const ends = new Map<Instruction, number>();
  let before = directives;
  for (const instruction of allInstructions(dockerfile)) {
    ends.set(instruction, before);
    before = Math.max(before, lastLine(instruction));
  }
  return (instruction) => {
    const found: string[] = [];
    const limit = ends.get(instruction) ?? directives;
    for (let index = instruction.span.start.line - 2; index >= limit; index--) {
      const line = lines[index] ?? "";
      if (!isComment(line)) break;
      found.unshift(line.trim().slice(1).trim());
    }
    return found;
  };
}

/** Where instructions with here-documents end: the line that closes the last one, by the instruction's first line. */
export function lastLines(dockerfile: Dockerfile): ReadonlyMap<number, number> {
  const long = allInstructions(dockerfile).filter((each) => lastLine(each) > each.span.end.line);
  return new Map(long.map((each) => [each.span.start.line, lastLine(each)]));
}

/** With its here-documents. A line of their text is no comment. */
function lastLine(instruction: Instruction): number {
  const documents = "documents" in instruction ? (instruction.documents ?? []) : [];
  return Math.max(instruction.span.end.line, ...documents.map(({ textSpan }) => textSpan.end.line));
}

function countDirectives(lines: readonly string[]): number {
  let count = 0;
  while (/^\s*#\s*(syntax|escape|check)\s*=\s*\S/i.test(lines[count] ?? "")) count++;
  return count;
}

/** What the comments say of a name: the line that begins with it, without it. */
export function descriptionOf(comments: readonly string[], name: string): string | undefined {
  return comments.find((comment) => comment.startsWith(`${name} `))?.slice(name.length + 1);
}

export function checkDescriptions(dockerfile: Dockerfile): Finding[] {
  const above = commentsAbove(dockerfile);
  return allInstructions(dockerfile).flatMap((instruction): Finding[] => {
    if (instruction.kind !== "FROM" && instruction.kind !== "ARG") return [];
    const names = namesOf(instruction);
    const last = above(instruction).at(-1);
    const [first] = names;
    if (last === undefined || first === undefined || names.includes(last.split(" ")[0] ?? "")) return [];
    const wanted = names.length > 1 ? "NAME" : first;
    const message = `the comment above this ${instruction.kind} does not begin with the name: write # ${wanted} and what it is, or leave a line empty between them`;
    return [{ rule: "InvalidDefinitionDescription", message, span: instruction.span }];
  });
}

function namesOf(instruction: From | Arg): string[] {
  if (instruction.kind === "ARG") return instruction.args.map(({ name }) => name);
  return instruction.as === undefined ? [] : [instruction.as];
}
