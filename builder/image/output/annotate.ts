/** Annotations that were asked for → those of each document that carries some. */
import type { Platform } from "../../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../../native/error.ts";
import { formatPlatform, normalizePlatform } from "../platform.ts";
import type { Annotation } from "./output-spec.ts";

type Lines = Readonly<Record<string, string>>;

/** The lines for one kind of document, later ones over earlier ones; of `platform`'s where that is named. undefined: none. */
export function annotationsOn(
  annotations: readonly Annotation[],
  on: Annotation["on"],
  platform?: Platform,
): { readonly annotations?: Lines } {
  const fits = (one: Annotation) =>
    one.on === on && (one.platform === undefined || (platform !== undefined && same(one.platform, platform)));
  // Those for one platform say more than those for all.
  const wanted = annotations
    .filter(fits)
    .toSorted((a, b) => Number(a.platform !== undefined) - Number(b.platform !== undefined));
  const lines: Record<string, string> = {};
  for (const { key, value } of wanted)
    Object.defineProperty(lines, key, { value, enumerable: true, configurable: true });
  return wanted.length > 0 ? { annotations: sorted(lines) } : {};
}

/** Order is no matter, and must not make another digest. */
function sorted(lines: Lines): Lines {
  return Object.fromEntries(Object.entries(lines).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Versions and features of a system are not what people name. */
function same(a: Platform, b: Platform): boolean {
  const bare = ({ os, architecture, variant }: Platform) =>
    formatPlatform(normalizePlatform({ os, architecture, ...(variant === undefined ? {} : { variant }) }));
  return bare(a) === bare(b);
}

/** An index's annotation without an index would be lost. Throws CLI_OUTPUT. */
export function checkAnnotations(annotations: readonly Annotation[], hasIndex: boolean): void {
  const lost = hasIndex ? undefined : annotations.find(({ on }) => on.startsWith("index"));
  if (lost)
    throw new WbuildError("CLI_OUTPUT", `annotation ${lost.key} is for an index, and one image alone has none`, {
      facts: { key: lost.key, on: lost.on },
      hint: "annotate the manifest, or give --build-arg BUILDKIT_MULTI_PLATFORM=1 for an index of one image",
    });
}
