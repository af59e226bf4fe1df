/** The flags of `build` and `plan`, and the BuildRequest that they ask for. */
import type { Command as Parser } from "commander";
import { WbuildError } from "../../../native/error.ts";
import type { BuildRequest } from "../../build-request.ts";
import { type Cli, collect, flagsOf } from "../command.ts";
import { parseAnnotation } from "./annotation-values.ts";
import { type AttestFlags, attestRequestOf, defineAttestFlags } from "./attest-values.ts";
import {
  addHostsOf,
  allowsNondistributable,
  type ConnectionFlags,
  type ContainerFlags,
  defineAllowNondistributable,
  defineConnection,
  defineContainerFlags,
  isInsecure,
  limitsOf,
  type NondistributableFlags,
  networkOf,
  type ProgressFlags,
} from "./flags.ts";
import { parseCompression, parseLevel, parseOutput } from "./output-values.ts";
import { parseCount, parseLabels, parseNamedContext, parseVariables } from "./values.ts";

interface BuildFlags extends AttestFlags, ConnectionFlags, ContainerFlags, ProgressFlags, NondistributableFlags {
  readonly file?: string;
  readonly tag?: readonly string[];
  readonly target?: string;
  readonly cache: boolean;
  readonly cacheFilter?: readonly string[] | boolean;
  readonly cacheFrom?: readonly string[];
  readonly cacheTo?: readonly string[];
  readonly buildArg?: readonly string[];
  readonly label?: readonly string[];
  readonly buildContext?: readonly string[];
  readonly platform?: readonly string[];
  readonly pull?: boolean;
  readonly iidfile?: string;
  readonly annotation?: readonly string[];
  readonly metadataFile?: string;
  readonly output?: readonly string[];
  readonly push?: boolean;
  readonly load?: boolean;
  readonly lazy?: boolean;
  readonly jobs?: string;
  readonly compression?: string;
  readonly compressionLevel?: string;
  readonly secret?: readonly string[];
  readonly ssh?: readonly string[];
  readonly allow?: readonly string[];
  readonly cgroupParent?: string;
}

/** What decides about the steps: `plan` takes these alone. */
export function definePlanFlags(parser: Parser): void {
  parser
    .argument("<context>")
    .option(
      "-f, --file <path>",
      "the Dockerfile (default CONTEXT/Dockerfile; of a remote context within it), - for standard input",
    )
    .option("--target <stage>", "build this stage, by name or number, and what it needs")
    .option("--build-arg <name=value>", "set an ARG; without =value, from the environment; may be repeated", collect)
    .option("--label <name=value>", "add a label to the image; may be repeated", collect)
    .option(
      "--build-context <name=value>",
      "let NAME mean a folder, the URL of a tar or git repository, docker-image://REF or oci-layout://PATH; may be repeated",
      collect,
    )
    .option(
      "--platform <os/arch>",
      "build for this platform, such as linux/arm64; a list, or repeated: an index",
      collect,
    )
    .option(
      "--allow <entitlement>",
      "network.host, security.insecure, device or device=NAME for RUN; may be repeated",
      collect,
    )
    .option("--pull", "look for newer base images in their registries")
    .option("--no-cache", "carry out every step, whatever is cached")
    .option(
      "--no-cache-filter <stages>",
      "carry out every step of these stages; may be repeated",
      (value: string, previous: unknown) => [...(Array.isArray(previous) ? previous : []), ...value.split(",")],
    );
}

