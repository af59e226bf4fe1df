/** StageNameCasing, ReservedStageName, DuplicateStageName: what stages are called. */
import type { Dockerfile, From } from "../dockerfile/instruction.ts";
import type { Finding } from "./rule.ts";

const reserved = new Set(["context", "scratch"]);

/** The words behind FROM's image, `AS` and the name, as they are written. */
export function namingWords(from: From): { as: string; name: string } | undefined {
  if (from.as === undefined) return undefined;
  const words = from.text.split(/[\t\v\f\r ]+/);
  return { as: words.at(-2) ?? "", name: words.at(-1) ?? "" };
}

export function checkStageNames({ stages }: Dockerfile): Finding[] {
  const found: Finding[] = [];
  const seen = new Set<string>();
  for (const { from } of stages) {
    const words = namingWords(from);
    if (from.as === undefined || words === undefined) continue;
    const place = { span: from.span, ...(from.asSpan === undefined ? {} : { point: from.asSpan }) };
    if (words.name !== words.name.toLowerCase())
      found.push({
        rule: "StageNameCasing",
        message: `the stage name ${words.name} is not all in lower case`,
        ...place,
      });
    if (reserved.has(from.as))
      found.push({
        rule: "ReservedStageName",
        message: `the stage name ${from.as} is reserved: choose another`,
        ...place,
      });
    if (seen.has(from.as))
      found.push({
        rule: "DuplicateStageName",
        message: `another stage is named ${from.as} already: only the last one is found by that name`,
        ...place,
      });
    seen.add(from.as);
  }
  return found;
}
