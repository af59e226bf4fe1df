/** A request → Dockerfile, context and build graph: all that is read before the first step. `wbuild plan` ends here. */
import type { Readable, Writable } from "node:stream";
import type { Platform } from "../layerfs/store/descriptor.ts";
import type { Store } from "../layerfs/store/store.ts";
import { WbuildError } from "../native/error.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { BuildRequest } from "./build-request.ts";
import { checkRequest, failOnFindings, reportFindings } from "./checks/check-request.ts";
import type { Finding } from "./checks/rule.ts";
import type { BuildContext } from "./context/context.ts";
import { openFolder } from "./context/folder/folder.ts";
import { type MainContext, openMain } from "./context/main-context.ts";
import { dockerfilePath, readDockerfile, refuseDockerfile } from "./context/main-dockerfile.ts";
import { namedContexts } from "./context/named-contexts.ts";
import { type RemoteOptions, RemoteSources } from "./context/remote-sources.ts";
import type { SourceText } from "./diagnose/source.ts";
import { findIgnoreFile, type IgnoreFile } from "./dockerfile/ignore.ts";
import type { Dockerfile, Stage } from "./dockerfile/instruction.ts";
import { parseDockerfile } from "./dockerfile/parse.ts";
import { GlobalScope } from "./dockerfile/scope.ts";
import { findStage, neededStages } from "./dockerfile/stages.ts";
import { SteeringFileError } from "./dockerfile/steering-file.ts";
import type { BuildGraph } from "./graph/graph.ts";
import { planBuild, withNamedStages } from "./graph/plan.ts";
import type { PlanOptions } from "./graph/plan-world.ts";
import { distinctPlatforms, hostPlatform } from "./image/platform.ts";
import type { BaseImage } from "./image/stored/base-image.ts";
import { baseNamed } from "./image/stored/named-images.ts";
import type { Report } from "./progress/events.ts";
import type { SharedFlights } from "./solve/flights.ts";
import type { FailedStep } from "./steps/step.ts";

/** What a build needs of the process it runs in. */
export interface BuildWorld {
  readonly store: Store;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Asked for only when the Dockerfile or the context is on standard input. */
  readonly stdin: () => Readable;
  readonly stdout: Writable;
  /** For who wants to look into a step that failed: called when all else has ended; gives the error to fail with. */
  readonly whenFailed?: (failed: FailedStep) => Promise<unknown>;
  /** With other builds of this process on the same store. */
  readonly shared?: SharedFlights;
}

export interface PlannedBuild {
  /** One for each platform, in the request's order. What they have in common has the same ids. */
  readonly graphs: readonly BuildGraph[];
  readonly source: SourceText;
  /** Undefined for a lone Dockerfile. */
  readonly context: BuildContext | undefined;
  /** Where the context came from. */
  readonly main: MainContext;
  /** What the graphs take from elsewhere. */
  readonly remote: RemoteSources;
  /** Of the build checks; they have been reported. */
  readonly findings: readonly Finding[];
  /** The stage each node's cache setting is decided by: node id → stage name. */
  readonly dockerfile: Dockerfile;
}

/** A request whose Dockerfile is read, but not parsed. */
export interface OpenedRequest {
  readonly source: SourceText;
  readonly main: MainContext;
  readonly remote: RemoteSources;
  /** Platforms that are built for; this host's, when none was asked for. */
  readonly targets: readonly Platform[];
  /** How a plan for one of them is made. */
  optionsFor(target: Platform): Omit<PlanOptions, "warn">;
  /** Base images that plans for this platform have looked up. */
  knownBase(image: string, platform: Platform, target: Platform): Promise<BaseImage> | undefined;
  ignore(): Promise<IgnoreFile | undefined>;
}

/** Throws CTX_*. */
export async function openRequest(
  request: BuildRequest,
  world: BuildWorld,
  registry: () => Promise<RegistryClient>,
): Promise<OpenedRequest> {
  const { store, signal } = world;
  const remote = new RemoteSources({ store, signal, ...remoteAccess(request) });
  const main = await openMain(request, world, remote).catch((cause: unknown) => {
    throw cause instanceof SteeringFileError ? refuseDockerfile("standard input", cause) : cause;
  });
  const source = await readDockerfile(request.dockerfile, main, signal);
  const wanted = distinctPlatforms(request.platforms ?? []);
  const targets = wanted.length > 0 ? wanted : [hostPlatform()];
  const named = namedContexts(request.namedContexts ?? [], remote, store);
  const bases = new Map<string, Promise<BaseImage>>();
  const keyOf = (image: string, platform: Platform, target: Platform) => JSON.stringify([image, platform, target]);
  return {
    source,
    main,
    remote,
    targets,
    optionsFor: (target) => ({
      buildArgs: request.buildArgs,
      labels: request.labels,
      buildPlatform: hostPlatform(),
      targetPlatform: target,
      severalPlatforms: targets.length > 1,
      network: request.network,
      ...(request.allow === undefined ? {} : { allow: request.allow }),
      extraHosts: request.addHosts,
      // Who names no platform means this host's, or else what the base is made for.
      findBase: (name, platform) => {
        const key = keyOf(name, platform, target);
        const orWindows = wanted.length === 0 && platform === target;
        const found =
          bases.get(key) ??
          baseNamed(store, registry, name, named(name), { platform, orWindows, pull: request.pull, signal });
        bases.set(key, found);
        return found;
      },
      named,
      remote,
      ...(request.target === undefined ? {} : { target: request.target }),
    }),
    knownBase: (image, platform, target) => bases.get(keyOf(image, platform, target)),
    ignore: () => ignoreOf(request, main),
  };
}

