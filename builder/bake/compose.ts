/** The build sections of Compose files as targets (Compose specification, "build"; `x-bake` as buildx has it). */
import * as v from "valibot";
import { WbuildError } from "../../native/error.ts";
import type { Definition } from "./definition.ts";
import { interpolate } from "./interpolate.ts";
import { attributeValue, isAttribute, mergeTargets, type Target } from "./target.ts";
import { mapOf, type Value } from "./value.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const scalar = v.union([v.string(), v.number(), v.boolean()]);
const strings = v.array(v.pipe(scalar, v.transform(String)));
/** `{A: 1}` or `["A=1", "B"]`: null where only a name stands. */
const mapping = v.union([
  v.pipe(
    strings,
    v.transform((all) => all.map((each) => splitPair(each))),
  ),
  v.pipe(
    v.record(v.string(), v.nullable(scalar)),
    v.transform((map) =>
      Object.entries(map).map(([name, value]) => [name, value === null ? null : String(value)] as const),
    ),
  ),
]);

function splitPair(text: string): readonly [string, string | null] {
  const at = text.indexOf("=");
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

const hosts = v.union([
  v.pipe(
    strings,
    v.transform((all) =>
      all.flatMap((each): (readonly [string, string])[] => {
        const [, host, address] = /^([^=:]+)[=:](.*)$/.exec(each) ?? [];
        return host === undefined || address === undefined ? [] : [[host, address]];
      }),
    ),
  ),
  v.pipe(
    v.record(v.string(), v.union([scalar, strings])),
    v.transform((map) => Object.entries(map).map(([name, value]) => [name, [value].flat().join(",")] as const)),
  ),
]);

const limits = v.record(v.string(), v.union([scalar, v.object({ soft: scalar, hard: scalar })]));
const secretUse = v.union([v.string(), v.looseObject({ source: v.string() })]);
const buildShape = v.union([
  v.pipe(
    v.string(),
    v.transform((context) => ({ context })),
  ),
  v.looseObject({
    context: v.optional(v.string()),
    dockerfile: v.optional(v.string()),
    dockerfile_inline: v.optional(v.string()),
    args: v.optional(mapping),
    labels: v.optional(mapping),
    target: v.optional(v.string()),
    tags: v.optional(strings),
    network: v.optional(v.string()),
    platforms: v.optional(strings),
    cache_from: v.optional(strings),
    cache_to: v.optional(strings),
    no_cache: v.optional(v.boolean()),
    pull: v.optional(v.boolean()),
    shm_size: v.optional(scalar),
    ulimits: v.optional(limits),
    extra_hosts: v.optional(hosts),
    entitlements: v.optional(strings),
    additional_contexts: v.optional(mapping),
    secrets: v.optional(v.array(secretUse)),
    ssh: v.optional(mapping),
    sbom: v.optional(scalar),
    provenance: v.optional(scalar),
    privileged: v.optional(v.boolean()),
    "x-bake": v.optional(v.record(v.string(), v.unknown())),
  }),
]);
const fileShape = v.looseObject({
  services: v.optional(
    v.record(
      v.string(),
      v.nullable(
        v.looseObject({
          image: v.optional(v.string()),
          build: v.optional(buildShape),
          environment: v.optional(mapping),
        }),
      ),
    ),
  ),
  secrets: v.optional(
    v.record(
      v.string(),
      v.looseObject({
        file: v.optional(v.string()),
        environment: v.optional(v.string()),
        external: v.optional(v.unknown()),
      }),
    ),
  ),
});

type Build =
  | Exclude<v.InferOutput<typeof buildShape>, { context: string } & Record<never, never>>
  | v.InferOutput<typeof buildShape>;
type Secrets = NonNullable<v.InferOutput<typeof fileShape>["secrets"]>;

/** Reads one Compose file: every service with a build is a target of the group `default`. Throws BAKE_SYNTAX. */
export async function readCompose(file: string, text: string, env: Environment): Promise<Definition> {
  const { parseDocument } = await import("yaml");
  // Attack: aliases that grow a small text to gigabytes. The library counts them.
  const document = parseDocument(text, { merge: true, uniqueKeys: true, logLevel: "silent" });
  const [problem] = document.errors;
  if (problem) throw bad(file, problem.message);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 1000 });
  } catch (cause) {
    throw bad(file, (cause as Error).message);
  }
  const parsed = v.safeParse(fileShape, interpolate(content, env, file));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw bad(file, `${v.getDotPath(issue) ?? "its top level"}: ${issue.message}`);
  }
  const { services = {}, secrets = {} } = parsed.output;
  const targets = new Map<string, { own: Target; inherits: readonly string[] }>();
  for (const [service, body] of Object.entries(services)) {
    if (!body?.build) continue;
    const environment = new Map(body.environment ?? []);
    const lookup = (name: string) => environment.get(name) ?? env[name];
    const name = service.replaceAll(".", "_");
    targets.set(name, { own: targetOf(file, body.build, body.image, secrets, lookup), inherits: [] });
  }
  const groups = new Map(targets.size > 0 ? [["default", { targets: [...targets.keys()] }]] : []);
  return { groups, targets };
}

