/** COPY and ADD → their op, and the node they copy from. */
import type { SourceText } from "../diagnose/source.ts";
import { dockerfileError, quoted } from "../dockerfile/errors.ts";
import { readExclude } from "../dockerfile/ignore-pattern.ts";
import type { Copy } from "../dockerfile/instruction.ts";
import { fetchedBy } from "./fetched.ts";
import { fromNode } from "./from-node.ts";
import type { Op } from "./graph.ts";
import { copyDocuments } from "./here-documents.ts";
import { copyPaths, parseMode } from "./paths.ts";
import { type PlannedOp, type StageView, systemOf } from "./plan-world.ts";
import { checkWindowsFlags } from "./windows-flags.ts";

/** Throws DF_* with the place in the Dockerfile. */
export async function planCopy(step: Copy, view: StageView): Promise<PlannedOp> {
  const { world, platform, config } = view;
  const { source } = world;
  const { local, fetched } = fetchedBy(step, view);
  if (platform.os === "windows") checkWindowsFlags(step, source);
  // Windows' layers cannot be made apart from those below: names are found there in whatever case, hives are merged.
  const isLink = step.link === true && platform.os !== "windows";
  if (isLink) checkLinkOwner(step, source);
  const named = step.from && world.options.named?.(step.from.text);
  const context = named?.kind === "files" ? named.label : undefined;
  const isFromNode = step.from !== undefined && context === undefined;
  const from = isFromNode ? await fromNode(view, step.from, `${step.kind} --from`) : undefined;
  const op: Op = {
    kind: step.kind === "ADD" ? "add" : "copy",
    ...systemOf(view),
    from: from ? "node" : "context",
    ...(from?.os === "windows" ? { fromOs: "windows" } : {}),
    ...(context === undefined ? {} : { context }),
    ...copyPaths(local, config.WorkingDir, { os: platform.os, fromOs: from?.os }, source),
    ...(step.chown === undefined ? {} : { chown: step.chown.text }),
    ...(step.chmod === undefined ? {} : { chmod: parseMode(step.chmod, source) }),
    ...(step.parents ? { parents: true } : {}),
    ...(step.exclude === undefined ? {} : { exclude: excludePatterns(step, [platform.os, from?.os], source) }),
    ...(step.unpack === undefined ? {} : { unpack: step.unpack }),
    ...(fetched.length === 0 ? {} : { fetched }),
    ...copyDocuments(step, platform.os, source),
  };
  const more = from ? [from.node] : [];
  return isLink ? { op, more, apart: (await world.sourceOf("scratch", platform)).node } : { op, more };
}

/** On what it stands is not looked at, and so no account file: only numbers are known, and root. */
function checkLinkOwner({ kind, chown }: Copy, source: SourceText): void {
  if (chown === undefined || /^(\d+|root)?(:(\d+|root)?)?$/.test(chown.text)) return;
  throw dockerfileError(
    "DF_CHOWN",
    `${kind} --link cannot find the account ${quoted(chown.text)}: it does not look at what lies below`,
    { span: chown.span, source },
    { facts: { found: chown.text }, hint: "give numbers, such as --chown=1000:1000, or leave --link out" },
  );
}

/** Patterns of --exclude; where names are Windows', backslashes separate. Throws DF_EXCLUDE. */
function excludePatterns(step: Copy, systems: readonly (string | undefined)[], source: SourceText): string[] {
  return (step.exclude ?? []).map(({ text, span }) => {
    const pattern = systems.includes("windows") ? text.replaceAll("\\", "/") : text;
    if (pattern.trim() === "" || readExclude(pattern)) return pattern;
    throw dockerfileError(
      "DF_EXCLUDE",
      `${quoted(text)} is no pattern`,
      { span, source },
      { facts: { found: text }, hint: "a [ must be closed, and a \\ needs a character behind it" },
    );
  });
}
