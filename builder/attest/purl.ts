/** Package URLs (purl-spec): the names by which scanners look packages up. */
import { formatName, parseReference } from "../../registry/reference.ts";
import type { Package, System } from "./package.ts";

/** `pkg:TYPE/NAMESPACE/NAME@VERSION?KEY=VALUE`; qualifiers by key, empty ones left out. */
function purl(
  type: string,
  path: readonly string[],
  version: string | undefined,
  qualifiers: Readonly<Record<string, string | undefined>> = {},
): string {
  const pairs = Object.entries(qualifiers)
    .filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${escaped(value)}`);
  const at = version === undefined || version === "" ? "" : `@${escaped(version)}`;
  return `pkg:${type}/${path.map(escaped).join("/")}${at}${pairs.length > 0 ? `?${pairs.join("&")}` : ""}`;
}

/** All but letters, digits and `.-_~:` (purl-spec, "Character encoding"). */
function escaped(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%3A", ":");
}

const packagers: Readonly<Record<string, string>> = { deb: "debian", apk: "alpine", rpm: "redhat" };

/** `system` is where the package was found: distributions are part of their packages' names. */
export function packageUrl(one: Package, system: System | undefined): string {
  const { ecosystem, name, version, architecture, source, epoch } = one;
  switch (ecosystem) {
    case "deb":
    case "apk":
    case "rpm": {
      const namespace = system?.id ?? packagers[ecosystem] ?? ecosystem;
      const distro = system === undefined ? undefined : [system.id, system.version].filter(Boolean).join("-");
      const upstream = source && upstreamOf(ecosystem, source);
      const lower = ecosystem === "rpm" ? name : name.toLowerCase();
      return purl(ecosystem, [namespace, lower], version, {
        arch: architecture,
        distro,
        epoch: epoch === undefined ? undefined : String(epoch),
        upstream,
      });
    }
    case "npm":
      return purl("npm", name.toLowerCase().split("/"), version);
    case "golang":
      return purl("golang", name.toLowerCase().split("/"), version);
    case "pypi":
      return purl("pypi", [name.toLowerCase().replace(/[-_.]+/g, "-")], version);
    default:
      return purl("generic", [name], version, { arch: architecture });
  }
}

/** As scanners of vulnerabilities look it up: an rpm's by the file that it was built from. */
function upstreamOf(ecosystem: string, { name, version }: NonNullable<Package["source"]>): string {
  if (version === undefined) return name;
  return ecosystem === "rpm" ? `${name}-${version}.src.rpm` : `${name}@${version}`;
}

/**
 * `pkg:docker/NAME@TAG?platform=…` as BuildKit names images in attestations; undefined for what is no reference.
 * With a digest and no tag the digest is a qualifier, as a tag cannot be made up.
 */
export function imageUrl(reference: string, platform: string | undefined): string | undefined {
  try {
    const parsed = parseReference(reference);
    const name = formatName(parsed, { familiar: true });
    const digest = parsed.digest;
    return purl("docker", name.split("/"), digest === undefined ? (parsed.tag ?? "latest") : parsed.tag, {
      digest,
      platform,
    });
  } catch {
    return undefined;
  }
}
