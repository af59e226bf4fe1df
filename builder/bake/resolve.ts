/** Names on the command line → the targets to build, each with all that it inherits and what --set changes. */
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { Definition } from "./definition.ts";
import { type Override, override } from "./overrides.ts";
import { mergeTargets, type Target } from "./target.ts";

export interface Resolved {
  /** The groups that were asked for, with what is in them; `default` at least. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** Those to build, and those that others link to: these come first. */
  readonly targets: ReadonlyMap<string, Target>;
  /** Targets that are built only because others take their files. */
  readonly linked: ReadonlySet<string>;
}

/** Throws BAKE_TARGET for a name that is none, BAKE_LOOP, and what `override` throws. */
export function resolve(definition: Definition, names: readonly string[], overrides: readonly Override[]): Resolved {
  const byTarget = assign(definition, overrides);
  const groups = new Map<string, readonly string[]>();
  const wanted: string[] = [];
  for (const name of names.length === 0 ? ["default"] : names) {
    for (const target of expandGroup(definition, name, groups)) if (!wanted.includes(target)) wanted.push(target);
  }
  if (!groups.has("default")) groups.set("default", names.length === 0 ? wanted : [...new Set(names)]);
  const targets = new Map<string, Target>();
  const linked = new Set<string>();
  for (const name of wanted) link(name, definition, byTarget, targets, []);
  for (const name of targets.keys()) if (!wanted.includes(name)) linked.add(name);
  return { groups, targets, linked };
}

/** Overrides by target name. A pattern that no target has is an error: nobody means to change nothing. */
function assign({ targets }: Definition, overrides: readonly Override[]): ReadonlyMap<string, readonly Override[]> {
  const found = new Map<string, Override[]>();
  for (const one of overrides) {
    const matching = targets.has(one.pattern)
      ? [one.pattern]
      : [...targets.keys()].filter((name) => matches(one.pattern, name));
    if (matching.length === 0)
      throw new WbuildError("BAKE_SET", `--set: no target matches ${JSON.stringify(one.pattern)}`, {
        facts: { pattern: one.pattern },
      });
    for (const name of matching) found.set(name, [...(found.get(name) ?? []), one]);
  }
  return found;
}

/** Names have no slashes, so * may stand for all of one. */
function matches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  try {
    return new RegExp(`^${source}$`).test(name);
  } catch {
    throw new WbuildError("BAKE_SET", `--set: ${JSON.stringify(pattern)} is no pattern`, { facts: { pattern } });
  }
}

function expandGroup(definition: Definition, name: string, seen: Map<string, readonly string[]>): string[] {
  const group = definition.groups.get(name);
  if (!group) return [...(/[*?[]/.test(name) ? matching(definition, name) : [name])];
  if (seen.has(name)) return [];
  seen.set(name, group.targets);
  return group.targets.flatMap((one) => (one === name ? [one] : expandGroup(definition, one, seen)));
}

function matching({ targets }: Definition, pattern: string): string[] {
  const found = [...targets.keys()].filter((name) => matches(pattern, name));
  if (found.length > 0) return found;
  throw new WbuildError("BAKE_TARGET", `no target matches ${JSON.stringify(pattern)}`, { facts: { pattern } });
}

/** A target with those it takes files from (`contexts = { x = "target:y" }`) before it. */
function link(
  name: string,
  definition: Definition,
  overrides: ReadonlyMap<string, readonly Override[]>,
  into: Map<string, Target>,
  open: readonly string[],
): void {
  if (open.includes(name))
    throw new WbuildError("BAKE_LOOP", `${[...open, name].join(" → ")}: these targets need each other`, {
      facts: { name },
    });
  if (into.has(name)) return;
  const target = finished(inherited(name, definition, overrides, []));
  for (const context of Object.values(target.contexts ?? {})) {
    const other = linkedTarget(context);
    if (other !== undefined) link(other, definition, overrides, into, [...open, name]);
  }
  into.set(name, target);
}

export function linkedTarget(context: string): string | undefined {
  return /^target:(.+)$/.exec(context)?.[1];
}

function inherited(
  name: string,
  definition: Definition,
  overrides: ReadonlyMap<string, readonly Override[]>,
  open: readonly string[],
): Target {
  if (open.includes(name))
    throw new WbuildError("BAKE_LOOP", `${[...open, name].join(" → ")}: these targets inherit from each other`, {
      facts: { name },
    });
  const found = definition.targets.get(name);
  if (!found) throw noTarget(name, definition);
  let target: Target = {};
  for (const parent of found.inherits)
    target = mergeTargets(target, inherited(parent, definition, overrides, [...open, name]));
  return override(mergeTargets(target, found.own), overrides.get(name) ?? []);
}

function noTarget(name: string, { targets, groups }: Definition): WbuildError {
  const names = [...targets.keys(), ...groups.keys()];
  const near = nearest(name, names);
  const known = names.length === 0 ? "the files define no target" : `there are ${names.slice(0, 20).join(", ")}`;
  return new WbuildError("BAKE_TARGET", `there is no target ${JSON.stringify(name)}`, {
    facts: { name, names },
    hint: near === undefined ? known : `did you mean ${near}? ${known}`,
  });
}

/** What is always there, and what follows from the rest. */
function finished(target: Target): Target {
  const { contexts, ...rest } = target;
  const named = Object.fromEntries(Object.entries(contexts ?? {}).filter(([, value]) => value !== ""));
  const hosts = target.network === "host" && !target.entitlements?.includes("network.host");
  return {
    ...rest,
    ...(Object.keys(named).length > 0 ? { contexts: named } : {}),
    ...(hosts ? { entitlements: [...(target.entitlements ?? []), "network.host"] } : {}),
    context: target.context ?? ".",
    dockerfile: target.dockerfile || "Dockerfile",
  };
}
