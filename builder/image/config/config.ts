/** The effect of instructions on an image's configuration, by Docker's rules. Pure: a config goes in, a new one comes out. */
import { posix } from "node:path";
import type { ContainerConfig } from "../../../registry/oci/image.ts";
import { nearest } from "../../diagnose/nearest.ts";
import type { SourceText, Span } from "../../diagnose/source.ts";
import { dockerfileError, quoted } from "../../dockerfile/errors.ts";
import type {
  Command,
  Expose,
  Healthcheck,
  Instruction,
  Stopsignal,
  Volume,
  Word,
} from "../../dockerfile/instruction.ts";
import { parsePorts } from "./ports.ts";
import { isSignal, signalNames } from "./signals.ts";
import { joinWindowsFolder, normalizeFolder } from "./windows-path.ts";

export interface ApplyOptions {
  /** The image's, as in its platform. */
  readonly os: string;
  /** Has this stage already had a CMD? Then ENTRYPOINT keeps it; a CMD inherited from the base is reset. */
  readonly cmdSet: boolean;
  /** For errors. */
  readonly source: SourceText;
}

const linuxPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What FROM scratch begins with. Windows has its PATH in the registry: one in Env would hide that from every program. */
export function baseConfig(os: string): ContainerConfig {
  return os === "windows" ? {} : { Env: [`PATH=${linuxPath}`], WorkingDir: "/" };
}

/**
 * A base image's config as a build goes on from it: its ONBUILD triggers are not inherited; on Linux PATH is always set, on
 * Windows the folder gets dockerd's form.
 */
export function inheritConfig(
  base: ContainerConfig,
  os: string,
): { config: ContainerConfig; triggers: readonly string[] } {
  const { OnBuild, ...kept } = base;
  const triggers = OnBuild ?? [];
  if (os === "windows") {
    const folder = kept.WorkingDir ? { WorkingDir: normalizeFolder(kept.WorkingDir) } : {};
    return { config: { ...kept, ...folder }, triggers };
  }
  const env = kept.Env ?? [];
  const hasPath = env.some((each) => each.startsWith("PATH="));
  return { config: hasPath ? kept : { ...kept, Env: [...env, `PATH=${linuxPath}`] }, triggers };
}

/** The shell of shell forms: SHELL's, else the platform's. */
export function shellOf(config: ContainerConfig, os: string): readonly string[] {
  if (config.Shell !== undefined && config.Shell.length > 0) return config.Shell;
  return os === "windows" ? ["cmd", "/S", "/C"] : ["/bin/sh", "-c"];
}

/** The argument vector of a RUN, CMD or ENTRYPOINT: the exec form as it is, the shell form behind the shell. */
export function argvOf(command: Command, config: ContainerConfig, os: string): string[] {
  return command.form === "exec" ? [...command.argv] : [...shellOf(config, os), command.line];
}

/**
 * The command line of a shell form on Windows, as dockerd makes it: the shell's words and the text as written, nothing
 * parsed, so that every quote reaches the program. Undefined for the exec form and for other systems.
 */
export function commandLineOf(command: Command, config: ContainerConfig, os: string): string | undefined {
  if (os !== "windows" || command.form === "exec") return undefined;
  return `${shellOf(config, os).join(" ")} ${command.line}`;
}

/**
 * CMD or ENTRYPOINT as the config holds it. Windows: the shell form is one string, which ArgsEscaped marks as a whole command
 * line; an exec form takes the mark away, and an empty one leaves it. Linux: ArgsEscaped is BuildKit's, of every CMD.
 */
function commandOf(command: Command, config: ContainerConfig, os: string) {
  const line = commandLineOf(command, config, os);
  const argv = line === undefined ? argvOf(command, config, os) : [line];
  const { ArgsEscaped: marked, ...rest } = config;
  const isMarked = argv.length === 0 ? marked : line !== undefined;
  return { argv, rest: os === "windows" ? { ...rest, ...(isMarked ? { ArgsEscaped: true } : {}) } : config };
}

/**
 * The config after an instruction whose words are expanded (see expand.ts). FROM, ARG, RUN, COPY, ADD and MAINTAINER leave
 * it as it is. Throws DF_PORT, DF_SIGNAL, DF_VOLUME, DF_BLANK_NAME, DF_WINDOWS_PATH.
 */
export function applyInstruction(
  config: ContainerConfig,
  instruction: Instruction,
  options: ApplyOptions,
): ContainerConfig {
  const { os } = options;
  switch (instruction.kind) {
    case "ENV": {
      checkNames(instruction, options);
      let env = config.Env ?? [];
      for (const { key, value } of instruction.pairs) env = setVariable(env, key.text, value.text, os);
      return { ...config, Env: env };
    }
    case "LABEL": {
      checkNames(instruction, options);
      const added = instruction.pairs.map(({ key, value }) => [key.text, value.text] as const);
      return { ...config, Labels: sorted([...Object.entries(config.Labels ?? {}), ...added]) };
    }
    case "WORKDIR":
      return { ...config, WorkingDir: joinFolder(config.WorkingDir, instruction.path, options) };
    case "USER":
      return { ...config, User: instruction.user.text };
    case "CMD": {
      const { argv, rest } = commandOf(instruction.command, config, os);
      return { ...rest, Cmd: argv, ...(os === "windows" ? {} : { ArgsEscaped: true }) };
    }
    case "ENTRYPOINT": {
      const { argv, rest: marked } = commandOf(instruction.command, config, os);
      const { Cmd: cmd, Entrypoint: _, ...rest } = marked;
      const kept = options.cmdSet && cmd !== undefined ? { ...rest, Cmd: cmd } : rest;
      return argv.length === 0 ? kept : { ...kept, Entrypoint: argv };
    }
    case "EXPOSE":
      return { ...config, ExposedPorts: withKeys(config.ExposedPorts, exposedPorts(instruction, options.source)) };
    case "VOLUME":
      return { ...config, Volumes: withKeys(config.Volumes, volumePaths(instruction, options.source)) };
    case "STOPSIGNAL":
      checkSignal(instruction, options.source);
      return { ...config, StopSignal: instruction.signal.text };
    case "HEALTHCHECK":
      return { ...config, Healthcheck: healthcheckOf(instruction) };
    case "SHELL":
      return { ...config, Shell: [...instruction.argv] };
    case "ONBUILD":
      return { ...config, OnBuild: [...(config.OnBuild ?? []), instruction.trigger] };
    case "FROM":
    case "ARG":
    case "RUN":
    case "COPY":
    case "ADD":
    case "MAINTAINER":
      return config;
  }
}

