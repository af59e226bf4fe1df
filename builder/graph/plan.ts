/** A Dockerfile and a target → build graph. Stages the target does not need are never looked at, nor are their images. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { Named } from "../context/named-contexts.ts";
import type { Dockerfile, Stage, Word } from "../dockerfile/instruction.ts";
import { foreignSyntax } from "../dockerfile/parse.ts";
import { GlobalScope } from "../dockerfile/scope.ts";
import { findStage, neededStages, originOfFrom, StageWaits } from "../dockerfile/stages.ts";
import { parsePlatform, platformOf } from "../image/platform.ts";
import type { BaseImage } from "../image/stored/base-image.ts";
import type { BuildGraph, CopyOp, Node, Target } from "./graph.ts";
import { nodeId } from "./key.ts";
import { locatedAt } from "./located-at.ts";
import type { PlannedStage, PlanOptions, PlanWorld } from "./plan-world.ts";
import { StagePlan } from "./stage-plan.ts";

/** Throws DF_* with the place in the Dockerfile, and what `findBase` throws. */
export async function planBuild(given: Dockerfile, options: PlanOptions): Promise<BuildGraph> {
  const dockerfile = withNamedStages(given, options);
  const target = findStage(dockerfile, options.target);
  const global = new GlobalScope(dockerfile, {
    buildArgs: options.buildArgs,
    buildPlatform: options.buildPlatform,
    targetPlatform: options.targetPlatform,
    ...(options.target === undefined ? {} : { target: options.target }),
  });
  const imageOf = (stage: Stage) => global.expand(stage.from.image, global.lookup);
  const needed = neededStages(dockerfile, target, imageOf);
  const plans = new Map<Stage, Promise<PlannedStage>>();
  const waits = new StageWaits(dockerfile);
  const sources = new Map<string, Promise<{ node: Node; base: BaseImage | undefined }>>();
  const world: PlanWorld = {
    dockerfile,
    source: dockerfile.source,
    options,
    global,
    stageOf: async (stage, by) => {
      if (by !== undefined) waits.note(by, stage);
      return once(plans, stage, () => planStage(world, stage));
    },
    sourceOf: (image, platform) =>
      once(sources, JSON.stringify([image, platform]), () => planSource(options, image, platform)),
  };
  // All base images are looked up side by side; stages then build on each other.
  await Promise.all(needed.map((stage) => world.stageOf(stage)));
  for (const { text, span } of dockerfile.warnings) options.warn(text, span.start.line);
  const syntax = foreignSyntax(global.buildArg("BUILDKIT_SYNTAX"));
  if (syntax !== undefined) options.warn(syntax);
  for (const name of global.unused()) options.warn(`build argument ${name} is not used by any ARG`);
  const plan = await world.stageOf(target);
  warnOfScratch(plan, target, options);
  return { target: withLabels(plan.finish(), options.labels), nodes: nodesOf(plan.node) };
}

/** A stage whose name a context has is that context: nothing of what it says is looked at, nor what it needs. */
export function withNamedStages(dockerfile: Dockerfile, { named }: Pick<PlanOptions, "named">): Dockerfile {
  const stages = dockerfile.stages.map((stage) => {
    if (stage.name === undefined || named?.(stage.name) === undefined) return stage;
    const image = { ...stage.from.image, text: stage.name };
    return { ...stage, from: { ...stage.from, image }, instructions: [] };
  });
  return { ...dockerfile, stages };
}

/** The value under a key, made when it is first asked for. */
function once<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}

/** Windows takes a lowest layer only with the registry's five hives in it; COPY --from and folders as output need none. */
function warnOfScratch({ node, platform }: PlannedStage, stage: Stage, options: PlanOptions): void {
  let bottom = node;
  while (bottom.inputs[0]) bottom = bottom.inputs[0];
  if (platform.os !== "windows" || bottom.op.kind !== "source" || bottom.op.reference !== undefined) return;
  const text =
    "Windows imports an image on scratch only when its first layer brings the hives in Windows/System32/config";
  options.warn(text, stage.from.span.start.line);
}

async function planStage(world: PlanWorld, stage: Stage): Promise<PlannedStage> {
  const { dockerfile, global, options } = world;
  const image = global.expand(stage.from.image, global.lookup);
  const { platform } = stage.from;
  const wanted = platform ? wantedPlatform(platform, world) : options.targetPlatform;
  const origin = originOfFrom(dockerfile, image, stage.index);
  const plan = await StagePlan.begin(world, stage, origin, image, wanted);
  for (const instruction of stage.instructions) await plan.add(instruction);
  return plan;
}

function wantedPlatform(word: Word, world: PlanWorld): Platform {
  const text = world.global.expand(word, world.global.lookup);
  try {
    return parsePlatform(text);
  } catch (error) {
    throw locatedAt(error, word, world);
  }
}

async function planSource(options: PlanOptions, image: string, platform: Platform) {
  if (image === "scratch") return { node: sourceNode([], undefined, platform, "FROM scratch"), base: undefined };
  const named = options.named?.(image);
  if (named?.kind === "files") return { node: filesNode(image, named, platform), base: undefined };
  const base = await options.findBase(image, platform);
  // What the image says of itself: a request without --platform may find one for Windows.
  const own = platformOf(base.config);
  return { node: sourceNode(base.layers, base.reference, own, `FROM ${base.reference}`), base };
}

/** Files without a config as the lowest layer of an image. */
function filesNode(name: string, { label, title }: Named & { kind: "files" }, platform: Platform): Node {
  const empty = sourceNode([], undefined, platform, "FROM scratch");
  const op: CopyOp = {
    kind: "copy",
    ...(platform.os === "windows" ? { os: "windows" } : {}),
    from: "context",
    context: label,
    sources: ["."],
    target: "/",
  };
  return { id: nodeId(op, [empty]), op, inputs: [empty], title: `[context ${name}] ${title}` };
}

function sourceNode(
  layers: BaseImage["layers"],
  reference: string | undefined,
  platform: Platform,
  title: string,
): Node {
  const op = { kind: "source", layers, platform, ...(reference === undefined ? {} : { reference }) } as const;
  return { id: nodeId(op, []), op, inputs: [], title };
}

function withLabels(target: Target, labels: Readonly<Record<string, string>>): Target {
  if (Object.keys(labels).length === 0) return target;
  return { ...target, config: { ...target.config, Labels: { ...target.config.Labels, ...labels } } };
}

/** Inputs before users; of nodes with the same id, the first one met. */
function nodesOf(last: Node): Node[] {
  const found = new Map<string, Node>();
  const todo: { node: Node; leave: boolean }[] = [{ node: last, leave: false }];
  const seen = new Set<string>();
  for (let next = todo.pop(); next; next = todo.pop()) {
    if (next.leave) found.set(next.node.id, next.node);
    else if (!seen.has(next.node.id)) {
      seen.add(next.node.id);
      todo.push({ node: next.node, leave: true });
      for (const input of [...next.node.inputs].reverse()) todo.push({ node: input, leave: false });
    }
  }
  return [...found.values()];
}
