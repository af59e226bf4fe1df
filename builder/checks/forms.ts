/** MaintainerDeprecated, LegacyKeyValueFormat, SecretsUsedInArgOrEnv: forms and names that one instruction shows. */
import type { Instruction } from "../dockerfile/instruction.ts";
import type { Finding } from "./rule.ts";

const secretWords = [
  "apikey",
  "auth",
  "credential",
  "credentials",
  "key",
  "password",
  "pword",
  "passwd",
  "secret",
  "token",
];
/** The whole name, or a word of it between underscores. */
const secretName = new RegExp(`(?:_|^)(?:${secretWords.join("|")})(?:_|$)`, "i");
const publicName = /(?:_|^)public(?:_|$)/i;

export function checkForms(step: Instruction): Finding[] {
  const { span } = step;
  switch (step.kind) {
    case "MAINTAINER": {
      const message = "MAINTAINER is deprecated: write LABEL org.opencontainers.image.authors=...";
      return [{ rule: "MaintainerDeprecated", message, span }];
    }
    case "ENV":
      return [...legacy(step), ...step.pairs.flatMap(({ key }) => secret(step, key.text, key.span))];
    case "LABEL":
      return legacy(step);
    case "ARG":
      return step.args.flatMap((arg) => secret(step, arg.name, arg.span));
    default:
      return [];
  }
}

/** `ENV name value` is one pair without = behind the name. */
function legacy(step: Extract<Instruction, { kind: "ENV" | "LABEL" }>): Finding[] {
  const [pair] = step.pairs;
  const words = step.text.slice(step.kind.length).trimStart();
  if (pair === undefined || words.startsWith(`${pair.key.text}=`)) return [];
  const message = `${step.kind} name value is the old form: write ${step.kind} name=value`;
  return [{ rule: "LegacyKeyValueFormat", message, span: step.span }];
}

function secret(step: Instruction, name: string, point: Finding["span"]): Finding[] {
  if (!secretName.test(name) || publicName.test(name)) return [];
  const message = `${step.kind} ${name} looks like a secret, which everybody can read in the image: use RUN --mount=type=secret`;
  return [{ rule: "SecretsUsedInArgOrEnv", message, span: step.span, point }];
}
