/** A target: what a bake file asks of one build. Which attributes there are, of what kind, and how two are laid on each other. */
import { asBoolean, asList, asMap, asText, badValue, isMap, type Value } from "./value.ts";

/** `entries` are records of a command line's form, `type=registry,ref=x`. */
type Kind = "text" | "flag" | "list" | "map" | "entries";
/** What happens when a target inherits from another, or is defined again. */
type Merge = "replace" | "append" | "keys";

interface AttributeRule {
  readonly kind: Kind;
  readonly merge: Merge;
}

const rule = <K extends Kind>(kind: K, merge: Merge = "replace"): { readonly kind: K; readonly merge: Merge } => ({
  kind,
  merge,
});

/** In the order in which they are printed. */
export const attributes = {
  description: rule("text"),
  annotations: rule("list", "append"),
  attest: rule("entries", "append"),
  context: rule("text"),
  contexts: rule("map", "keys"),
  dockerfile: rule("text"),
  "dockerfile-inline": rule("text"),
  args: rule("map", "keys"),
  labels: rule("map", "keys"),
  tags: rule("list"),
  "cache-from": rule("entries", "append"),
  "cache-to": rule("entries"),
  target: rule("text"),
  secret: rule("entries", "append"),
  ssh: rule("entries", "append"),
  platforms: rule("list"),
  output: rule("entries"),
  pull: rule("flag"),
  "no-cache": rule("flag"),
  network: rule("text"),
  "no-cache-filter": rule("list", "append"),
  "shm-size": rule("text"),
  ulimits: rule("list", "append"),
  call: rule("text"),
  entitlements: rule("list", "append"),
  "extra-hosts": rule("map", "keys"),
} as const satisfies Readonly<Record<string, AttributeRule>>;

export type AttributeName = keyof typeof attributes;

interface OfKind {
  readonly text: string;
  readonly flag: boolean;
  readonly list: readonly string[];
  readonly map: Readonly<Record<string, string>>;
  readonly entries: readonly string[];
}

/** Absent attributes were not asked for. */
export type Target = { readonly [Name in AttributeName]?: OfKind[(typeof attributes)[Name]["kind"]] };

export function isAttribute(name: string): name is AttributeName {
  return Object.hasOwn(attributes, name);
}

/** An evaluated value as its attribute has it; undefined for null, which sets nothing. Throws BAKE_VALUE. */
export function attributeValue(name: AttributeName, value: Value): Target[AttributeName] {
  if (value === null) return undefined;
  switch (attributes[name].kind) {
    case "text":
      return asText(value, name);
    case "flag":
      return asBoolean(value, name);
    case "list":
      return strings(name, value);
    case "map":
      return Object.fromEntries(
        Object.entries(asMap(value, name)).flatMap(([key, item]) =>
          item === null ? [] : [[key, asText(item, `${name}.${key}`)]],
        ),
      );
    case "entries":
      return asList(value, name).flatMap((item) =>
        item === null ? [] : [isMap(item) ? entryText(name, item) : asText(item, `an item of ${name}`)],
      );
  }
}

function strings(name: string, value: Value): string[] {
  return asList(value, name).flatMap((item) => (item === null ? [] : [asText(item, `an item of ${name}`)]));
}

/** `{ type = "registry", ref = "x" }` as a command line has it. */
function entryText(name: string, entry: Readonly<Record<string, Value>>): string {
  const { type, id, paths, ...rest } = entry;
  if (name === "ssh") {
    const all = paths === undefined || paths === null ? [] : strings("paths", paths);
    return `${asText(id ?? "default", "id")}${all.length > 0 ? `=${all.join(",")}` : ""}`;
  }
  const known: [string, Value | undefined][] = [
    ["type", type],
    ["id", id],
  ];
  const others = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  const fields = [...known, ...others].flatMap(([key, value]) =>
    value === undefined || value === null ? [] : [`${key}=${asText(value, `${name}.${key}`)}`],
  );
  if (fields.length === 0) throw badValue(`an item of ${name} says nothing`);
  return fields.map(csvField).join(",");
}

function csvField(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

/** `upper` laid on `lower`, attribute by attribute. */
export function mergeTargets(lower: Target, upper: Target): Target {
  const all: Record<string, unknown> = { ...lower };
  for (const name of Object.keys(upper) as AttributeName[]) {
    const [below, above] = [lower[name], upper[name]];
    if (above === undefined) continue;
    const { merge } = attributes[name];
    if (merge === "append" && below !== undefined)
      all[name] = appended(name, below as readonly string[], above as readonly string[]);
    else if (merge === "keys") all[name] = { ...(below as object | undefined), ...(above as object) };
    else all[name] = above;
  }
  return all as Target;
}

/** Two lists without repetitions; of attestations the last of a type counts. */
function appended(name: AttributeName, below: readonly string[], above: readonly string[]): readonly string[] {
  const all = [...new Set([...below, ...above])];
  if (name !== "attest") return all;
  const byType = new Map(all.map((text) => [/(?:^|,)type=([^,]*)/.exec(text)?.[1] ?? text, text]));
  return [...byType.values()];
}
