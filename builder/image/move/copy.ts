/** An image from one place to another: what `copy` does, told like a step. */
import type { Platform } from "../../../layerfs/store/descriptor.ts";
import type { RegistryClient } from "../../../registry/client.ts";
import type { CopyResult } from "../../../registry/copy/copy.ts";
import type { Report } from "../../progress/events.ts";
import { choosePlatform, chooseUsual } from "../platform.ts";
import { toldAsStep, warnLeftOut } from "../told-step.ts";
import { formatPlace, openSource, openTarget, type Place, type PlaceWorld } from "./copy-place.ts";

export interface CopyPlacesOptions {
  readonly report: Report;
  /** Of an index this image alone; absent: the index with all its images, but for targets that hold one. */
  readonly platform?: Platform;
  /** Asks the source's registry, where it is not to be asked like others. */
  readonly sourceClient?: RegistryClient;
  readonly includeReferrers?: boolean;
  readonly allowNondistributable?: boolean;
}

/** Throws what copyImage, openSource and openTarget throw. */
export async function copyPlaces(
  from: Place,
  to: Place,
  world: PlaceWorld,
  options: CopyPlacesOptions,
): Promise<CopyResult> {
  const { copyImage } = await import("../../../registry/copy/copy.ts");
  const { report, platform, includeReferrers, allowNondistributable } = options;
  return toldAsStep(report, `copy ${formatPlace(from)} to ${formatPlace(to)}`, async (onProgress) => {
    const { sourceClient } = options;
    const asking = sourceClient ? { ...world, registry: async () => sourceClient } : world;
    const source = await openSource(from, asking, platform ? { platform } : {});
    const target = await openTarget(to, world);
    const choose = platform
      ? (manifests: Parameters<typeof choosePlatform>[0]) => choosePlatform(manifests, platform)
      : target.onlyOne === undefined
        ? undefined
        : chooseUsual;
    const result = await copyImage(source, target, {
      ...(choose ? { choose } : {}),
      includeReferrers: includeReferrers === true,
      allowNondistributable: allowNondistributable === true,
      signal: world.signal,
      onProgress,
    });
    warnLeftOut(report, result);
    if (result.gone > 0) report({ kind: "warning", text: goneText(result.gone, formatPlace(from)), at: Date.now() });
    return result;
  });
}

function goneText(count: number, place: string): string {
  const what = count === 1 ? "one entry" : `${count} entries`;
  return `${what} in the list of what refers to ${place} could not be copied: the manifest is not there any more`;
}
