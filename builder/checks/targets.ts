/** `--call=targets`: the stages that a Dockerfile can be built up to. */

import { harmless } from "../diagnose/render.ts";
import type { Dockerfile } from "../dockerfile/instruction.ts";
import { commentsAbove, descriptionOf } from "./lines.ts";
import { columns, dataOf, type Location, locationOf } from "./location.ts";

/** As BuildKit answers `frontend.targets`. */
export interface TargetList {
  readonly targets: readonly {
    readonly name?: string;
    readonly default?: true;
    /** Of the comment above its FROM. */
    readonly description?: string;
    /** As FROM says it, variables and all. */
    readonly base: string;
    readonly platform?: string;
    readonly location: Location;
  }[];
  readonly sources: readonly string[];
}

export function targetsOf(dockerfile: Dockerfile): TargetList {
  const above = commentsAbove(dockerfile);
  const targets = dockerfile.stages.map(({ index, from }) => {
    const description = from.as === undefined ? undefined : descriptionOf(above(from), from.as);
    return {
      ...(from.as === undefined ? {} : { name: from.as }),
      ...(index === dockerfile.stages.length - 1 ? { default: true as const } : {}),
      ...(description === undefined ? {} : { description }),
      base: from.image.text,
      ...(from.platform === undefined ? {} : { platform: from.platform.text }),
      location: locationOf(from.span),
    };
  });
  return { targets, sources: [dataOf(dockerfile.source)] };
}

export function printTargets({ targets }: TargetList): string {
  const rows = targets.map(({ name, default: isDefault, description = "" }) => {
    const shown = name === undefined ? (isDefault ? "(default)" : "") : isDefault ? `${name} (default)` : name;
    return [shown, harmless(description)];
  });
  return columns([["TARGET", "DESCRIPTION"], ...rows], 1);
}
