/** Edits of an image's configuration and annotations, by the Dockerfile's rules where it has an instruction for them. Pure. */
import { posix } from "node:path";
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { parseWorkdir, showWindowsPath } from "../../layerfs/windows/path.ts";
import { WbuildError } from "../../native/error.ts";
import type { ContainerConfig, ImageConfig } from "../../registry/oci/image.ts";
import { setVariable, shellOf } from "../image/config/config.ts";
import { parsePorts } from "../image/config/ports.ts";
import { isSignal } from "../image/config/signals.ts";
import { belowDrive } from "../image/config/windows-path.ts";
import { formatPlatform } from "../image/platform.ts";

/** One entry of a list by name. Without a value it is taken away; without a name all are. */
export interface EntryEdit {
  readonly name?: string;
  readonly value?: string;
}

/** The exec form's words, or the text of a shell form; no words take the command away. */
export type CommandEdit = readonly string[] | string;

/** What is absent stays as it is; an empty string takes a setting away. */
export interface ConfigEdit {
  readonly env?: readonly EntryEdit[];
  readonly labels?: readonly EntryEdit[];
  readonly annotations?: readonly EntryEdit[];
  /** Names as EXPOSE takes them, `80`, `53/udp`, `8000-8010`; values are only present or absent. */
  readonly ports?: readonly EntryEdit[];
  readonly volumes?: readonly EntryEdit[];
  readonly cmd?: CommandEdit;
  readonly entrypoint?: CommandEdit;
  readonly user?: string;
  readonly workdir?: string;
  readonly stopSignal?: string;
  readonly author?: string;
  readonly platform?: Platform;
}

/**
 * The configuration after the edits; rootfs and history stay. A new entrypoint takes the command away, as ENTRYPOINT does,
 * unless a command is given with it. Throws IMG_EDIT for a value that the Dockerfile's instruction would refuse, and for
 * a platform of another system: its layers have another shape.
 */
export function editConfig(config: ImageConfig, edit: ConfigEdit): ImageConfig {
  const { os } = config;
  let inner: ContainerConfig = config.config ?? {};
  if (edit.env) inner = { ...inner, Env: editEnv(inner.Env ?? [], edit.env, os) };
  if (edit.labels) inner = { ...inner, Labels: editMap(inner.Labels ?? {}, edit.labels) };
  if (edit.ports) inner = { ...inner, ExposedPorts: editSet(inner.ExposedPorts ?? {}, edit.ports, portsOf) };
  if (edit.volumes) inner = { ...inner, Volumes: editSet(inner.Volumes ?? {}, edit.volumes, volumeOf) };
  if (edit.entrypoint !== undefined) {
    const { Cmd: _, ...rest } = inner;
    inner = withCommand(rest, "Entrypoint", edit.entrypoint, os);
  }
  if (edit.cmd !== undefined) inner = withCommand(inner, "Cmd", edit.cmd, os);
  if (edit.user !== undefined) inner = withText(inner, "User", edit.user);
  if (edit.workdir !== undefined) inner = withText(inner, "WorkingDir", folderOf(inner.WorkingDir, edit.workdir, os));
  if (edit.stopSignal !== undefined) inner = withText(inner, "StopSignal", signalOf(edit.stopSignal));
  const { author, ...rest } = config;
  const named = edit.author ?? author;
  const platform = edit.platform === undefined ? {} : platformEdit(config, edit.platform);
  return { ...withoutVariant(rest, edit.platform), ...platform, ...(named ? { author: named } : {}), config: inner };
}

/** Names in order, so that the same edits give the same bytes in whatever order they were made; undefined when none is left. */
export function editAnnotations(
  before: Readonly<Record<string, string>> | undefined,
  edits: readonly EntryEdit[] | undefined,
): Readonly<Record<string, string>> | undefined {
  if (edits === undefined) return before;
  const after = editMap(before ?? {}, edits);
  return Object.keys(after).length === 0 ? undefined : after;
}

