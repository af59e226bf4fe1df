/** Control groups for one container: made here, joined and removed by the launcher. Version 1, version 2, or neither. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxLimits } from "./spec.ts";

/** Microseconds in which `cpus` is counted. */
const CPU_PERIOD = 100_000;

export interface CgroupHost {
  readonly version: 1 | 2 | 0;
  /** v1: controller → folder of our own group. */
  readonly controllers: ReadonlyMap<string, string>;
  /** v1: controller → folder of the topmost group that we see. */
  readonly tops?: ReadonlyMap<string, string>;
  /** v2: folder of our own group. */
  readonly unified?: string;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** From /proc/self/mountinfo and /proc/self/cgroup (cgroups(7)). A hybrid host counts as 1: its controllers are there. */
export function readCgroups(mountinfo: string, own: string): CgroupHost {
  const paths = new Map<string, string>();
  for (const line of own.split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names !== undefined && path !== undefined) for (const name of names.split(",")) paths.set(name, path);
  }
  const controllers = new Map<string, string>();
  const tops = new Map<string, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ");
    const [, , , root, point] = before?.split(" ") ?? [];
    const [type, , options] = after?.split(" ") ?? [];
    if (root === undefined || point === undefined) continue;
    const within = (path: string) =>
      join(point, path.startsWith(root) ? path.slice(root === "/" ? 0 : root.length) : "");
    if (type === "cgroup2") unified = within(paths.get("") ?? "/");
    if (type !== "cgroup") continue;
    for (const name of options?.split(",") ?? []) {
      const path = paths.get(name);
      if (path === undefined) continue;
      controllers.set(name, within(path));
      tops.set(name, point);
    }
  }
  const version = controllers.size > 0 ? 1 : unified === undefined ? 0 : 2;
  return { version, controllers, tops, ...(unified === undefined ? {} : { unified }) };
}

/** Where this process is among the control groups of its host. Nothing is mounted, and nothing made. */
export function ownCgroups(): CgroupHost {
  return readCgroups(readOrEmpty("/proc/self/mountinfo"), readOrEmpty("/proc/self/cgroup"));
}

/** controller → files to write, in order; a name with `?` is written where it exists. */
function settings(version: 1 | 2, limits: SandboxLimits): Map<string, [file: string, value: string][]> {
  const all = new Map<string, [string, string][]>();
  const { memoryBytes, cpus, pids } = limits;
  if (memoryBytes !== undefined) {
    // As Docker does without --memory-swap: as much swap as memory.
    all.set(
      "memory",
      version === 2
        ? [
            ["memory.max", `${memoryBytes}`],
            ["memory.swap.max?", `${memoryBytes}`],
            ["memory.oom.group?", "1"],
          ]
        : [
            ["memory.limit_in_bytes", `${memoryBytes}`],
            ["memory.memsw.limit_in_bytes?", `${memoryBytes * 2}`],
          ],
    );
  }
  if (cpus !== undefined) {
    const quota = Math.max(1000, Math.round(cpus * CPU_PERIOD));
    all.set(
      "cpu",
      version === 2
        ? [["cpu.max", `${quota} ${CPU_PERIOD}`]]
        : [
            ["cpu.cfs_period_us", `${CPU_PERIOD}`],
            ["cpu.cfs_quota_us", `${quota}`],
          ],
    );
  }
  // The container's own first process counts too.
  if (pids !== undefined && pids > 0) all.set("pids", [["pids.max", `${pids + 1}`]]);
  return all;
}

/** Groups of launchers that were killed: empty, and their maker is no more. */
function sweep(parent: string): void {
  let names: string[] = [];
  try {
    names = readdirSync(parent);
  } catch {
    return;
  }
  for (const name of names) {
    const pid = /^wbuild-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(join(parent, name));
    } catch {
      // Not empty after all, or somebody else was faster.
    }
  }
}

function write(folder: string, file: string, value: string): void {
  const optional = file.endsWith("?");
  const path = join(folder, optional ? file.slice(0, -1) : file);
  if (optional && !existsSync(path)) return;
  writeFileSync(path, value);
}

/**
 * Version 2 forbids processes beside children that have controllers, but not in the root group. So: a group below the root where
 * we may write there, else the nearest group above us that is ours (delegated by systemd) and gives its children controllers.
 */