export function defineBuildFlags(parser: Parser): void {
  definePlanFlags(parser);
  parser
    .option("-t, --tag <name>", "give the image this name; may be repeated", collect)
    .option(
      "-o, --output <spec>",
      "type=oci|docker|tar|local|image|registry|cacheonly,dest=PATH; may be repeated",
      collect,
    )
    .option("--push", "send every name to its registry when the build is done")
    .option("--load", "keep the image in the store also when --output writes it elsewhere")
    .option("--lazy", "download no layer whose files no step reads; it is fetched when somebody needs it")
    .option("--cache-from <spec>", "use results of other machines: type=registry|local|gha,…; may be repeated", collect)
    .option(
      "--cache-to <spec>",
      "export results: type=registry|local|inline|gha,mode=min|max,…; may be repeated",
      collect,
    )
    .option("--iidfile <path>", "write the image ID to this file")
    .option(
      "--annotation <[kind:]key=value>",
      "add an annotation to the manifest, or to index:, manifest-descriptor: …; may be repeated",
      collect,
    )
    .option("--metadata-file <path>", "write digests and names, as JSON, to this file")
    .option("-j, --jobs <count>", "carry out so many steps at a time (default: two a CPU, at least 8)")
    .option(
      "--compression <kind>",
      "zstd, gzip or none, for new layers (default: zstd where it may, gzip where it must)",
    )
    .option("--compression-level <number>", "1 to 22 for zstd, 0 to 9 for gzip");
  parser
    .option(
      "--secret <spec>",
      "id=NAME,src=FILE or id=NAME,env=VAR for RUN --mount=type=secret; may be repeated",
      collect,
    )
    .option("--cgroup-parent <group>", "make the control groups of RUN in this one")
    .option("--ssh <id>", "default, or ID=SOCKET or ID=KEY,KEY for RUN --mount=type=ssh; may be repeated", collect);
  defineAttestFlags(parser);
  defineContainerFlags(parser);
  defineAllowNondistributable(parser);
  defineConnection(parser);
  // What docker's flags of these names ask for is always so: scripts that give them need no change.
  for (const [flag, about] of alwaysSo) parser.addOption(parser.createOption(flag, about).hideHelp());
}

const alwaysSo = [
  ["--rm", "containers of steps are always removed"],
  ["--force-rm", "containers of steps that failed, too"],
  ["--compress", "the context is sent nowhere"],
] as const;

/** Everything that was asked for, checked. Throws CLI_VALUE, CLI_OUTPUT, CLI_USAGE, DF_PLATFORM. */
export async function requestOf(parser: Parser, cli: Cli, context = parser.args[0] ?? "."): Promise<BuildRequest> {
  const flags = flagsOf<BuildFlags>(parser);
  if (context === "-" && flags.file === "-")
    throw new WbuildError("CLI_USAGE", "context and Dockerfile cannot both come from standard input", {
      hint: "give one of them as a path",
    });
  const compression =
    flags.compression === undefined ? undefined : parseCompression("--compression", flags.compression);
  const outputs = (flags.output ?? []).map((text) => parseOutput("--output", text));
  if (flags.load && outputs.length > 0 && !outputs.some((output) => output.type === "image"))
    outputs.push({ type: "image", names: [], push: false });
  if (outputs.filter((output) => "dest" in output && output.dest === "-").length > 1)
    throw new WbuildError("CLI_OUTPUT", "only one output can go to standard output", {
      hint: "give the others a dest=PATH",
    });
  const tags = flags.tag ?? [];
  const names = outputs.flatMap((output) => ("names" in output ? output.names : []));
  const pushes =
    flags.push === true || outputs.some((one) => one.type === "registry" || (one.type === "image" && one.push));
  if (pushes && tags.length === 0 && names.length === 0)
    throw new WbuildError("CLI_USAGE", "a push needs a name to push to", { hint: "add -t REGISTRY/NAME:TAG" });
  const buildArgs = parseVariables("--build-arg", flags.buildArg ?? [], cli.env);
  for (const secret of proxyPasswords({ ...cli.env, ...buildArgs })) cli.keepSecret(secret);
  const attest = attestRequestOf(flags);
  // As with buildx it is a build argument, too: ARG SOURCE_DATE_EPOCH sees it, wherever it was set.
  const epoch = buildArgs.SOURCE_DATE_EPOCH || cli.env.SOURCE_DATE_EPOCH || undefined;
  if (epoch !== undefined) buildArgs.SOURCE_DATE_EPOCH = epoch;
  const annotations = (flags.annotation ?? []).flatMap((text) => parseAnnotation("--annotation", text));
  return {
    context,
    ...(flags.file === undefined ? {} : { dockerfile: flags.file }),
    tags,
    ...(flags.target === undefined ? {} : { target: flags.target }),
    buildArgs,
    labels: parseLabels("--label", flags.label ?? []),
    namedContexts: (flags.buildContext ?? []).map((text) => parseNamedContext("--build-context", text)),
    ...(flags.platform === undefined
      ? {}
      : { platforms: (await import("../../image/platform.ts")).parsePlatforms(flags.platform) }),
    pull: flags.pull === true,
    ...(await cachesOf(flags, cli)),
    noCache: flags.cache === false ? true : Array.isArray(flags.cacheFilter) ? flags.cacheFilter : false,
    outputs,
    push: flags.push === true,
    ...(flags.lazy ? { lazy: true } : {}),
    ...(attest === undefined ? {} : { attest }),
    ...(allowsNondistributable(flags) ? { allowNondistributable: true } : {}),
    ...(flags.iidfile === undefined ? {} : { iidfile: flags.iidfile }),
    ...(flags.metadataFile === undefined ? {} : { metadataFile: flags.metadataFile, ...metadataOf(cli.env) }),
    ...(compression === undefined ? {} : { compression }),
    ...(flags.compressionLevel === undefined
      ? {}
      : { compressionLevel: parseLevel("--compression-level", flags.compressionLevel, compression) }),
    network: networkOf(flags),
    addHosts: addHostsOf(flags),
    limits: { ...limitsOf(flags), ...(flags.cgroupParent ? { cgroupParent: flags.cgroupParent } : {}) },
    ...(await grantsOf(flags, cli)),
    ...(flags.jobs === undefined ? {} : { jobs: parseCount("--jobs", flags.jobs, 1, 1024) }),
    ...(annotations.length > 0 ? { annotations } : {}),
    ...(epoch === undefined ? {} : { sourceDateEpoch: parseCount("$SOURCE_DATE_EPOCH", epoch, 0, 253402300799) }),
    plainHttp: flags.plainHttp === true,
    insecure: isInsecure(flags),
  };
}

