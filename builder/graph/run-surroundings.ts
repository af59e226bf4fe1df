/** What a RUN gets that its Dockerfile does not decide alone: the network, and proxy settings. */
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError } from "../dockerfile/errors.ts";
import type { Run } from "../dockerfile/instruction.ts";
import type { NetworkMode } from "../runtime/runtime.ts";

/**
 * Attack: a foreign Dockerfile asks for the host's network, where services listen that trust whoever reaches them, or for
 * a step without a sandbox. Only the caller may give the one; nobody gives the other. Throws DF_UNSUPPORTED_FLAG.
 */
export function networkOf(step: Run, usual: NetworkMode, source: SourceText): NetworkMode {
  const asked = step.network?.text;
  if (asked === "host" && usual !== "host") {
    throw dockerfileError(
      "DF_UNSUPPORTED_FLAG",
      "RUN --network=host is not allowed in this build",
      { ...step, source },
      {
        hint: "build with --network host to allow it",
      },
    );
  }
  if (step.security?.text === "insecure") {
    throw dockerfileError(
      "DF_UNSUPPORTED_FLAG",
      "RUN --security=insecure is not supported",
      { ...step, source },
      {
        hint: "every step runs in the sandbox: leave the flag out",
      },
    );
  }
  return asked === "none" || asked === "host" ? asked : usual;
}

/**
 * NAME=value of what only --build-arg gave, on Linux in both spellings: some programs read one of them, others the other.
 */
export function proxyEnvOf(
  runEnv: Readonly<Record<string, string>>,
  keyEnv: Readonly<Record<string, string>>,
  os: string,
): string[] {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(runEnv)) {
    if (keyEnv[name] !== undefined) continue;
    pairs.push(`${name}=${value}`);
    if (os === "windows") continue;
    const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
    if (runEnv[other] === undefined) pairs.push(`${other}=${value}`);
  }
  return pairs;
}