function unifiedParent(host: CgroupHost, needed: readonly string[], asked: string | undefined): string {
  if (asked !== undefined) return askedParent("/sys/fs/cgroup", asked, needed);
  const own = host.unified ?? "";
  const mount = "/sys/fs/cgroup";
  const errors: string[] = [];
  for (let folder = own; folder.startsWith(mount); folder = join(folder, "..")) {
    const offered = readOrEmpty(join(folder, "cgroup.controllers")).trim().split(/\s+/);
    if (needed.every((name) => offered.includes(name))) {
      try {
        const enabled = readOrEmpty(join(folder, "cgroup.subtree_control")).trim().split(/\s+/);
        const missing = needed.filter((name) => !enabled.includes(name));
        if (missing.length > 0) {
          writeFileSync(join(folder, "cgroup.subtree_control"), missing.map((name) => `+${name}`).join(" "));
        }
        const parent = join(folder, "wbuild");
        mkdirSync(parent, { recursive: true });
        writeFileSync(join(parent, "cgroup.subtree_control"), needed.map((name) => `+${name}`).join(" "));
        return parent;
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    if (folder === mount) break;
  }
  throw new Error(errors[0] ?? `no group offers ${needed.join(", ")}`);
}

/** systemd's slices lie in each other: `a-b.slice` is in `a.slice`. */
function pathOfParent(parent: string): string {
  const slice = /^([^/]+)\.slice$/.exec(parent)?.[1];
  if (slice === undefined || slice === "-") return slice === "-" ? "" : parent;
  const parts = slice.split("-");
  return parts.map((_, i) => `${parts.slice(0, i + 1).join("-")}.slice`).join("/");
}

/** The group that --cgroup-parent names, made where it is missing; in version 2 it gives its children the controllers. */
function askedParent(top: string, parent: string, needed: readonly string[]): string {
  let folder = top;
  const give = () => {
    if (needed.length === 0) return;
    writeFileSync(join(folder, "cgroup.subtree_control"), needed.map((name) => `+${name}`).join(" "));
  };
  // Attack: `../..`, which would make folders outside of the control groups.
  for (const part of pathOfParent(parent).split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") throw new Error(`${parent} is no name of a control group`);
    give();
    folder = join(folder, part);
    mkdirSync(folder, { recursive: true });
  }
  give();
  return folder;
}

/** v1: groups that --cgroup-parent is about also where no limit needs them. */
const usualControllers = ["memory", "cpu", "pids"];

let counter = 0;

/**
 * Makes the groups that the limits ask for and gives their folders; [] when nothing is asked for. A limit that cannot be set
 * is told through `warn`, and the step runs without it.
 */
export function makeCgroups(limits: SandboxLimits, warn: (text: string) => void, host?: CgroupHost): string[] {
  const { cgroupParent: asked } = limits;
  const isLimited = limits.memoryBytes !== undefined || limits.cpus !== undefined || (limits.pids ?? 0) > 0;
  if (!isLimited && asked === undefined) return [];
  const cgroups = host ?? ownCgroups();
  const name = `wbuild-${process.pid}-${counter++}`;
  const folders: string[] = [];
  const make = (parent: string, files: readonly (readonly [string, string])[]) => {
    const folder = join(parent, name);
    sweep(parent);
    mkdirSync(folder);
    folders.push(folder);
    for (const [file, value] of files) write(folder, file, value);
  };
  const wanted = settings(cgroups.version === 2 ? 2 : 1, limits);
  const flags: Record<string, string> = { memory: "--memory", cpu: "--cpus", pids: "--pids-limit" };
  if (cgroups.version === 2) {
    try {
      make(unifiedParent(cgroups, [...wanted.keys()], asked), [...wanted.values()].flat());
    } catch (error) {
      const names = [
        ...(asked === undefined ? [] : ["--cgroup-parent"]),
        ...[...wanted.keys()].map((key) => flags[key]),
      ].join(", ");
      warn(
        `${names} cannot be enforced: ${(error as Error).message} (ordinary users: systemd-run --user --scope -p Delegate=yes wbuild …)`,
      );
      removeCgroups(folders);
      return [];
    }
    return folders;
  }
  const placed = asked === undefined ? [] : usualControllers.filter((name) => cgroups.controllers.has(name));
  for (const controller of new Set([...placed, ...wanted.keys()])) {
    const files = wanted.get(controller) ?? [];
    try {
      const top = asked === undefined ? undefined : cgroups.tops?.get(controller);
      const parent = top === undefined ? cgroups.controllers.get(controller) : askedParent(top, asked ?? "", []);
      if (parent === undefined) throw new Error(`this host has no ${controller} control group`);
      make(parent, files);
    } catch (error) {
      warn(
        `${wanted.has(controller) ? flags[controller] : "--cgroup-parent"} cannot be enforced: ${(error as Error).message}`,
      );
    }
  }
  return folders;
}

/** For when the launcher could not. */
export function removeCgroups(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // Gone already, or not yet empty: the next sweep has it.
    }
  }
}
