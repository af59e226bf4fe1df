/** RUN → its op: the process, its surroundings, and what is mounted for it. */
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError } from "../dockerfile/errors.ts";
import type { Run, Word } from "../dockerfile/instruction.ts";
import { argvOf, commandLineOf } from "../image/config.ts";
import { type PlannedOp, type StageView, systemOf } from "./plan-world.ts";
import { networkOf, proxyEnvOf } from "./run-surroundings.ts";

/** Throws DF_* with the place in the Dockerfile. */
export async function planRun(step: Run, view: StageView): Promise<PlannedOp> {
  const { world, config, scope } = view;
  const { options, source } = world;
  refuseUncarried(step, source);
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

/** What no step carries out yet: refused, never skipped. */
function refuseUncarried({ mounts, devices, documents }: Run, source: SourceText): void {
  const refuse = (what: string, words: readonly Pick<Word, "span">[] | undefined): void => {
    const [first] = words ?? [];
    if (first === undefined) return;
    throw dockerfileError("DF_UNSUPPORTED_FLAG", `RUN ${what} is not supported yet`, { span: first.span, source });
  };
  refuse("--mount", mounts);
  refuse("--device", devices);
  refuse("with a here-document", documents);
}
