/**
 * What `--call` asks of a Dockerfile instead of an image: its findings, its targets, what can be given to it. Reads, and looks
 * base images up; carries nothing out.
 */
import { isWbuildError } from "../native/error.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { BuildRequest } from "./build-request.ts";
import { checkRequest, failOnFindings } from "./checks/check-request.ts";
import { lastLines } from "./checks/lines.ts";
import { lintResult, printFindings } from "./checks/lint-result.ts";
import { type Location, locationOf } from "./checks/location.ts";
import { outlineOf, printOutline } from "./checks/outline.ts";
import type { Finding } from "./checks/rule.ts";
import { printTargets, targetsOf } from "./checks/targets.ts";
import type { Span } from "./diagnose/source.ts";
import type { Dockerfile } from "./dockerfile/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { findStage } from "./dockerfile/stages.ts";
import { planBuild, withNamedStages } from "./graph/plan.ts";
import { hostPlatform } from "./image/platform.ts";
import { type BuildWorld, type OpenedRequest, openRequest, stagesOf, withSource } from "./plan-request.ts";

export type CallMethod = "check" | "outline" | "targets";

export interface Called {
  /** For people; ends with a newline. */
  text(options: { readonly color: boolean }): string;
  /** In the shape of BuildKit's answers. */
  readonly json: object;
  /** 1 when checks found something. */
  readonly status: 0 | 1;
  /** Of `check`: at which lines. */
  readonly findings?: readonly {
    readonly file: string;
    readonly line: number;
    readonly title: string;
    readonly text: string;
  }[];
  /** What a build would fail with; it is thrown by whoever told the rest. */
  readonly error?: unknown;
}

/** Throws CTX_*, and of `outline` and `targets` DF_*. */
export async function callRequest(
  method: CallMethod,
  request: BuildRequest,
  world: BuildWorld,
  registry: () => Promise<RegistryClient>,
): Promise<Called> {
  const opened = await openRequest(request, world, registry);
  if (method === "check") return check(request, opened);
  try {
    const dockerfile = parseDockerfile(opened.source);
    if (method === "targets") {
      const json = targetsOf(dockerfile);
      return { json, text: () => printTargets(json), status: 0 };
    }
    const [platform = hostPlatform()] = opened.targets;
    const stages = stagesOf(dockerfile, request, opened, platform);
    const json = outlineOf(dockerfile, findStage(dockerfile, request.target), stages, opened.optionsFor(platform));
    return { json, text: () => printOutline(json), status: 0 };
  } catch (error) {
    throw withSource(error, opened.source);
  }
}

/** All stages are looked into, unless a target was named. */
async function check(request: BuildRequest, opened: OpenedRequest): Promise<Called> {
  const { source } = opened;
  const found: Finding[] = [];
  let ends: ReadonlyMap<number, number> = new Map();
  let failure: { readonly error: unknown } | undefined;
  // That findings fail a build is no news to those who read them: only programs are told.
  let strict: unknown;
  try {
    const dockerfile = parseDockerfile(source);
    ends = lastLines(dockerfile);
    failure = await planStages(dockerfile, request, opened);
    const all = withNamedStages(dockerfile, opened.optionsFor(opened.targets[0] ?? hostPlatform())).stages;
    const findings = await checkRequest(dockerfile, request, {
      targets: opened.targets,
      stages: (target) => (request.target === undefined ? all : stagesOf(dockerfile, request, opened, target)),
      ignore: opened.ignore,
      // The plans have asked for them; which one is not there, they have told.
      baseOf: async (...which) => opened.knownBase(...which)?.catch(() => undefined),
    });
    found.push(...findings);
    try {
      failOnFindings(found, dockerfile, request);
    } catch (error) {
      strict = error;
    }
  } catch (error) {
    failure ??= { error };
  }
  const error = failure === undefined ? undefined : withSource(failure.error, source);
  const told = error ?? strict;
  return {
    json: lintResult(source, found, { buildError: told === undefined ? undefined : buildError(told), lastLines: ends }),
    text: (options) => (found.length === 0 && failure !== undefined ? "" : printFindings(source, found, options)),
    status: found.length > 0 || failure !== undefined ? 1 : 0,
    findings: found.map(({ rule, message, span }) => ({
      file: source.name,
      line: span.start.line,
      title: rule,
      text: message,
    })),
    ...(failure === undefined ? {} : { error }),
  };
}

/** What a build of the target, or of each stage, would fail with before its first step: the first failure. */
async function planStages(
  dockerfile: Dockerfile,
  request: BuildRequest,
  opened: OpenedRequest,
): Promise<{ readonly error: unknown } | undefined> {
  let failure: { readonly error: unknown } | undefined;
  const targets = request.target === undefined ? dockerfile.stages.map(({ index }) => String(index)) : [request.target];
  const covered = new Set<number>();
  for (const target of targets.reverse()) {
    try {
      if (covered.has(findStage(dockerfile, target).index)) continue;
      for (const platform of opened.targets) {
        const options = opened.optionsFor(platform);
        await planBuild(dockerfile, { ...options, target, warn: () => undefined });
        for (const { index } of stagesOf(dockerfile, { ...request, target }, opened, platform)) covered.add(index);
      }
    } catch (error) {
      failure ??= { error };
    }
  }
  return failure;
}

function buildError(error: unknown): { message: string; location?: Location } {
  const message = error instanceof Error ? error.message : String(error);
  const span = isWbuildError(error) ? (error.facts.span as Span | undefined) : undefined;
  return { message, ...(span === undefined ? {} : { location: locationOf(span) }) };
}
