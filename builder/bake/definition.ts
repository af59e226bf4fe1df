/** A document evaluated: groups and targets by name, matrices spread out, what they inherit still to be laid together. */
import { WbuildError } from "../../native/error.ts";
import { nearest } from "../diagnose/nearest.ts";
import type { BakeDocument, Block } from "./document.ts";
import { evaluate, type Scope, within } from "./expression.ts";
import type { Raw } from "./syntax.ts";
import { attributes, attributeValue, isAttribute, mergeTargets, type Target } from "./target.ts";
import { asList, asMap, asText, badValue, type Value } from "./value.ts";

export interface Definition {
  readonly groups: ReadonlyMap<string, { readonly targets: readonly string[]; readonly description?: string }>;
  readonly targets: ReadonlyMap<string, { readonly own: Target; readonly inherits: readonly string[] }>;
}

/** Combinations of one matrix. */
const mostCombinations = 10_000;

/** Lays `upper` on `lower`: groups get each other's targets, targets each other's attributes. */
export function mergeDefinitions(lower: Definition, upper: Definition): Definition {
  const groups = new Map(lower.groups);
  for (const [name, group] of upper.groups) {
    const known = groups.get(name);
    groups.set(
      name,
      known ? { ...known, ...group, targets: [...new Set([...known.targets, ...group.targets])] } : group,
    );
  }
  const targets = new Map(lower.targets);
  for (const [name, { own, inherits }] of upper.targets) {
    const known = targets.get(name);
    targets.set(name, {
      own: known ? mergeTargets(known.own, own) : own,
      inherits: [...(known?.inherits ?? []), ...inherits],
    });
  }
  return { groups, targets };
}

/** Throws BAKE_VALUE and BAKE_LOOP, with the file and the block in the message. */
export function define(document: BakeDocument, scope: Scope): Definition {
  let all: Definition = { groups: new Map(), targets: new Map() };
  for (const block of document.groups)
    all = mergeDefinitions(
      all,
      inBlock("group", block, () => defineGroup(block, scope)),
    );
  for (const block of document.targets)
    all = mergeDefinitions(
      all,
      inBlock("target", block, () => defineTargets(block, scope)),
    );
  return all;
}

function inBlock<T>(kind: string, { file, name }: Block, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof WbuildError) || error.facts.block !== undefined) throw error;
    throw new WbuildError(error.code, `${file}: ${kind} ${JSON.stringify(name)}: ${error.message}`, {
      facts: { ...error.facts, file, block: name },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function defineGroup({ name, body }: Block, scope: Scope): Definition {
  for (const key of body.keys())
    if (key !== "targets" && key !== "description") throw unknown("group", key, ["targets", "description"]);
  const targets = asList(evaluate(body.get("targets") ?? [], scope), "targets").map((one) =>
    asText(one, "an item of targets"),
  );
  const description = body.has("description")
    ? { description: asText(evaluate(body.get("description") ?? "", scope), "description") }
    : {};
  return { groups: new Map([[checked(name), { targets: [...new Set(targets)], ...description }]]), targets: new Map() };
}

/** A target, or with a matrix one for each combination and a group of them under the block's own name. */
function defineTargets({ name, body }: Block, scope: Scope): Definition {
  checked(name);
  const matrix = body.get("matrix");
  if (matrix === undefined) {
    if (body.has("name")) throw badValue("name goes with a matrix, and there is none");
    return { groups: new Map(), targets: new Map([[name, defineTarget(body, scope)]]) };
  }
  if (!body.has("name"))
    throw badValue(
      "a matrix needs a name, in which its values make the targets differ",
      {},
      `add name = "${name}-\${value}"`,
    );
  let all: Definition = { groups: new Map(), targets: new Map() };
  const names: string[] = [];
  for (const values of combinations(asMap(evaluate(matrix, scope), "matrix"))) {
    const inner = within(scope, values);
    const own = checked(asText(evaluate(body.get("name") ?? "", inner), "name"));
    names.push(own);
    all = mergeDefinitions(all, { groups: new Map(), targets: new Map([[own, defineTarget(body, inner)]]) });
  }
  if (names.length === 1 && names[0] === name) return all;
  return mergeDefinitions(all, { groups: new Map([[name, { targets: [...new Set(names)] }]]), targets: new Map() });
}

/** The values of the first name change fastest; names in order of their letters. */
function combinations(matrix: Readonly<Record<string, Value>>): Record<string, Value>[] {
  let all: Record<string, Value>[] = [{}];
  for (const name of Object.keys(matrix).sort()) {
    const values = asList(matrix[name] as Value, `matrix.${name}`);
    if (all.length * values.length > mostCombinations)
      throw badValue(`a matrix makes no more than ${mostCombinations} targets`);
    all = values.flatMap((value) => all.map((before) => ({ ...before, [name]: value })));
  }
  return all;
}

function defineTarget(body: ReadonlyMap<string, Raw>, scope: Scope): { own: Target; inherits: readonly string[] } {
  const own: Record<string, unknown> = {};
  let inherits: readonly string[] = [];
  for (const [key, raw] of body) {
    if (key === "matrix" || key === "name") continue;
    if (key === "inherits") {
      inherits = asList(evaluate(raw, scope), "inherits").map((one) => asText(one, "an item of inherits"));
      continue;
    }
    // Both names are used for it; the documented one is in the singular.
    const name = aliases[key] ?? key;
    if (!isAttribute(name)) throw unknown("target", key, [...Object.keys(attributes), "inherits", "matrix", "name"]);
    const value = attributeValue(name, evaluate(raw, scope));
    if (value !== undefined) own[name] = value;
  }
  return { own: own as Target, inherits };
}

const aliases: Readonly<Record<string, string>> = { secrets: "secret", outputs: "output", platform: "platforms" };

function unknown(kind: string, key: string, known: readonly string[]): WbuildError {
  const near = nearest(key, known);
  return badValue(
    `a ${kind} has no attribute ${JSON.stringify(key)}`,
    { attribute: key },
    near === undefined ? undefined : `did you mean ${near}?`,
  );
}

/** Names go into command lines, and dots part the keys of --set. */
function checked(name: string): string {
  if (/^[a-zA-Z0-9_-]+$/.test(name)) return name;
  throw badValue(`${JSON.stringify(name)} cannot be a name: letters, digits, - and _ can`, { name });
}
