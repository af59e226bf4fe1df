/** The check directive, and the build argument of the same form: which checks are left out, and whether findings fail the build. */
import { dockerfileError, type Place, quoted } from "../dockerfile/errors.ts";
import { type RuleName, rules } from "./rule.ts";

/** Takes the directive's place. */
export const settingsArgument = "BUILDKIT_DOCKERFILE_CHECK";

export interface Settings {
  readonly skip: ReadonlySet<string> | "all";
  /** Experimental checks that are wanted; `skip` means nothing to these. */
  readonly experimental: ReadonlySet<string> | "all";
  /** Findings fail the build. */
  readonly isError: boolean;
}

/** `skip=A,B;error=true;experimental=all`, in any order. Throws DF_CHECK_OPTION; `at` is where the text stands. */
export function parseSettings(text: string, at: Place): Settings {
  let skip: Settings["skip"] = new Set();
  let experimental: Settings["experimental"] = new Set();
  let isError = false;
  for (const part of text.trim() === "" ? [] : text.split(";")) {
    const equals = part.indexOf("=");
    const key = part.slice(0, Math.max(0, equals)).trim();
    const value = part.slice(equals + 1).trim();
    if (key === "skip") skip = namesOf(value);
    else if (key === "experimental") experimental = namesOf(value);
    else if (key === "error" && isBoolean(value)) isError = trueWords.has(value);
    else {
      throw dockerfileError(
        "DF_CHECK_OPTION",
        key === "error"
          ? `the check option error is true or false, not ${quoted(value)}`
          : `${quoted(part.trim())} is no check option`,
        at,
        { facts: { found: part.trim() }, hint: "write skip=NAME,NAME;error=true, or skip=all" },
      );
    }
  }
  return { skip, experimental, isError };
}

export function isWanted(settings: Settings, rule: RuleName): boolean {
  if (rules[rule].experimental) return settings.experimental === "all" || settings.experimental.has(rule);
  return settings.skip !== "all" && !settings.skip.has(rule);
}

function namesOf(value: string): ReadonlySet<string> | "all" {
  return value === "all" ? "all" : new Set(value.split(",").map((name) => name.trim()));
}

/** As Go reads a boolean. */
const trueWords = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const falseWords = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function isBoolean(text: string): boolean {
  return trueWords.has(text) || falseWords.has(text);
}
