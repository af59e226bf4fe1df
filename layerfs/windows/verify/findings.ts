/** What the verifier of Windows images finds. Hostile images could make millions of findings, so each rule tells the first ones. */
import { type RuleId, rules, type Severity } from "./rules.ts";

export interface Finding {
  readonly rule: RuleId;
  readonly severity: Severity;
  /** 1 is the lowest; absent when it concerns the image and no single layer. */
  readonly layer?: number;
  /** As the tar spells it, raw (see raw-path.ts): show it through showPath. */
  readonly path?: string;
  /** What is wrong here; a clause without capital and full stop. */
  readonly what: string;
}

/** Findings of one rule in one layer that are told one by one; the rest is counted. */
const told = 50;

export class Findings {
  readonly #list: Finding[] = [];
  readonly #counts = new Map<string, number>();

  add(rule: RuleId, what: string, where: { readonly layer?: number; readonly path?: string } = {}): void {
    const key = `${rule} ${where.layer ?? ""}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= told) this.#list.push({ rule, severity: rules[rule].severity, ...where, what });
  }

  /** In the order in which they were found. */
  list(): readonly Finding[] {
    return this.#list;
  }

  /** All findings of this severity, those that are not in the list too. */
  count(severity: Severity): number {
    let sum = 0;
    for (const [key, count] of this.#counts) if (rules[ruleOf(key)].severity === severity) sum += count;
    return sum;
  }

  /** What the list leaves out. */
  omitted(): { readonly rule: RuleId; readonly layer?: number; readonly count: number }[] {
    return [...this.#counts].flatMap(([key, count]) => {
      if (count <= told) return [];
      const layer = key.slice(key.indexOf(" ") + 1);
      return [{ rule: ruleOf(key), ...(layer === "" ? {} : { layer: Number(layer) }), count: count - told }];
    });
  }
}

function ruleOf(key: string): RuleId {
  return key.slice(0, key.indexOf(" ")) as RuleId;
}
