/** User namespaces: how an ordinary user becomes root of a container. The CLI runs itself once more inside one. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants, userInfo } from "node:os";
import type { Duplex, Readable } from "node:stream";
import { WbuildError } from "../error.ts";
import { errnoText } from "./errno.ts";
import { encodeOptions, type LaunchOption, launcherPath } from "./launch.ts";
import { findProgram } from "./programs.ts";

const CAP_SYS_ADMIN = 21n;

export interface IdRange {
  readonly start: number;
  readonly count: number;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Lines of /proc/self/uid_map as numbers: inside, outside, count. */
function idMap(): readonly (readonly number[])[] {
  const lines = readOrEmpty("/proc/self/uid_map").split("\n");
  return lines.filter((line) => line.trim() !== "").map((line) => line.trim().split(/\s+/).map(Number));
}

/** True in any user namespace but the first, also one that somebody else has made (a rootless container). */
export function insideUserNamespace(): boolean {
  const [first] = idMap();
  return first !== undefined && !(first[0] === 0 && first[1] === 0 && first[2] === 4294967295);
}

/** How many user ids exist here: 1 in a single-id map, where nothing can be chowned to anybody else. */
export function mappedIds(): number {
  return idMap().reduce((sum, line) => sum + (line[2] ?? 0), 0);
}

/** False for an ordinary user, and for root of a container without CAP_SYS_ADMIN: then a step needs enterUserNamespace(). */
export function canMakeContainers(): boolean {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readOrEmpty("/proc/self/status"));
  return process.geteuid?.() === 0 && line !== null && ((BigInt(`0x${line[1]}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** The ranges of /etc/subuid or /etc/subgid (see subuid(5)) that belong to a user, by name or by number. */
export function parseIdRanges(text: string, name: string, uid: number): IdRange[] {
  const ranges: IdRange[] = [];
  for (const line of text.split("\n")) {
    const fields = line.trim().split(":");
    const [owner, start, count] = [fields[0], Number(fields[1]), Number(fields[2])];
    if (fields.length !== 3 || (owner !== name && owner !== String(uid))) continue;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(count) || start < 0 || count <= 0) continue;
    if (start + count > 4294967295) continue;
    ranges.push({ start, count });
  }
  return ranges.slice(0, 18);
}

/** Triples for newuidmap: we are 0, the ranges follow from 1. */
export function mapArguments(self: number, ranges: readonly IdRange[]): number[] {
  const all = [0, self, 1];
  let inside = 1;
  for (const { start, count } of ranges) {
    all.push(inside, start, count);
    inside += count;
  }
  return all;
}

/** What maps this user would get; both empty for a single-id map. */
export function ownIdRanges(): { uids: IdRange[]; gids: IdRange[]; newuidmap?: string; newgidmap?: string } {
  const uid = process.getuid?.() ?? 0;
  let name = "";
  try {
    name = userInfo().username;
  } catch {
    // newuidmap refuses to work for a uid without a passwd entry, also where ranges name it by number.
    return { uids: [], gids: [] };
  }
  const uids = parseIdRanges(readOrEmpty("/etc/subuid"), name, uid);
  const gids = parseIdRanges(readOrEmpty("/etc/subgid"), name, uid);
  const newuidmap = findProgram("newuidmap");
  const newgidmap = findProgram("newgidmap");
  if (uids.length === 0 || gids.length === 0 || newuidmap === undefined || newgidmap === undefined) {
    return { uids: [], gids: [] };
  }
  return { uids, gids, newuidmap, newgidmap };
}

/**
 * Runs a command (usually `[process.execPath, …process.execArgv, …process.argv.slice(1)]`) as root of a new user namespace, on
 * our own terminal and streams, and resolves to its exit code (128 + number after a signal). With ranges in /etc/subuid
 * and /etc/subgid all of them are mapped, else only this user, as root.
 * Afterwards the command finds canMakeContainers() true and everything else as it is for root.
 * Throws BOX_NAMESPACE, BOX_ID_MAP, BOX_NOT_BUILT, BOX_COMMAND.
 */
export async function enterUserNamespace(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const { uids, gids, newuidmap, newgidmap } = ownIdRanges();
  const options: LaunchOption[] = [];
  if (newuidmap !== undefined && newgidmap !== undefined) {
    options.push(["map.newuidmap", newuidmap], ["map.newgidmap", newgidmap]);
    for (const value of mapArguments(process.getuid?.() ?? 0, uids)) options.push(["map.uid", value]);
    for (const value of mapArguments(process.getgid?.() ?? 0, gids)) options.push(["map.gid", value]);
  }
  const [program, ...rest] = argv;
  const path = program?.startsWith("/") ? program : findProgram(program ?? "");
  if (path === undefined) throw new WbuildError("BOX_COMMAND", `cannot find the program ${program ?? ""}`);
  for (const arg of [path, ...rest]) options.push(["arg", arg]);
  for (const [name, value] of Object.entries(env)) if (value !== undefined) options.push(["env", `${name}=${value}`]);

  const child = spawn(launcherPath(), ["userns", "3", "4"], {
    stdio: ["inherit", "inherit", "inherit", "pipe", "pipe"],
    env: {},
  });
  const control = child.stdio[3] as Duplex;
  const report = child.stdio[4] as Readable;
  let told = "";
  control.on("error", () => {});
  report.setEncoding("utf8");
  report.on("data", (text: string) => {
    told += text;
  });
  // A terminal sends its signals to both of us; what was sent to us alone is passed on.
  const pass = (signal: NodeJS.Signals) => {
    if (signal !== "SIGINT" || !(process.stdin.isTTY || process.stdout.isTTY)) child.kill(signal);
  };
  const passed: NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of passed) process.on(signal, pass);
  try {
    control.write(encodeOptions(options));
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on("error", (cause) =>
        reject(new WbuildError("BOX_NOT_BUILT", `cannot start ${launcherPath()}`, { cause })),
      );
      child.on("close", (...how) => resolve(how));
    });
    if (told !== "") throw mapFailure(told);
    return code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 9);
  } finally {
    for (const each of passed) process.off(each, pass);
    control.destroy();
  }
}

function mapFailure(report: string): WbuildError {
  const line = JSON.parse(report.split("\n")[0] ?? "{}") as {
    code?: string;
    operation?: string;
    path?: string;
    errno?: number;
  };
  const restricted = readOrEmpty("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() === "1";
  const code = line.code === "BOX_NAMESPACE" || line.code === "BOX_COMMAND" ? line.code : "BOX_ID_MAP";
  return new WbuildError(code, `cannot ${line.operation} ${line.path}: ${errnoText(line.errno ?? 0)}`, {
    facts: { ...line },
    hint: restricted
      ? "AppArmor forbids user namespaces here: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
      : "run as root, or see `wbuild doctor` for what an ordinary user needs on this host",
  });
}
