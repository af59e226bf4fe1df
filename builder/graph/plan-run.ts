/** RUN → its op: the process, its surroundings, and what is mounted for it. */
import type { Run } from "../dockerfile/instruction.ts";
import { argvOf, commandLineOf } from "../image/config.ts";
import { type PlannedOp, type StageView, systemOf } from "./plan-world.ts";
import { networkOf, proxyEnvOf } from "./run-surroundings.ts";

/** Throws DF_* with the place in the Dockerfile. */
export async function planRun(step: Run, view: StageView): Promise<PlannedOp> {
  const { world, config, scope } = view;
  const { options, source } = world;
  const { os, "os.version": osVersion } = view.platform;
  const isWindows = os === "windows";
  const keyEnv = scope.keyEnv();
  const commandLine = commandLineOf(step.command, config, os);
  const op = {
    kind: "run",
    ...systemOf(view),
    argv: argvOf(step.command, config, os),
    ...(commandLine === undefined ? {} : { commandLine }),
    ...(isWindows && osVersion !== undefined ? { osVersion } : {}),
    env: Object.entries(keyEnv).map(([name, value]) => `${name}=${value}`),
    proxyEnv: proxyEnvOf(scope.runEnv(), keyEnv, os),
    cwd: config.WorkingDir || (isWindows ? "C:\\" : "/"),
    user: config.User ?? "",
    network: networkOf(step, options.network, source),
    extraHosts: options.extraHosts,
    security: "default",
  } as const;
  return { op, more: [] };
}