function editEnv(before: readonly string[], edits: readonly EntryEdit[], os: string): string[] {
  let env = [...before];
  const fold = (text: string) => (os === "windows" ? text.toUpperCase() : text);
  for (const { name, value } of edits) {
    if (name === undefined) env = [];
    else if (value !== undefined) env = setVariable(env, name, value, os);
    else env = env.filter((each) => fold(each.split("=", 1)[0] ?? "") !== fold(name));
  }
  return env;
}

function editMap(before: Readonly<Record<string, string>>, edits: readonly EntryEdit[]): Record<string, string> {
  const after = new Map(Object.entries(before));
  for (const { name, value } of edits) {
    if (name === undefined) after.clear();
    else if (value === undefined) after.delete(name);
    else after.set(name, value);
  }
  return sorted(after);
}

function editSet(
  before: Readonly<Record<string, object>>,
  edits: readonly EntryEdit[],
  namesOf: (text: string) => readonly string[],
): Record<string, object> {
  const after = new Map(Object.entries(before));
  for (const { name, value } of edits) {
    if (name === undefined) after.clear();
    // What is there under an odd spelling can be taken away by that spelling.
    else if (value === undefined) for (const each of after.has(name) ? [name] : namesOf(name)) after.delete(each);
    else for (const each of namesOf(name)) after.set(each, {});
  }
  return sorted(after);
}

function sorted<T>(entries: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function portsOf(text: string): readonly string[] {
  const parsed = parsePorts(text);
  if ("ports" in parsed) return parsed.ports;
  throw refused(`${JSON.stringify(text.slice(0, 100))} is no port`, parsed.problem);
}

function volumeOf(text: string): readonly string[] {
  if (text.trim() !== "") return [text];
  throw refused("a volume cannot be an empty path", "write a path inside the image");
}

function signalOf(text: string): string {
  if (text === "" || isSignal(text)) return text;
  throw refused(`${JSON.stringify(text.slice(0, 100))} is no signal`, "write a name such as SIGTERM or a number");
}

function folderOf(current: string | undefined, text: string, os: string): string {
  if (text === "") return "";
  if (os === "windows") return showWindowsPath(parseWorkdir(text, belowDrive(current)));
  const joined = posix.join("/", text.startsWith("/") ? "" : (current ?? ""), text);
  return joined.length > 1 ? joined.replace(/\/+$/, "") : joined;
}

function withText(config: ContainerConfig, name: "User" | "WorkingDir" | "StopSignal", value: string): ContainerConfig {
  const { [name]: _, ...rest } = config;
  return value === "" ? rest : { ...rest, [name]: value };
}

/** As CMD and ENTRYPOINT do: on Windows a shell form is one string, which ArgsEscaped marks as a whole command line. */
function withCommand(
  config: ContainerConfig,
  name: "Cmd" | "Entrypoint",
  edit: CommandEdit,
  os: string,
): ContainerConfig {
  const { [name]: _, ...without } = config;
  if (edit.length === 0) return without;
  const isLine = typeof edit === "string";
  if (os !== "windows") return { ...without, [name]: isLine ? [...shellOf(config, os), edit] : [...edit] };
  const { ArgsEscaped: __, ...rest } = without;
  const words = isLine ? [`${shellOf(config, os).join(" ")} ${edit}`] : [...edit];
  return { ...rest, [name]: words, ...(isLine ? { ArgsEscaped: true } : {}) };
}

function platformEdit(config: ImageConfig, wanted: Platform): Platform {
  if ((config.os === "windows") !== (wanted.os === "windows") && config.rootfs.diff_ids.length > 0)
    throw refused(
      `layers for ${config.os} cannot become an image for ${formatPlatform(wanted)}`,
      "build it for that system: its layers have another shape",
    );
  return wanted;
}

function withoutVariant<T extends Platform>(config: T, wanted: Platform | undefined): Omit<T, "variant"> | T {
  if (wanted === undefined) return config;
  const { variant: _, ...rest } = config;
  return rest;
}

function refused(message: string, hint: string): WbuildError {
  return new WbuildError("IMG_EDIT", message, { hint });
}
