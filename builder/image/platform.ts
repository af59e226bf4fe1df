/**
 * Platforms: `linux/amd64`, `linux/arm/v7`, `windows(10.0.20348.2700)/amd64` and their many spellings, and which image of
 * an index fits one.
 */
import type { Descriptor, Platform } from "../../layerfs/store/descriptor.ts";
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";

const systems: Readonly<Record<string, string>> = { macos: "darwin" };

/** Other names of an architecture → [architecture, variant]. */
const architectures: Readonly<Record<string, readonly [string, string?]>> = {
  i386: ["386"],
  i686: ["386"],
  x86: ["386"],
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  x64: ["amd64"],
  aarch64: ["arm64"],
  arm64v8: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  arm32v7: ["arm", "v7"],
  arm32v6: ["arm", "v6"],
  ppc64el: ["ppc64le"],
};

const knownSystems = ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "android", "solaris", "illumos"];
const knownArchitectures = [
  ..."386 amd64 arm arm64 ppc64 ppc64le s390x riscv64 mips mipsle mips64 mips64le loong64 wasm".split(" "),
];
/** Of Node's names only these differ from OCI's. */
const ofNode: Readonly<Record<string, string>> = { ia32: "386", x64: "amd64", mipsel: "mipsle", ppc64: "ppc64le" };

/** One spelling of each platform: lower case, aliases resolved, and the variant that is the default left out (arm: v7). */
export function normalizePlatform(platform: Platform): Platform {
  const { variant: written, ...rest } = platform;
  const lower = platform.architecture.toLowerCase();
  const [architecture, implied] = architectures[lower] ?? [lower];
  let variant: string | undefined = (written ?? implied)?.toLowerCase();
  if (architecture === "arm64")
    variant = variant === "8" || variant === "v8" || variant === "v8.0" ? undefined : variant;
  if (architecture === "arm")
    variant = variant === undefined || variant === "" ? "v7" : variant.replace(/^(\d)$/, "v$1");
  if (architecture === "amd64" && variant === "v1") variant = undefined;
  const os = platform.os.toLowerCase();
  return { ...rest, os: systems[os] ?? os, architecture, ...(variant ? { variant } : {}) };
}

const part = /^[A-Za-z0-9_.-]{1,64}$/;

/** `10.0.20348.2700+win32k`: os.version, then os.features. undefined when malformed. */
function parseSystem(text: string): Pick<Platform, "os.version" | "os.features"> | undefined {
  const [version = "", ...features] = text.split("+");
  if (![...(version === "" && features.length > 0 ? [] : [version]), ...features].every((each) => part.test(each)))
    return undefined;
  return {
    ...(version === "" ? {} : { "os.version": version }),
    ...(features.length === 0 ? {} : { "os.features": features }),
  };
}

/**
 * Reads `os/architecture[/variant]`, `os(version+feature)/…`, or an architecture or os alone (the rest is the host's).
 * Throws IMG_PLATFORM_SYNTAX.
 */
export function parsePlatform(text: string): Platform {
  const pieces = text.split("/");
  const [first = "", second, third] = pieces;
  const system = /^([^()]*)(?:\(([^()]*)\))?$/.exec(first);
  const os = (system?.[1] ?? "").toLowerCase();
  const version = system?.[2] === undefined ? {} : parseSystem(system[2]);
  const isWellFormed = pieces.length <= 3 && [os, ...pieces.slice(1)].every((piece) => part.test(piece));
  if (!isWellFormed || version === undefined) throw unknownPlatform(text, undefined);
  if (second === undefined) {
    if (knownSystems.includes(systems[os] ?? os)) {
      return normalizePlatform({ ...hostPlatform(), os: systems[os] ?? os, ...version });
    }
    const alone = normalizePlatform({ os: "linux", architecture: os });
    if (knownArchitectures.includes(alone.architecture)) return alone;
    throw unknownPlatform(text, nearest(os, [...knownSystems, ...knownArchitectures]));
  }
  return normalizePlatform({
    os,
    ...version,
    architecture: second,
    ...(third === undefined ? {} : { variant: third }),
  });
}

/** Values of a repeatable flag, each a list with commas; `local` is this host's. Throws IMG_PLATFORM_SYNTAX. */
export function parsePlatforms(texts: readonly string[]): Platform[] {
  const names = texts.flatMap((text) => text.split(",")).map((name) => name.trim());
  return names.map((name) => (name === "local" ? hostPlatform() : parsePlatform(name)));
}

function unknownPlatform(text: string, suggestion: string | undefined): WbuildError {
  return new WbuildError("IMG_PLATFORM_SYNTAX", `${JSON.stringify(text.slice(0, 100))} is no platform`, {
    facts: { found: text, suggestion },
    hint:
      suggestion === undefined
        ? "write os/architecture, such as linux/amd64 or linux/arm/v7"
        : `did you mean ${suggestion}?`,
  });
}

