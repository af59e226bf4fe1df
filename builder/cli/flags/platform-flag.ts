/** `--platform` of commands that work on one image of the store. */
import type { Platform } from "../../../layerfs/store/descriptor.ts";

export interface PlatformFlag {
  readonly platform?: string;
}

/** The flag's value, when it was given. Throws IMG_PLATFORM_SYNTAX. */
export async function platformOf({ platform }: PlatformFlag): Promise<{ platform?: Platform }> {
  if (platform === undefined) return {};
  const { parsePlatforms } = await import("../../image/platform.ts");
  const [first] = parsePlatforms([platform]);
  return first ? { platform: first } : {};
}