function bad(file: string, why: string): WbuildError {
  return new WbuildError("BAKE_SYNTAX", `${file} is no valid Compose file: ${why.split("\n")[0]}`, { facts: { file } });
}

function targetOf(
  file: string,
  build: Build,
  image: string | undefined,
  secrets: Secrets,
  lookup: (name: string) => string | undefined,
): Target {
  const b = build as Exclude<Build, { context: string }> & { context?: string };
  const resolved = (pairs: readonly (readonly [string, string | null])[] | undefined): Value =>
    mapOf((pairs ?? []).flatMap(([name, value]) => withValue(name, value ?? lookup(name))));
  const values: Record<string, Value | undefined> = {
    context: b.context,
    dockerfile: b.dockerfile,
    "dockerfile-inline": b.dockerfile_inline,
    args: b.args && resolved(b.args),
    labels: b.labels && mapOf(b.labels.map(([name, value]) => [name, value ?? ""])),
    target: b.target || undefined,
    tags: b.tags?.length ? b.tags : image === undefined ? undefined : [image],
    network: b.network,
    platforms: b.platforms,
    "cache-from": b.cache_from,
    "cache-to": b.cache_to,
    "no-cache": b.no_cache,
    pull: b.pull,
    "shm-size": b.shm_size === undefined ? undefined : String(b.shm_size),
    ulimits: b.ulimits && Object.entries(b.ulimits).map(([name, limit]) => limitText(name, limit)),
    "extra-hosts": b.extra_hosts && mapOf(b.extra_hosts),
    entitlements: b.entitlements ?? (b.privileged ? ["security.insecure"] : undefined),
    contexts:
      b.additional_contexts && mapOf(b.additional_contexts.map(([name, value]) => [name, linkText(value ?? "")])),
    secret: b.secrets?.map((use) => secretText(file, use, secrets)),
    ssh: b.ssh?.map(([id, path]) => (path === null ? id : `${id}=${path}`)),
    attest: attestations(b.sbom, b.provenance),
  };
  const added = extension(file, b["x-bake"]);
  return mergeTargets(evaluated(values), { ...added, ...behind(b, added, "tags"), ...behind(b, added, "platforms") });
}

type Lists = Record<"tags" | "platforms", readonly string[] | undefined>;

/** As buildx: what the build section lists itself stays, a tag that is only the service's image does not. */
function behind(build: Partial<Lists>, added: Target, name: keyof Lists): Target {
  const [own, more] = [build[name], added[name]];
  return own && more ? { [name]: [...new Set([...own, ...more])] } : {};
}

function withValue(name: string, value: string | undefined): [string, string][] {
  return value === undefined ? [] : [[name, value]];
}

function evaluated(values: Readonly<Record<string, Value | undefined>>): Target {
  const made: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && isAttribute(name)) made[name] = attributeValue(name, value);
  }
  return made as Target;
}

/** Lists may be one text of words. */
function extension(file: string, fields: Readonly<Record<string, unknown>> | undefined): Target {
  const values: Record<string, Value> = {};
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (!isAttribute(name)) throw bad(file, `x-bake has no ${name}`);
    const isList = !["pull", "no-cache", "contexts"].includes(name);
    values[name] = (isList && typeof value === "string" ? value.split(/\s+/).filter(Boolean) : value) as Value;
  }
  return evaluated(values);
}

function limitText(name: string, limit: string | number | boolean | { soft: unknown; hard: unknown }): string {
  return typeof limit === "object" ? `${name}=${limit.soft}:${limit.hard}` : `${name}=${limit}`;
}

/** `service:x` is what Compose calls another target. */
function linkText(value: string): string {
  return value.replace(/^(service|target):(.*)$/, (_, __, name: string) => `target:${name.replaceAll(".", "_")}`);
}

function secretText(file: string, use: v.InferOutput<typeof secretUse>, secrets: Secrets): string {
  const id = typeof use === "string" ? use : use.source;
  const found = secrets[id];
  if (found?.external) throw bad(file, `the secret ${id} is external: there is no way to read it here`);
  if (found?.file !== undefined) return `id=${id},src=${found.file}`;
  return found?.environment === undefined ? `id=${id}` : `id=${id},env=${found.environment}`;
}

function attestations(sbom: unknown, provenance: unknown): string[] | undefined {
  const one = (type: string, value: unknown): string[] => {
    if (value === undefined) return [];
    if (value === true || value === "true") return [`type=${type}`];
    if (value === false || value === "false") return [`type=${type},disabled=true`];
    return [`type=${type},${value}`];
  };
  const all = [...one("sbom", sbom), ...one("provenance", provenance)];
  return all.length > 0 ? all : undefined;
}
