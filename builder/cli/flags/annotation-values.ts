/** Annotations as buildx spells them: `--annotation` and the output attributes `annotation….KEY`. */

import type { Annotation } from "../../image/output/output-spec.ts";
import { parsePlatform } from "../../image/platform.ts";
import { badValue } from "./values.ts";

const kinds = ["manifest", "manifest-descriptor", "index", "index-descriptor"] as const;

/**
 * `[KIND[PLATFORM][,KIND…]:]KEY=VALUE`, such as `index,manifest[linux/arm64]:org.opencontainers.image.title=x`; without a
 * kind it is the manifest's. Throws CLI_VALUE, IMG_PLATFORM_SYNTAX.
 */
export function parseAnnotation(flag: string, text: string): Annotation[] {
  const expected = "of the form [manifest|index|manifest-descriptor|index-descriptor:]KEY=VALUE";
  const found = /^(?:((?:[a-z-]+(?:\[[^\]]*\])?,)*[a-z-]+(?:\[[^\]]*\])?):)?([^=\s]+)=(.*)$/s.exec(text);
  const [, prefix, key = "", value = ""] = found ?? [];
  if (!found) throw badValue(flag, text, expected);
  const places = prefix === undefined ? ["manifest"] : (prefix.match(/[a-z-]+(?:\[[^\]]*\])?/g) ?? []);
  return places.map((place) => ({ ...placeOf(flag, text, place), key, value }));
}

/**
 * The name of an output's attribute: `annotation.KEY`, `annotation-index.KEY`, `annotation-manifest[linux/arm64].KEY`.
 * undefined when it is none.
 */
export function annotationAttribute(flag: string, name: string, value: string): Annotation | undefined {
  const found = /^annotation(?:-([a-z-]+))?(\[[^\]]*\])?\.(\S+)$/.exec(name);
  if (!found) return undefined;
  const [, kind = "manifest", platform = "", key = ""] = found;
  return { ...placeOf(flag, name, `${kind}${platform}`), key, value };
}

function placeOf(flag: string, text: string, place: string) {
  const [, kind = "", platform] = /^([a-z-]+)(?:\[([^\]]*)\])?$/.exec(place) ?? [];
  const on = kinds.find((one) => one === kind);
  if (on === undefined) throw badValue(flag, text, `an annotation of ${kinds.join(", ")}`);
  if (platform === undefined) return { on };
  if (on.startsWith("index")) throw badValue(flag, text, "of one place: an index is for all platforms");
  return { on, platform: parsePlatform(platform) };
}
