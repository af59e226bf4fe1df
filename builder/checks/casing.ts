/** ConsistentInstructionCasing and FromAsCasing: upper and lower case of keywords. */
import type { Dockerfile, Instruction } from "../dockerfile/instruction.ts";
import type { Finding } from "./rule.ts";
import { namingWords } from "./stage-names.ts";

type Case = "lower" | "upper" | "mixed";

function caseOf(word: string): Case {
  if (word === word.toLowerCase()) return "lower";
  return word === word.toUpperCase() ? "upper" : "mixed";
}

function keywordOf({ text }: Instruction): string {
  return text.split(/[\t\v\f\r ]/, 1)[0] ?? "";
}

/** The case of most instructions is the right one; of as many, the upper case. ARGs before the first FROM do not count. */
export function checkInstructionCasing({ stages }: Dockerfile): Finding[] {
  const instructions = stages.flatMap((stage) => [stage.from, ...stage.instructions]);
  const cases = instructions.map((instruction) => caseOf(keywordOf(instruction)));
  const count = (wanted: Case) => cases.filter((each) => each === wanted).length;
  const right = count("lower") > count("upper") ? "lower" : "upper";
  return instructions.flatMap((instruction, index): Finding[] => {
    if (cases[index] === right) return [];
    const message = `${keywordOf(instruction)} is not in ${right} case, as most instructions are`;
    return [{ rule: "ConsistentInstructionCasing", message, span: instruction.span }];
  });
}

/** A FROM of mixed case is told of by the other check alone. */
export function checkAsCasing({ stages }: Dockerfile): Finding[] {
  return stages.flatMap(({ from }): Finding[] => {
    const words = namingWords(from);
    const keyword = keywordOf(from);
    if (words === undefined || caseOf(keyword) === "mixed" || caseOf(words.as) === caseOf(keyword)) return [];
    const message = `${words.as} is not written in the case of ${keyword}`;
    return [{ rule: "FromAsCasing", message, span: from.span }];
  });
}
