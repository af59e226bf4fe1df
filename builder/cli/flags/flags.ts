/** Flags that several commands share: their definition, and how what was typed becomes plain data. */
import type { Command as Parser } from "commander";
import type { ConnectionException } from "../../../layerfs/store/sources.ts";
import type { SandboxLimits } from "../../../native/core/spec.ts";
import { parseProgress } from "../../progress/choose.ts";
import type { ProgressMode } from "../../progress/events.ts";
import type { NetworkMode } from "../../runtime/runtime.ts";
import { collect } from "../command.ts";
import {
  badValue,
  parseAddHost,
  parseBoolean,
  parseChoice,
  parseCount,
  parseCpus,
  parseSize,
  parseUlimit,
} from "./values.ts";

/** As Docker's default for /dev/shm. */
const defaultShmBytes = 64 * 1024 * 1024;

/** `host[:port]` of registries that are spoken to otherwise than others. */
export interface Connection {
  readonly plainHttp: readonly string[];
  readonly insecure: readonly string[];
}

export interface ContainerFlags {
  readonly network?: string;
  readonly addHost?: readonly string[];
  readonly memory?: string;
  readonly cpus?: string;
  readonly pidsLimit?: string;
  readonly ulimit?: readonly string[];
  readonly shmSize?: string;
}

/** Flags of what runs in a container: `build` and `run` have them alike. */
export function defineContainerFlags(parser: Parser): void {
  parser
    .option("--network <mode>", "default (own network with access to the outside), none or host")
    .option("--add-host <name:ip>", "a line for /etc/hosts; may be repeated", collect)
    .option("-m, --memory <size>", "limit of memory, such as 512m")
    .option("--cpus <number>", "limit of CPUs, such as 1.5")
    .option("--pids-limit <count>", "limit of processes; -1 for none")
    .option("--ulimit <name=soft:hard>", "a limit such as nofile=1024:2048; may be repeated", collect)
    .option("--shm-size <size>", "size of /dev/shm (default 64m)");
}

export function networkOf(flags: ContainerFlags): NetworkMode {
  const text = flags.network ?? "default";
  // Docker's names for what is here the default.
  return parseChoice("--network", text === "bridge" || text === "private" ? "default" : text, [
    "default",
    "none",
    "host",
  ]);
}

export function addHostsOf(flags: ContainerFlags): readonly (readonly [name: string, address: string])[] {
  return (flags.addHost ?? []).map((text) => parseAddHost("--add-host", text));
}

export function limitsOf(flags: ContainerFlags): SandboxLimits {
  const pids = flags.pidsLimit === undefined ? undefined : parseCount("--pids-limit", flags.pidsLimit, -1);
  return {
    shmBytes: flags.shmSize === undefined ? defaultShmBytes : parseSize("--shm-size", flags.shmSize),
    ulimits: Object.fromEntries((flags.ulimit ?? []).map((text) => parseUlimit("--ulimit", text))),
    ...memoryOf(flags.memory),
    ...(flags.cpus === undefined ? {} : { cpus: parseCpus("--cpus", flags.cpus) }),
    ...(pids === undefined || pids <= 0 ? {} : { pids }),
  };
}

/** Docker's least: the kernel kills what starts a container before it can say why. 0 is no limit, as there. */
const leastMemory = 6 * 1024 * 1024;

function memoryOf(text: string | undefined): Pick<SandboxLimits, "memoryBytes"> {
  const memoryBytes = text === undefined ? 0 : parseSize("--memory", text);
  if (memoryBytes === 0) return {};
  if (memoryBytes < leastMemory) throw badValue("--memory", text ?? "", "6m or more, or 0 for no limit");
  return { memoryBytes };
}

export interface ProgressFlags {
  readonly progress?: string;
  readonly quiet?: boolean;
}

export function defineProgressFlags(parser: Parser, quietMeans: string): void {
  parser
    .option(
      "--progress <face>",
      "auto, tty, plain, json, rawjson or quiet; else $WBUILD_PROGRESS or $BUILDKIT_PROGRESS",
    )
    .option("-q, --quiet", quietMeans);
}

/** The face that was asked for by flags; undefined leaves it to the environment. Throws CLI_VALUE. */
export function modeOf(flags: ProgressFlags): ProgressMode | undefined {
  if (flags.quiet) return "quiet";
  return flags.progress === undefined ? undefined : parseProgress("--progress", flags.progress);
}

export function definePlainHttp(parser: Parser): void {
  parser.option("--plain-http", "speak http, not https, to registries that are not on loopback, too");
}

export interface ConnectionFlags {
  readonly plainHttp?: boolean;
  readonly insecure?: boolean;
  readonly tlsVerify?: string;
}

/** Flags for how registries are spoken to: `connectionOf` reads them. */
export function defineConnection(parser: Parser): void {
  definePlainHttp(parser);
  parser
    .option("--insecure", "do not check the registry's certificate, and speak http where there is no TLS")
    .option("--tls-verify <bool>", "skopeo's spelling: false is --insecure");
}

/** Of these registries, those that the flags are about. Throws CLI_VALUE. */
export function connectionOf(flags: ConnectionFlags, registries: readonly string[]): Connection {
  return {
    plainHttp: flags.plainHttp ? registries : [],
    insecure: isInsecure(flags) ? registries : [],
  };
}

/** What the store may remember of that. Throws CLI_VALUE. */
export function exceptionOf(flags: ConnectionFlags): ConnectionException | undefined {
  return flags.plainHttp ? "plain-http" : isInsecure(flags) ? "insecure" : undefined;
}

/** Throws CLI_VALUE. */
export function isInsecure(flags: ConnectionFlags): boolean {
  return flags.insecure === true || (flags.tlsVerify !== undefined && !parseBoolean("--tls-verify", flags.tlsVerify));
}

/** The longer spelling is docker's; commander names the value after it. */
export function defineAllowNondistributable(parser: Parser): void {
  parser.option(
    "--allow-nondistributable, --allow-nondistributable-artifacts",
    "push foreign layers too, which only their maker is meant to serve",
  );
}

export interface NondistributableFlags {
  readonly allowNondistributableArtifacts?: boolean;
}

export function allowsNondistributable(flags: NondistributableFlags): boolean {
  return flags.allowNondistributableArtifacts === true;
}
