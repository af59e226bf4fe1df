/** What was written for a Dockerfile is read again: only what comes out as it was meant is kept. */
import { isWbuildError } from "../../../native/error.ts";
import type { ContainerConfig } from "../../../registry/oci/image.ts";
import { expandInstruction } from "../../dockerfile/expand.ts";
import { commandOf } from "../../dockerfile/here-document.ts";
import type { Instruction } from "../../dockerfile/instruction.ts";
import { parseDockerfile } from "../../dockerfile/parse.ts";
import { argvOf, shellOf } from "../config/config.ts";
import { type Escape, isOneLine } from "./dockerfile-text.ts";

/**
 * The instruction that a line of ours is, or several with here-documents, its words expanded without any variable; undefined
 * when it is none.
 */
export function readBack(text: string, escapeChar: Escape): Instruction | undefined {
  // An escape character at the end would take the next line in.
  if (text.trimEnd().endsWith(escapeChar)) return undefined;
  try {
    const source = { name: "Dockerfile", text: `# escape=${escapeChar}\nFROM scratch\n${text}\n` };
    const [stage] = parseDockerfile(source).stages;
    const [instruction, ...more] = stage?.instructions ?? [];
    if (instruction === undefined || more.length > 0) return undefined;
    if (!isOneLine(text) && !isWholly(instruction, text)) return undefined;
    return expandInstruction<Instruction>(instruction, () => undefined, { escape: escapeChar, source });
  } catch (error) {
    if (isWbuildError(error)) return undefined;
    throw error;
  }
}

/** Several lines are one instruction only where all behind the first belong to its here-documents. */
function isWholly(instruction: Instruction, text: string): boolean {
  if (instruction.kind === "ONBUILD") return text === `ONBUILD ${instruction.trigger}`;
  if (instruction.kind !== "RUN" || instruction.documents === undefined) return false;
  const { text: first, documents } = instruction;
  return text === first + documents.map((each) => `\n${each.text}${each.name}`).join("");
}

/** A RUN of several lines for the shell, as the here-document that they were; undefined for anything else. */
export function scriptText(
  argv: readonly string[],
  config: ContainerConfig,
  os: string,
  escapeChar: Escape,
): string | undefined {
  const lines = argv.at(-1) ?? "";
  if (isOneLine(lines) || argv.length !== shellOf(config, os).length + 1) return undefined;
  const name = ["EOF", "END", "SCRIPT"].find((each) => !lines.split(/\r?\n/).includes(each));
  // A command with documents has them behind its line; any other text is a document itself.
  return [`RUN ${lines}`, `RUN <<${name}\n${lines}${name}`].find((text) => {
    const run = readBack(text, escapeChar);
    if (run?.kind !== "RUN") return false;
    const found = argvOf(commandOf(run, os).command, config, os);
    return found.length === argv.length && found.every((each, index) => each === argv[index]);
  });
}
