/** Says which word of the Dockerfile an error belongs to: who looks images up does not know. */
import { isWbuildError, WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { Word } from "../dockerfile/instruction.ts";
import type { PlanWorld } from "./plan-world.ts";

/** An image that cannot be had is blamed on the word that names it, and so is a platform that there is not. */
export function locatedAt(error: unknown, { span, text }: Word, world: PlanWorld): unknown {
  if (!isWbuildError(error) || error.facts.span !== undefined) return error;
  const hint = stageMeant(text, world) ?? offlineBase(error) ?? error.hint;
  return new WbuildError(error.code, error.message, {
    facts: { ...error.facts, file: world.source.name, span },
    cause: error.cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The misspelt name of a stage is looked for in a registry, whose answer helps nobody. */
function stageMeant(text: string, { dockerfile }: PlanWorld): string | undefined {
  if (!/^[\w.-]+$/.test(text)) return undefined;
  const names = dockerfile.stages.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const near = names.includes(text.toLowerCase()) ? undefined : nearest(text, names);
  return near === undefined ? undefined : `no stage has this name, so it is an image; did you mean the stage ${near}?`;
}

/** Windows' own bases come from one registry alone. Without it a build can still be tried. */
function offlineBase({ code, facts }: WbuildError): string | undefined {
  const { registry, repository } = facts;
  if (code !== "REG_UNREACHABLE" || registry !== "mcr.microsoft.com") return undefined;
  if (typeof repository !== "string" || !repository.startsWith("windows/")) return undefined;
  const named = `${registry}/${repository}:TAG=wbuild.local/windows`;
  return `check the network and the proxy settings; to try the build without: wbuild base windows, then --build-context ${named}`;
}
