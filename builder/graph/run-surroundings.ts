/** What a RUN gets that its Dockerfile does not decide alone: the network, and proxy settings. */
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError } from "../dockerfile/errors.ts";
import type { Run, Word } from "../dockerfile/instruction.ts";
import { readDevice } from "../dockerfile/read-device.ts";
import type { NetworkMode } from "../runtime/runtime.ts";
import type { PlanOptions } from "./plan-world.ts";

/**
 * Attack: a foreign Dockerfile asks for the host's network, where services listen that trust whoever reaches them. Only the
 * caller may give it. Throws DF_NOT_ALLOWED.
 */
export function networkOf(step: Run, options: PlanOptions, source: SourceText): NetworkMode {
  const asked = step.network?.text;
  if (asked === "host" && options.network !== "host" && options.allow?.networkHost !== true)
    throw notAllowed("RUN --network=host", "network.host", step.network ?? step, source);
  return asked === "none" || asked === "host" ? asked : options.network;
}

/** Attack: a foreign Dockerfile asks for a step without a sandbox, which can do what its caller can. Throws DF_NOT_ALLOWED. */
export function securityOf(step: Run, { allow }: PlanOptions, source: SourceText): "default" | "insecure" {
  if (step.security?.text !== "insecure") return "default";
  if (allow?.insecure !== true)
    throw notAllowed("RUN --security=insecure", "security.insecure", step.security ?? step, source);
  return "insecure";
}

/**
 * Devices that the caller has granted, all or by name or class. One that is not required and not granted is left out.
 * Throws DF_NOT_ALLOWED, DF_FLAG_VALUE, DF_UNSUPPORTED_FLAG.
 */
export function devicesOf(
  step: Run,
  { allow }: PlanOptions,
  source: SourceText,
  os: string,
): { readonly name: string; readonly required: boolean }[] {
  return (step.devices ?? []).map((word) => {
    const { name, required } = readDevice(word, source);
    if (os === "windows")
      throw dockerfileError("DF_UNSUPPORTED_FLAG", "RUN --device is not supported for Windows images", {
        span: word.span,
        source,
      });
    const granted = allow?.devices;
    const isGranted = granted === true || granted?.some((given) => given === name || name.startsWith(`${given}=`));
    if (!isGranted) throw notAllowed(`RUN --device=${name}`, `device=${name}`, word, source);
    return { name, required };
  });
}

function notAllowed(what: string, entitlement: string, { span }: Pick<Word, "span">, source: SourceText): Error {
  return dockerfileError(
    "DF_NOT_ALLOWED",
    `${what} is not allowed in this build`,
    { span, source },
    { facts: { entitlement }, hint: `build with --allow ${entitlement} if you trust this Dockerfile` },
  );
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