/** Throws DF_*, CTX_*, REG_*, IMG_PLATFORM; facts hold `source` where a Dockerfile is to blame. */
export async function planRequest(
  request: BuildRequest,
  world: BuildWorld,
  registry: () => Promise<RegistryClient>,
): Promise<PlannedBuild> {
  const { store, report } = world;
  // What was unpacked for this plan stays until it is made.
  using _lease = store.lease();
  const opened = await openRequest(request, world, registry);
  const { source, targets } = opened;
  try {
    const dockerfile = parseDockerfile(source);
    const warnings = new Warnings(source.name, targets.length);
    const graphs = await Promise.all(
      targets.map((target) => planBuild(dockerfile, { ...opened.optionsFor(target), warn: warnings.ofPlan() })),
    );
    for (const warning of warnings.told()) report({ kind: "warning", ...warning, at: Date.now() });
    const findings = await checkPlanned(dockerfile, request, opened, report);
    const { main, remote } = opened;
    const context =
      main.folder === undefined ? undefined : await openFolder(main.folder, await ignoreOf(request, main), store.facts);
    return { graphs, source, context, main, remote, findings, dockerfile };
  } catch (error) {
    throw withSource(error, source);
  }
}

/** The checks look into the stages that the target needs, and at the base images that the plan has looked up. */
async function checkPlanned(
  dockerfile: Dockerfile,
  request: BuildRequest,
  opened: OpenedRequest,
  report: Report,
): Promise<Finding[]> {
  const findings = await checkRequest(dockerfile, request, {
    targets: opened.targets,
    stages: (target) => stagesOf(dockerfile, request, opened, target),
    ignore: opened.ignore,
    baseOf: async (image, platform, target) => opened.knownBase(image, platform, target),
  });
  reportFindings(findings, opened.source.name, report);
  failOnFindings(findings, dockerfile, request);
  return findings;
}

/** The stages that the target needs, in the order of the file. Throws DF_TARGET, DF_EXPANSION. */
export function stagesOf(
  dockerfile: Dockerfile,
  request: BuildRequest,
  opened: OpenedRequest,
  target: Platform,
): Stage[] {
  const options = opened.optionsFor(target);
  const named = withNamedStages(dockerfile, options);
  const global = new GlobalScope(named, options);
  return neededStages(named, findStage(named, request.target), (stage) =>
    global.expand(stage.from.image, global.lookup),
  );
}

/** What the plans of one file warn of, each once. What has no line (an unused argument) must hold for every platform. */
class Warnings {
  readonly #file: string;
  readonly #plans: number;
  readonly #found = new Map<string, { text: string; line: number | undefined; plans: number }>();

  constructor(file: string, plans: number) {
    this.#file = file;
    this.#plans = plans;
  }

  /** Takes the warnings of one more plan. */
  ofPlan(): (text: string, line?: number) => void {
    const own = new Set<string>();
    return (text, line) => {
      const key = JSON.stringify([text, line]);
      if (own.has(key)) return;
      own.add(key);
      this.#found.set(key, { text, line, plans: (this.#found.get(key)?.plans ?? 0) + 1 });
    };
  }

  told(): { text: string; span?: { file: string; line: number } }[] {
    return [...this.#found.values()]
      .filter(({ line, plans }) => line !== undefined || plans === this.#plans)
      .map(({ text, line }) => ({ text, ...(line === undefined ? {} : { span: { file: this.#file, line } }) }));
  }
}

/** Hands the Dockerfile's text to whoever draws the error. */
export function withSource(error: unknown, source: SourceText): unknown {
  if (error instanceof WbuildError && error.facts.span !== undefined && error.facts.source === undefined) {
    Object.assign(error.facts, { source, file: error.facts.file ?? source.name });
  }
  return error;
}

async function ignoreOf(request: BuildRequest, main: MainContext): Promise<IgnoreFile | undefined> {
  if (main.folder === undefined) return undefined;
  return findIgnoreFile(main.folder, main.dockerfile ? undefined : dockerfilePath(request.dockerfile, main));
}

/** What fetching may use of what the request brings: secrets as tokens, the agent for ssh. */
function remoteAccess(request: BuildRequest): Pick<RemoteOptions, "secret" | "agent"> {
  const { secrets, ssh, context } = request;
  return {
    secret: async (id) => secrets?.get(id),
    agent: async (id) => {
      // As docker does: who names a repository by ssh as the context means it to be fetched with the agent at hand.
      const own = /^(ssh:\/\/|[\w-]+@)/.test(context) ? process.env.SSH_AUTH_SOCK : undefined;
      const given = ssh?.get(id) ?? (own ? { kind: "socket" as const, path: own } : undefined);
      if (!given) return undefined;
      const { forwardAgent } = await import("./runtime/ssh/forward.ts");
      return forwardAgent(given, { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
    },
  };
}
