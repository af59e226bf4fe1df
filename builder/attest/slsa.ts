/**
 * Provenance: how an image was made, as SLSA v1 (https://slsa.dev/spec/v1.1/provenance) and v0.2 want it, with the members
 * that BuildKit gives them ("SLSA definitions").
 */
import type { SourceText } from "../diagnose/source.ts";
import type { Attestation } from "./attestation-manifest.ts";
import { type StepMap, sourceInfo } from "./build-steps.ts";
import { distinctResources, type Resource } from "./resource.ts";

export interface ProvenanceOptions {
  readonly mode: "min" | "max";
  readonly version: "v1" | "v0.2";
  readonly builderId: string;
  readonly reproducible: boolean;
  readonly filename: string;
}

/** A build, when it is done. */
export interface BuildRecord {
  /** Options as BuildKit's front end calls them: `target`, `build-arg:NAME`, `label:NAME`, `filename` … */
  readonly args: Readonly<Record<string, string>>;
  readonly dockerfile: SourceText;
  /** A context from elsewhere; undefined for a folder of this host. */
  readonly context?: Resource;
  /** Folders of this host that were read. */
  readonly locals: readonly string[];
  readonly secrets: readonly { readonly id: string; readonly optional: boolean }[];
  readonly ssh: readonly { readonly id: string; readonly optional: boolean }[];
  readonly materials: readonly Resource[];
  readonly steps: StepMap;
  /** No step could reach a network. */
  readonly hermetic: boolean;
  /** `linux/amd64`: where the steps ran. */
  readonly builderPlatform: string;
  readonly invocationId: string;
  readonly startedMs: number;
  readonly finishedMs: number;
  /** Hints about the sources: `source`, `revision`. */
  readonly vcs?: Readonly<Record<string, string>>;
}

const buildType = {
  v1: "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
  "v0.2": "https://mobyproject.org/buildkit@v1",
};
const extension = "https://mobyproject.org/buildkit@v1#";

/** Build arguments and labels may be what nobody else should see: `min` has none. */
const isPrivate = (name: string) => /^(?:build-arg|label):/.test(name);

/** How an image was made, as SLSA provenance of the version that is asked for (https://slsa.dev/spec). */
export function provenance(record: BuildRecord, options: ProvenanceOptions): Attestation {
  const predicate = options.version === "v1" ? predicateV1(record, options) : predicateV02(record, options);
  return {
    predicateType: `https://slsa.dev/provenance/${options.version}`,
    predicate,
    filename: options.filename,
  };
}

/** What both versions say in their own words. */
function told(record: BuildRecord, { mode }: ProvenanceOptions) {
  const { args, locals, secrets, ssh, materials, context, hermetic } = record;
  const shown = Object.entries(args).filter(([name]) => name !== "filename" && (mode === "max" || !isPrivate(name)));
  const isMax = mode === "max";
  const request = {
    frontend: "dockerfile.v0",
    args: Object.fromEntries(shown.sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(isMax && secrets.length > 0 ? { secrets } : {}),
    ...(isMax && ssh.length > 0 ? { ssh } : {}),
    ...(locals.length > 0 ? { locals: locals.map((name) => ({ name })) } : {}),
  };
  const { steps, digestMapping, locations, layers } = record.steps;
  const resources = distinctResources([...materials, ...(context ? [context] : [])]);
  return {
    request,
    resources,
    path: args.filename ?? "Dockerfile",
    isRequestWhole: isMax || !Object.keys(args).some(isPrivate),
    // Nobody can tell which files of a folder on this host were meant.
    areResourcesWhole: locals.length === 0,
    isHermetic: hermetic && locals.length === 0,
    started: new Date(record.startedMs).toISOString(),
    finished: new Date(record.finishedMs).toISOString(),
    buildConfig: isMax ? { buildConfig: { llbDefinition: steps, digestMapping } } : {},
    metadata: {
      ...(record.vcs && Object.keys(record.vcs).length > 0 ? { vcs: record.vcs } : {}),
      ...(isMax ? { source: { locations, infos: [sourceInfo(record.dockerfile)] }, layers } : {}),
    },
  };
}

function predicateV1(record: BuildRecord, options: ProvenanceOptions): object {
  const it = told(record, options);
  return {
    buildDefinition: {
      buildType: buildType.v1,
      externalParameters: { configSource: { ...record.context, path: it.path }, request: it.request },
      internalParameters: { ...it.buildConfig, builderPlatform: record.builderPlatform },
      resolvedDependencies: it.resources,
    },
    runDetails: {
      builder: { id: options.builderId },
      metadata: {
        invocationId: record.invocationId,
        startedOn: it.started,
        finishedOn: it.finished,
        buildkit_metadata: it.metadata,
        buildkit_hermetic: it.isHermetic,
        buildkit_completeness: { request: it.isRequestWhole, resolvedDependencies: it.areResourcesWhole },
        buildkit_reproducible: options.reproducible,
      },
    },
  };
}

function predicateV02(record: BuildRecord, options: ProvenanceOptions): object {
  const it = told(record, options);
  return {
    builder: { id: options.builderId },
    buildType: buildType["v0.2"],
    materials: it.resources,
    invocation: {
      configSource: { ...record.context, entryPoint: it.path },
      parameters: it.request,
      environment: { platform: record.builderPlatform },
    },
    ...it.buildConfig,
    metadata: {
      buildInvocationID: record.invocationId,
      buildStartedOn: it.started,
      buildFinishedOn: it.finished,
      completeness: { parameters: it.isRequestWhole, environment: true, materials: it.areResourcesWhole },
      reproducible: options.reproducible,
      [`${extension}hermetic`]: it.isHermetic,
      [`${extension}metadata`]: it.metadata,
    },
  };
}
