/** RUN → its op: the process, its surroundings, and what is mounted for it. */
import type { Run } from "../dockerfile/instruction.ts";
import { argvOf, commandLineOf } from "../image/config/config.ts";
import type { RunOp } from "./graph.ts";
import { doubtfulText, runScript } from "./here-documents.ts";
import { planMounts } from "./plan-mounts.ts";
import { type PlannedOp, type StageView, systemOf } from "./plan-world.ts";
import { devicesOf, networkOf, proxyEnvOf, securityOf } from "./run-surroundings.ts";

/** Throws DF_* with the place in the Dockerfile. */
export async function planRun(step: Run, view: StageView): Promise<PlannedOp> {
  const { world, config, scope } = view;
  const { options, source } = world;
  const { os, "os.version": osVersion, architecture, variant } = view.platform;
  const machine = variant ? `${architecture}/${variant}` : architecture;
  const isWindows = os === "windows";
  const keyEnv = scope.keyEnv();
  const { command, files } = runScript(step, config, os, source);
  const doubtful = doubtfulText(step, files, os);
  if (doubtful !== undefined) options.warn(doubtful, step.span.start.line);
  const commandLine = commandLineOf(command, config, os);
  const { mounts, more } = await planMounts(step, view);
  const devices = devicesOf(step, options, source, os);
  const hostname = world.global.buildArg("BUILDKIT_SANDBOX_HOSTNAME");
  const op: RunOp = {
    kind: "run",
    ...systemOf(view),
    argv: argvOf(command, config, os),
    ...(commandLine === undefined ? {} : { commandLine }),
    ...(isWindows && osVersion !== undefined ? { osVersion } : {}),
    ...(machine === "amd64" ? {} : { architecture: machine }),
    env: Object.entries(keyEnv).map(([name, value]) => `${name}=${value}`),
    proxyEnv: proxyEnvOf(scope.runEnv(), keyEnv, os),
    cwd: config.WorkingDir || (isWindows ? "C:\\" : "/"),
    user: config.User ?? "",
    network: networkOf(step, options, source),
    extraHosts: options.extraHosts,
    security: securityOf(step, options, source),
    ...(hostname ? { hostname } : {}),
    ...(mounts.length > 0 ? { mounts } : {}),
    ...files,
    ...(devices.length > 0 ? { devices } : {}),
  };
  return { op, more };
}
