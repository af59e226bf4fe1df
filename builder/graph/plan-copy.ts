/** COPY and ADD → their op, and the node they copy from. */
import { dockerfileError } from "../dockerfile/errors.ts";
import type { Copy } from "../dockerfile/instruction.ts";
import { fromNode } from "./from-node.ts";
import type { Op } from "./graph.ts";
import { copyPaths, parseMode } from "./paths.ts";
import { type PlannedOp, type PlanWorld, type StageView, systemOf } from "./plan-world.ts";
import { checkWindowsFlags } from "./windows-flags.ts";

/** Throws DF_* with the place in the Dockerfile. */
export async function planCopy(step: Copy, view: StageView): Promise<PlannedOp> {
  const { world, platform, config } = view;
  const { source } = world;
  if (step.kind === "ADD") refuseRemote(step, world);
  if (platform.os === "windows") checkWindowsFlags(step, source);
  const from = step.from ? await fromNode(view, step.from, `${step.kind} --from`) : undefined;
  const op: Op = {
    kind: step.kind === "ADD" ? "add" : "copy",
    ...systemOf(view),
    from: from ? "node" : "context",
    ...(from?.os === "windows" ? { fromOs: "windows" } : {}),
    ...copyPaths(step, config.WorkingDir, { os: platform.os, fromOs: from?.os }, source),
    ...(step.chown === undefined ? {} : { chown: step.chown.text }),
    ...(step.chmod === undefined ? {} : { chmod: parseMode(step.chmod, source) }),
  };
  return { op, more: from ? [from.node] : [] };
}

/** Docker fetches these; to look for a file of that name instead would be a riddle. */
function refuseRemote(step: Copy, world: PlanWorld): void {
  for (const { text, span } of step.sources) {
    if (!/^(https?:\/\/|git:\/\/|git@|ssh:\/\/)/.test(text)) continue;
    throw dockerfileError(
      "DF_UNSUPPORTED_URL",
      "ADD does not fetch URLs or git repositories yet",
      { span, source: world.source },
      { facts: { source: text }, hint: "fetch it in a RUN, or before the build, and COPY it" },
    );
  }
}