/** Buildx's variables. Its file has provenance always; as everywhere, we write none that nobody asked for. */
function metadataOf(env: Cli["env"]): Pick<BuildRequest, "metadata"> {
  const yes = /^(1|t|true)$/i;
  const { BUILDX_METADATA_WARNINGS: warnings = "", BUILDX_METADATA_PROVENANCE: mode = "" } = env;
  const provenance = mode === "max" || mode === "min" ? mode : yes.test(mode) ? "min" : undefined;
  if (!yes.test(warnings) && provenance === undefined) return {};
  return { metadata: { warnings: yes.test(warnings), ...(provenance === undefined ? {} : { provenance }) } };
}

/** Secrets are read now: what progress output hides must be known before there is any. */
async function grantsOf(
  { secret = [], ssh = [], allow = [] }: BuildFlags,
  { env, cwd, keepSecret }: Cli,
): Promise<Pick<BuildRequest, "secrets" | "ssh" | "allow">> {
  if (secret.length + ssh.length + allow.length === 0) return {};
  const { hiddenParts, parseAllow, parseSsh, readSecret } = await import("./step-values.ts");
  const secrets = new Map<string, Uint8Array>();
  for (const text of secret) {
    const [id, value] = (await readSecret(text, env, cwd)) ?? [];
    if (id === undefined || value === undefined) continue;
    secrets.set(id, value);
    for (const part of hiddenParts(value)) keepSecret(part);
  }
  return {
    ...(secrets.size > 0 ? { secrets } : {}),
    ...(ssh.length > 0 ? { ssh: new Map(ssh.map((text) => parseSsh(text, env, cwd))) } : {}),
    ...(allow.length > 0 ? { allow: parseAllow(allow) } : {}),
  };
}

/** Loaded only where somebody asks for a cache. */
async function cachesOf(
  { cacheFrom = [], cacheTo = [] }: BuildFlags,
  { env, keepSecret }: Cli,
): Promise<Pick<BuildRequest, "cacheFrom" | "cacheTo">> {
  if (cacheFrom.length + cacheTo.length === 0) return {};
  const { parseCacheFrom, parseCacheTo } = await import("./cache-values.ts");
  return {
    cacheFrom: cacheFrom.map((text) => parseCacheFrom("--cache-from", text, env, keepSecret)),
    cacheTo: cacheTo.map((text) => parseCacheTo("--cache-to", text, env, keepSecret)),
  };
}

/** Proxies are mostly given with a password in their URL, and steps like to print them. */
function proxyPasswords(variables: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    const found = /_proxy$/i.test(name) ? /^(?:[a-z0-9+]+:\/\/)?[^/@:]*:(.+)@/i.exec(value ?? "")?.[1] : undefined;
    if (found === undefined) return [];
    try {
      return [...new Set([found, decodeURIComponent(found)])];
    } catch {
      return [found];
    }
  });
}
