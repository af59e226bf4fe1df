/** COPY and ADD → their op, and the node they copy from. */
import type { SourceText } from "../diagnose/source.ts";
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
  refuseUncarried(step, source);
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

/** What no step carries out yet: refused, never skipped. */
function refuseUncarried(step: Copy, source: SourceText): void {
  const refuse = (what: string, isThere: boolean): void => {
    if (!isThere) return;
    throw dockerfileError("DF_UNSUPPORTED_FLAG", `${step.kind} ${what} is not supported yet`, {
      span: step.span,
      source,
    });
  };
  refuse("--link", step.link === true);
  refuse("--parents", step.parents === true);
  refuse("--exclude", step.exclude !== undefined);
  refuse("--checksum", step.checksum !== undefined);
  refuse("--keep-git-dir", step.keepGitDir === true);
  refuse("--unpack", step.unpack !== undefined);
  refuse("with a here-document", step.documents !== undefined);
}
