/** The build checks of one request: what they need of the world around the Dockerfile, and what becomes of their findings. */
import type { Platform } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import type { BuildRequest } from "../build-request.ts";
import type { Place } from "../dockerfile/errors.ts";
import type { IgnoreFile } from "../dockerfile/ignore.ts";
import type { Dockerfile, Stage } from "../dockerfile/instruction.ts";
import { hostPlatform, platformOf } from "../image/platform.ts";
import type { BaseImage } from "../image/stored/base-image.ts";
import type { Report } from "../progress/events.ts";
import { checkDockerfile } from "./check.ts";
import { type Finding, ruleNames, ruleUrl } from "./rule.ts";
import { isWanted, parseSettings, type Settings, settingsArgument } from "./settings.ts";
import type { BaseFacts } from "./walk.ts";

/** What a check asks, beside the request. */
export interface CheckWorld {
  readonly targets: readonly Platform[];
  /** The stages to look into. */
  readonly stages: (target: Platform) => readonly Stage[];
  /** Asked for only when a check wants it. */
  readonly ignore: () => Promise<IgnoreFile | undefined>;
  /** Undefined: nothing is known of that image. */
  readonly baseOf: (image: string, platform: Platform, target: Platform) => Promise<BaseImage | undefined>;
}

/** Where the directive stands, or the first line, when a build argument takes its place. */
function placeOf(dockerfile: Dockerfile): Place {
  const start = { line: 1, column: 1 };
  return { span: dockerfile.check?.span ?? { start, end: start }, source: dockerfile.source };
}

/** What the directive says, or the build argument instead of it. Throws DF_CHECK_OPTION. */
function settingsOf(dockerfile: Dockerfile, request: BuildRequest): Settings {
  const given = request.buildArgs[settingsArgument];
  return parseSettings(given ?? dockerfile.check?.text ?? "", placeOf(dockerfile));
}

/** For each platform; what several find is told once. Throws DF_CHECK_OPTION, and what looking bases up throws. */
export async function checkRequest(
  dockerfile: Dockerfile,
  request: BuildRequest,
  world: CheckWorld,
): Promise<Finding[]> {
  const settings = settingsOf(dockerfile, request);
  if (!ruleNames.some((rule) => isWanted(settings, rule))) return [];
  const ignore = isWanted(settings, "CopyIgnoredFile") ? await world.ignore() : undefined;
  const found = new Map<string, Finding>();
  for (const targetPlatform of world.targets) {
    const findings = await checkDockerfile(dockerfile, {
      settings,
      ignore,
      scope: {
        buildArgs: request.buildArgs,
        buildPlatform: hostPlatform(),
        targetPlatform,
        ...(request.target === undefined ? {} : { target: request.target }),
      },
      stages: world.stages(targetPlatform),
      isPlatformChosen: (request.platforms ?? []).length > 0,
      baseOf: async (image, platform) => factsOf(await world.baseOf(image, platform, targetPlatform)),
    });
    for (const finding of findings) found.set(JSON.stringify(finding), finding);
  }
  return [...found.values()].sort((a, b) => a.span.start.line - b.span.start.line);
}

function factsOf(base: BaseImage | undefined): BaseFacts | undefined {
  if (base === undefined) return undefined;
  const { Env, Shell, OnBuild } = base.config.config ?? {};
  return {
    platform: platformOf(base.config),
    env: Env ?? [],
    hasShell: (Shell ?? []).length > 0,
    triggers: OnBuild ?? [],
  };
}

/** Findings that a build tells of: more are of one kind mostly, and `--check` shows them. */
const mostReported = 200;

/** Tells of them as warnings of the build. */
export function reportFindings(findings: readonly Finding[], file: string, report: Report): void {
  for (const { rule, message, span } of findings.slice(0, mostReported)) {
    const url = ruleUrl(rule);
    report({
      kind: "warning",
      text: `${rule}: ${message}`,
      span: { file, line: span.start.line },
      rule,
      ...(url === undefined ? {} : { url }),
      at: Date.now(),
    });
  }
}

/** DF_CHECK where `check=error=true` makes findings fail the build; it names every check and line. */
export function failOnFindings(findings: readonly Finding[], dockerfile: Dockerfile, request: BuildRequest): void {
  if (findings.length === 0 || !settingsOf(dockerfile, request).isError) return;
  const { span, source } = placeOf(dockerfile);
  const byRule = ruleNames.flatMap((rule) => {
    const lines = findings.filter((finding) => finding.rule === rule).map((finding) => finding.span.start.line);
    return lines.length === 0 ? [] : [`${rule} (line ${[...new Set(lines)].join(", ")})`];
  });
  throw new WbuildError("DF_CHECK", `build checks found something: ${byRule.join(", ")}`, {
    facts: { file: source.name, span, rules: [...new Set(findings.map(({ rule }) => rule))] },
    hint: "`wbuild build --check` shows the lines; `# check=skip=NAME` leaves a check out",
  });
}