/**
 * NAME=value in an environment list: replaced where it stands, else at the end. Windows names have no letter case: the
 * first spelling stays.
 */
export function setVariable(env: readonly string[], name: string, value: string, os = "linux"): string[] {
  const fold = (text: string): string => (os === "windows" ? text.toUpperCase() : text);
  const nameOf = (each: string): string => each.split("=", 1)[0] ?? "";
  const at = env.findIndex((each) => fold(nameOf(each)) === fold(name));
  if (at < 0) return [...env, `${name}=${value}`];
  return env.map((each, index) => (index === at ? `${nameOf(each)}=${value}` : each));
}

/** WORKDIR: absolute as it is, relative behind the folder so far; clean, without a trailing separator. */
function joinFolder(current: string | undefined, word: Word, { os, source }: ApplyOptions): string {
  if (os === "windows") return joinWindowsFolder(current, word, source);
  const joined = posix.join("/", word.text.startsWith("/") ? "" : (current ?? ""), word.text);
  return joined.length > 1 ? joined.replace(/\/+$/, "") : joined;
}

/** Every port of every protocol. Attack: `1-65535` written a thousand times is a gigabyte of history. */
const mostPorts = 3 * 65536;

/** The ports of an EXPOSE, `80/tcp`, sorted as BuildKit sorts its words. Throws DF_PORT. */
export function exposedPorts(instruction: Expose, source: SourceText): string[] {
  const ports: string[] = [];
  for (const word of [...instruction.ports].sort((a, b) => compare(a.text, b.text))) {
    const parsed = parsePorts(word.text);
    const problem = "problem" in parsed ? parsed.problem : undefined;
    if ("ports" in parsed) for (const port of parsed.ports) ports.push(port);
    if (problem === undefined && ports.length <= mostPorts) continue;
    throw dockerfileError(
      "DF_PORT",
      `EXPOSE cannot use ${quoted(word.text)}`,
      { span: word.span, source },
      { facts: { found: word.text }, hint: problem ?? "with it the instruction names more ports than there are" },
    );
  }
  return ports;
}

/** Test, and the durations that are not zero, as the image config stores them. */
export function healthcheckOf(instruction: Healthcheck): NonNullable<ContainerConfig["Healthcheck"]> {
  const { command, interval, timeout, startPeriod, startInterval, retries } = instruction;
  if (command === undefined) return { Test: ["NONE"] };
  return {
    Test: command.form === "exec" ? ["CMD", ...command.argv] : ["CMD-SHELL", command.line],
    ...(interval ? { Interval: interval } : {}),
    ...(timeout ? { Timeout: timeout } : {}),
    ...(startPeriod ? { StartPeriod: startPeriod } : {}),
    ...(startInterval ? { StartInterval: startInterval } : {}),
    ...(retries ? { Retries: retries } : {}),
  };
}

function volumePaths(instruction: Volume, source: SourceText): string[] {
  return instruction.paths.map((word) => {
    if (word.text.trim() !== "") return word.text;
    throw dockerfileError("DF_VOLUME", "VOLUME cannot be an empty path", { span: word.span, source });
  });
}

function checkSignal(instruction: Stopsignal, source: SourceText): void {
  const { text, span } = instruction.signal;
  if (isSignal(text)) return;
  const suggestion = nearest(text, signalNames);
  throw dockerfileError(
    "DF_SIGNAL",
    `${quoted(text)} is no signal`,
    { span, source },
    {
      facts: { found: text, suggestion },
      hint:
        suggestion === undefined
          ? "write a name such as SIGTERM or a number from 1 to 64"
          : `did you mean ${suggestion}?`,
    },
  );
}

function checkNames(
  instruction: {
    readonly kind: string;
    readonly pairs: readonly { readonly key: { readonly text: string; readonly span: Span } }[];
  },
  { source }: ApplyOptions,
): void {
  const blank = instruction.pairs.find(({ key }) => key.text === "");
  if (blank === undefined) return;
  throw dockerfileError("DF_BLANK_NAME", `${instruction.kind} needs a name before the =`, {
    span: blank.key.span,
    source,
  });
}

function withKeys(
  before: Readonly<Record<string, object>> | undefined,
  keys: readonly string[],
): Record<string, object> {
  return sorted([...Object.entries(before ?? {}), ...keys.map((key) => [key, {}] as const)]);
}

/** Later entries win; keys in code unit order, so that equal configs are equal bytes. */
function sorted<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries([...new Map(entries)].sort(([a], [b]) => compare(a, b)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
