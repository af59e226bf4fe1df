/**
 * The build checks of a parsed Dockerfile: everything that is worth a warning and no reason to refuse it. What they know of
 * base images and the ignore file is handed in; no instruction is carried out.
 */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import type { IgnoreFile } from "../dockerfile/ignore.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import { GlobalScope, type ScopeOptions } from "../dockerfile/scope.ts";
import { originOfFrom } from "../dockerfile/stages.ts";
import { parsePlatform } from "../image/platform.ts";
import { checkAsCasing, checkInstructionCasing } from "./casing.ts";
import { checkCommandForm, checkOnce } from "./commands.ts";
import { checkForms } from "./forms.ts";
import { checkBasePlatform, checkDefaults, checkFromWords } from "./from.ts";
import { checkContinuations, checkDescriptions } from "./lines.ts";
import { checkIgnored, checkWorkdir } from "./paths.ts";
import { checkPorts } from "./ports.ts";
import { type Finding, ruleNames } from "./rule.ts";
import { isWanted, type Settings } from "./settings.ts";
import { checkStageNames } from "./stage-names.ts";
import { checkVariables } from "./variables.ts";
import { type BaseFacts, type WalkedStage, walkStage } from "./walk.ts";

export interface CheckOptions {
  readonly settings: Settings;
  readonly scope: ScopeOptions;
  /** The stages that are looked into, in the order of the file: all, or those that the target needs. */
  readonly stages: readonly Stage[];
  /** The target platform was asked for: a base that is made for another one is worth a word. */
  readonly isPlatformChosen: boolean;
  readonly ignore?: IgnoreFile | undefined;
  /** Undefined: nothing is known of that image. */
  readonly baseOf: (image: string, platform: Platform) => Promise<BaseFacts | undefined>;
}

/** In the order of the file; of one line, in the order of Docker's list. Throws only what `baseOf` throws. */
export async function checkDockerfile(dockerfile: Dockerfile, options: CheckOptions): Promise<Finding[]> {
  const found = [
    ...checkStageNames(dockerfile),
    ...checkAsCasing(dockerfile),
    ...checkInstructionCasing(dockerfile),
    ...checkContinuations(dockerfile),
    ...checkDescriptions(dockerfile),
    ...checkDefaults(dockerfile, options.scope),
    ...checkMaintainers(dockerfile),
  ];
  const global = globalScope(dockerfile, options.scope);
  if (global !== undefined) {
    found.push(...checkFromWords(dockerfile, global));
    found.push(...(await checkStages(dockerfile, global, options)));
  }
  const wanted = found.filter(({ rule }) => isWanted(options.settings, rule));
  return unique(wanted).sort(
    (a, b) => a.span.start.line - b.span.start.line || ruleNames.indexOf(a.rule) - ruleNames.indexOf(b.rule),
  );
}

/** Told of every stage: it is a keyword that should not be there. */
function checkMaintainers({ stages }: Dockerfile): Finding[] {
  return stages.flatMap(({ instructions }) =>
    instructions.flatMap((instruction) => (instruction.kind === "MAINTAINER" ? checkForms(instruction) : [])),
  );
}

/** Undefined where an ARG before the first FROM cannot be expanded: the plan tells of that. */
function globalScope(dockerfile: Dockerfile, options: ScopeOptions): GlobalScope | undefined {
  try {
    return new GlobalScope(dockerfile, options);
  } catch {
    return undefined;
  }
}

async function checkStages(dockerfile: Dockerfile, global: GlobalScope, options: CheckOptions): Promise<Finding[]> {
  const origins = options.stages.map((stage) => originOf(dockerfile, global, stage, options));
  // Side by side: each is a question to a registry.
  const bases = await Promise.all(
    origins.map((origin) => (origin.image === undefined ? undefined : options.baseOf(origin.image, origin.platform))),
  );
  // By number: a stage of the list may stand for the file's, where a context has its name.
  const walked = new Map<number, WalkedStage>();
  return options.stages.flatMap((stage, index) => {
    const { image, earlier, platform, isChosen } = origins[index] as StageOrigin;
    const base = bases[index];
    const walk = walkStage(dockerfile, global, stage, earlier ? walked.get(earlier.index) : base, platform);
    walked.set(stage.index, walk);
    return [
      ...(base && image !== undefined && isChosen ? checkBasePlatform(stage.from, image, base.platform, platform) : []),
      ...checkOnce(stage),
      ...walk.moments.flatMap((moment) => [
        ...(moment.raw.kind === "MAINTAINER" ? [] : checkForms(moment.raw)),
        ...checkCommandForm(moment),
        ...checkVariables(moment),
        ...checkWorkdir(moment),
        ...checkPorts(moment),
        ...checkIgnored(moment, options.ignore),
      ]),
    ];
  });
}

interface StageOrigin {
  readonly image?: string;
  readonly earlier?: Stage;
  readonly platform: Platform;
  readonly isChosen: boolean;
}

function originOf(dockerfile: Dockerfile, global: GlobalScope, stage: Stage, options: CheckOptions): StageOrigin {
  const { platform: word, image } = stage.from;
  const usual = { platform: options.scope.targetPlatform, isChosen: options.isPlatformChosen };
  try {
    const chosen =
      word === undefined ? usual : { platform: parsePlatform(global.expand(word, global.lookup)), isChosen: true };
    const origin = originOfFrom(dockerfile, global.expand(image, global.lookup), stage.index);
    if (origin.kind === "stage") return { ...chosen, earlier: origin.stage };
    return origin.kind === "image" && origin.name !== "" ? { ...chosen, image: origin.name } : chosen;
  } catch {
    return usual;
  }
}

/** A check may meet the same thing twice. */
function unique(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of findings) {
    const { rule, message, span } = finding;
    const key = JSON.stringify([rule, message, span.start.line]);
    if (!seen.has(key)) seen.set(key, finding);
  }
  return [...seen.values()];
}
