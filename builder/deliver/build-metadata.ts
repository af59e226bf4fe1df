/** What a metadata file says of the build itself, in buildx's words: the findings of the checks, and how the image was made. */
import { basename } from "node:path";
import { type AttestedBuild, provenances } from "../attestations.ts";
import { lastLines } from "../checks/lines.ts";
import { dataOf, locationOf } from "../checks/location.ts";
import { type Finding, rules, ruleUrl } from "../checks/rule.ts";
import type { SourceText } from "../diagnose/source.ts";

/** `buildx.build.warnings` and `buildx.build.provenance`, as far as the request wants them. */
export async function buildMetadata(build: AttestedBuild): Promise<Readonly<Record<string, unknown>>> {
  const { metadata } = build.request;
  const { findings, source, dockerfile } = build.planned;
  const ends = lastLines(dockerfile);
  return {
    ...(metadata?.provenance ? named(await provenances(build, metadata.provenance)) : {}),
    ...(metadata?.warnings && findings.length > 0
      ? {
          "buildx.build.warnings": findings.map((finding) =>
            warningOf(finding, source, ends.get(finding.span.start.line)),
          ),
        }
      : {}),
  };
}

/** Of several platforms each has a member of its own. */
function named(found: ReadonlyMap<string, object>): Record<string, object> {
  const member = "buildx.build.provenance";
  return Object.fromEntries(
    [...found].map(([platform, predicate]) => [found.size > 1 ? `${member}/${platform}` : member, predicate]),
  );
}

/** BuildKit's VertexWarning as Go writes it: bytes in base64. There is no vertex: the checks belong to no step. */
function warningOf({ rule, message, span }: Finding, source: SourceText, last?: number): object {
  const url = ruleUrl(rule);
  const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
  return {
    level: 1,
    short: base64(`${rule}: ${message} (line ${span.start.line})`),
    detail: [base64(rules[rule].description)],
    ...(url === undefined ? {} : { url }),
    sourceInfo: { filename: basename(source.name), data: dataOf(source), language: "Dockerfile" },
    range: locationOf(span, last).ranges,
  };
}
