/** Times of an image: when its steps ran, not when it was put together, so that a cached build gives the same image. */
import type { ContainerConfig, History, ImageConfig } from "../../registry/oci/image.ts";
import type { Target } from "../graph/graph.ts";
import type { Solved } from "./solver.ts";

/** The image's configuration but for rootfs, which the layers decide. */
export function imageConfig(
  target: Target,
  solved: (node: NonNullable<Target["history"][number]["node"]>) => Solved,
  epochSeconds: number | undefined,
): Omit<ImageConfig, "rootfs"> {
  const limit = (ms: number) =>
    new Date(epochSeconds === undefined ? ms : Math.min(ms, epochSeconds * 1000)).toISOString();
  // What stands before the first step of ours was not made with the base, but with that step.
  const first = target.history.find((line) => line.node)?.node;
  let last = first ? limit(solved(first).createdMs) : target.baseCreated;
  const history: History[] = target.history.map((line) => {
    if (line.node) last = limit(solved(line.node).createdMs);
    return {
      ...(last === undefined ? {} : { created: last }),
      created_by: line.createdBy,
      comment: line.comment,
      ...(line.author === undefined ? {} : { author: line.author }),
      ...(line.node ? {} : { empty_layer: true }),
    };
  });
  const { platform } = target;
  return {
    ...(last === undefined ? {} : { created: last }),
    ...(target.author === undefined ? {} : { author: target.author }),
    ...platform,
    config: inOrder(target.config),
    history: [...target.baseHistory, ...history],
  };
}

/** As Docker's own structure has them. */
const fieldOrder: readonly (keyof ContainerConfig)[] = [
  "User",
  "ExposedPorts",
  "Env",
  "Cmd",
  "Healthcheck",
  "ArgsEscaped",
  "Volumes",
  "WorkingDir",
  "Entrypoint",
  "OnBuild",
  "Labels",
  "StopSignal",
  "Shell",
];

/** The order of a Dockerfile's lines does not show: equal configurations are equal bytes. Foreign fields come last. */
function inOrder(config: ContainerConfig): ContainerConfig {
  const known = fieldOrder.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]] as const]));
  return { ...Object.fromEntries(known), ...config };
}
