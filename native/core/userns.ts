/** User namespaces: how an ordinary user becomes root of a container. The CLI runs itself once more inside one. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import type { Duplex, Readable } from "node:stream";
import { isWbuildError, WbuildError } from "../error.ts";
import { errnoText } from "./errno.ts";
import { ownIdMap } from "./id-ranges.ts";
import { encodeOptions, type LaunchOption, launcherPath } from "./launch.ts";
import { findProgram } from "./programs.ts";

const CAP_SYS_ADMIN = 21n;

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

/**
 * Runs a command (usually `[process.execPath, …process.execArgv, …process.argv.slice(1)]`) as root of a new user namespace, on
 * our own terminal and streams, and resolves to its exit code (128 + number after a signal). With ranges in /etc/subuid
 * and /etc/subgid all of them are mapped; without, or with a warning where newuidmap fails, only this user, as root.
 * Afterwards the command finds canMakeContainers() true and everything else as it is for root.
 * Throws BOX_NAMESPACE, BOX_ID_MAP, BOX_NOT_BUILT, BOX_COMMAND.
 */
export async function enterUserNamespace(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  warn: (text: string) => void = () => {},
): Promise<number> {
  const [program, ...rest] = argv;
  const path = program?.startsWith("/") ? program : findProgram(program ?? "");
  if (path === undefined) throw new WbuildError("BOX_COMMAND", `cannot find the program ${program ?? ""}`);
  const command: LaunchOption[] = [path, ...rest].map((arg) => ["arg", arg]);
  for (const [name, value] of Object.entries(env)) if (value !== undefined) command.push(["env", `${name}=${value}`]);
  const map = ownIdMap();
  try {
    return await execute([...map, ...command], "inherit");
  } catch (error) {
    if (map.length === 0 || !isWbuildError(error) || error.code !== "BOX_ID_MAP") throw error;
    warn(`${error.message}: this user goes on with a single id (\`wbuild doctor\` says more)`);
    return await execute(command, "inherit");
  }
}

/** Tries to map all of this user's ids. Throws BOX_NAMESPACE, BOX_ID_MAP, BOX_NOT_BUILT. */
export async function tryIdRanges(): Promise<void> {
  await execute([...ownIdMap(), ["arg", "/bin/true"]], "ignore");
}

async function execute(options: readonly LaunchOption[], streams: "inherit" | "ignore"): Promise<number> {
  const child = spawn(launcherPath(), ["userns", "3", "4"], {
    stdio: [streams, streams, streams, "pipe", "pipe"],
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
    if (told !== "") throw await mapFailure(told);
    return code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 9);
  } finally {
    for (const each of passed) process.off(each, pass);
    control.destroy();
  }
}

async function mapFailure(report: string): Promise<WbuildError> {
  const line = JSON.parse(report.split("\n")[0] ?? "{}") as {
    code?: string;
    operation?: string;
    path?: string;
    errno?: number;
  };
  const facts = { ...line };
  if (line.code === "BOX_NAMESPACE") {
    const { userNamespaceLack } = await import("./userns-lack.ts");
    const { why, remedy } = userNamespaceLack(line.errno ?? 0);
    return new WbuildError("BOX_NAMESPACE", `cannot make a user namespace: ${why}`, { facts, hint: remedy });
  }
  const code = line.code === "BOX_COMMAND" ? line.code : "BOX_ID_MAP";
  return new WbuildError(code, `cannot ${line.operation} ${line.path}: ${errnoText(line.errno ?? 0)}`, {
    facts,
    hint: "run as root, or see `wbuild doctor` for what an ordinary user needs on this host",
  });
}
