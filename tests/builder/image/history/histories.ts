/** Images that are only a config and a history. */
import { expandInstruction } from "../../../../builder/dockerfile/expand.ts";
import type { Instruction } from "../../../../builder/dockerfile/instruction.ts";
import { parseDockerfile } from "../../../../builder/dockerfile/parse.ts";
import { GlobalScope, StageScope } from "../../../../builder/dockerfile/scope.ts";
import { applyInstruction, baseConfig } from "../../../../builder/image/config/config.ts";
import { createdBy, historyComment } from "../../../../builder/image/history/created-by.ts";
import type { ContainerConfig, History, Image } from "../../../../registry/oci/image.ts";

const platform = { os: "linux", architecture: "amd64" };

export function imageOf(config: ContainerConfig, history: readonly History[], author?: string, os = "linux"): Image {
  const descriptor = { mediaType: "m", digest: `sha256:${"0".repeat(64)}` as const, size: 1 };
  return {
    descriptor,
    manifest: { schemaVersion: 2, mediaType: "m", config: descriptor, layers: [] },
    config: {
      ...platform,
      os,
      config,
      history,
      rootfs: { type: "layers", diff_ids: [] },
      ...(author ? { author } : {}),
    },
  };
}

/** What wbuild itself would make of a Dockerfile's last stage: config and history. */
export function build(text: string, os = "linux"): Image {
  const source = { name: "Dockerfile", text };
  const dockerfile = parseDockerfile(source);
  const scope = new StageScope(
    new GlobalScope(dockerfile, { buildPlatform: platform, targetPlatform: platform }),
    baseConfig(os).Env ?? [],
    undefined,
    os,
  );
  let config = baseConfig(os);
  let cmdSet = false;
  const history: History[] = [];
  for (const instruction of dockerfile.stages.at(-1)!.instructions) {
    const declared = instruction.kind === "ARG" ? scope.declare(instruction) : [];
    const expanded: Instruction = expandInstruction(instruction, scope.lookup, { escape: dockerfile.escape, source });
    if (expanded.kind === "ENV") scope.setEnv(expanded.pairs);
    config = applyInstruction(config, expanded, { os, cmdSet, source });
    if (expanded.kind === "CMD") cmdSet = true;
    const said = createdBy(expanded, { config, os, args: scope.historyArgs(), declared });
    if (said !== undefined)
      history.push({
        created: "2024-01-01T00:00:00Z",
        created_by: said,
        comment: historyComment,
        ...(/^(RUN|COPY|ADD|WORKDIR)/.test(said) ? {} : { empty_layer: true }),
      });
  }
  return imageOf(config, history, undefined, os);
}