/** `linux/amd64`, `linux/arm/v7`, `windows/amd64`, `windows(10.0.20348.2700+win32k)/amd64`. */
export function formatPlatform(platform: Platform): string {
  const inside = [platform["os.version"] ?? "", ...(platform["os.features"] ?? [])].join("+");
  const os = inside === "" ? platform.os : `${platform.os}(${inside})`;
  return [os, platform.architecture, platform.variant].filter((piece) => piece).join("/");
}

/** Each platform once, in the order of their first naming. */
export function distinctPlatforms(platforms: readonly Platform[]): Platform[] {
  return [...new Map(platforms.map((each) => [formatPlatform(normalizePlatform(each)), each])).values()];
}

/** The platform that an image's configuration tells. */
export function platformOf(config: Platform): Platform {
  const { os, architecture, variant, "os.version": version, "os.features": features } = config;
  return {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { "os.version": version }),
    ...(features === undefined ? {} : { "os.features": features }),
  };
}

/** Where this program runs, as an image for it would say: always linux, because that is what a step runs on here. */
export function hostPlatform(architecture: string = process.arch): Platform {
  return normalizePlatform({ os: "linux", architecture: ofNode[architecture] ?? architecture });
}

/**
 * Can an image of platform `found` serve where `wanted` is asked for? The same os and architecture; the variant may be
 * lower for arm and amd64, whose later variants run the code of earlier ones. Windows: the build of os.version if both say
 * it; os.features are no hindrance.
 */
export function platformMatches(found: Platform, wanted: Platform): boolean {
  return distance(normalizePlatform(found), normalizePlatform(wanted)) !== undefined;
}

/** 0 is exact, more is less fitting, undefined does not fit. */
function distance(found: Platform, wanted: Platform): number | undefined {
  if (found.os !== wanted.os || found.architecture !== wanted.architecture) return undefined;
  if (!sameBuild(found["os.version"], wanted["os.version"])) return undefined;
  const [have, want] = [level(found), level(wanted)];
  if (have === undefined || want === undefined) return found.variant === wanted.variant ? 0 : undefined;
  return have <= want ? want - have : undefined;
}

/** A variant as a number, where a higher one runs what is made for a lower one. */
function level(platform: Platform): number | undefined {
  const match = /^v(\d)(?:\.(\d))?$/.exec(platform.variant ?? (platform.architecture === "arm64" ? "v8" : "v1"));
  if (match === null || !["arm", "arm64", "amd64"].includes(platform.architecture)) return undefined;
  return Number(match[1]) * 10 + Number(match[2] ?? 0);
}

/** Windows versions agree when major, minor and build do; the revision after them is a patch. */
function sameBuild(found: string | undefined, wanted: string | undefined): boolean {
  if (found === undefined || wanted === undefined) return true;
  const build = (version: string): string => version.split(".").slice(0, 3).join(".");
  return build(found) === build(wanted);
}

/** Order of versions part by part as numbers: 10.0.9 before 10.0.10; none before any. */
function compareVersions(a: string | undefined, b: string | undefined): number {
  const [left, right] = [a, b].map((version) =>
    (version ?? "").split(".").map((each) => Number.parseInt(each, 10) || 0),
  );
  for (let i = 0; i < Math.max(left?.length ?? 0, right?.length ?? 0); i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return (a === undefined ? 0 : 1) - (b === undefined ? 0 : 1);
}

/** Windows: the version that was asked for, else the newest; then who has the features that were asked for and no others. */
function compareSystems(a: Platform, b: Platform, wanted: Platform): number {
  const version = wanted["os.version"];
  const exact = Number(b["os.version"] === version) - Number(a["os.version"] === version);
  if (version !== undefined && exact !== 0) return exact;
  const newer = compareVersions(b["os.version"], a["os.version"]);
  if (newer !== 0) return newer;
  const odd = ({ "os.features": has = [] }: Platform): number => {
    const asked = wanted["os.features"] ?? [];
    return (
      asked.filter((each) => !has.includes(each)).length * 100 + has.filter((each) => !asked.includes(each)).length
    );
  };
  return odd(a) - odd(b);
}

/**
 * The manifest of an index that fits best, the first among equals; undefined when none does. Descriptors without a
 * platform, and attestations (`unknown/unknown`), are never chosen.
 */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const target = normalizePlatform(wanted);
  const fitting = manifests.flatMap((descriptor) => {
    if (descriptor.platform === undefined) return [];
    const platform = normalizePlatform(descriptor.platform);
    const far = distance(platform, target);
    return far === undefined ? [] : [{ descriptor, platform, far }];
  });
  // Sorting is stable: among equals the first stays first.
  fitting.sort((a, b) => a.far - b.far || compareSystems(a.platform, b.platform, target));
  return fitting[0]?.descriptor;
}

/** For who names no platform: this host's, or else Windows of the same architecture, which runs here, too. */
export function chooseUsual(manifests: readonly Descriptor[]): Descriptor | undefined {
  const host = hostPlatform();
  return (
    choosePlatform(manifests, host) ?? choosePlatform(manifests, { os: "windows", architecture: host.architecture })
  );
}
