/** What is wrong with a hive's bytes and where: thrown when a caller wants all or nothing, collected when it wants what is left. */

import { WbuildError } from "../../../native/error.ts";

export interface Damage {
  /** In the file (of a recovered hive: in the file after its logs), from its first byte. */
  readonly offset: number;
  /** What was being read: "base block", "bin", "cell", "nk", "vk", "sk", "lh", "value list", "data", "class", "log" … */
  readonly record: string;
  /** In words. */
  readonly what: string;
}

/** What the check of a whole hive found. */
export interface Finding extends Damage {
  /** Names from the root's subkeys down, where the finding belongs to a key. */
  readonly key?: readonly string[];
  /** What it breaks of the rules of differencing hives, where it breaks one. */
  readonly about?: "layer bits" | "tombstone" | "supersede";
}

/** Takes a damage and returns to carry on without what was damaged, or throws. */
export type Tell = (damage: Damage) => void;

/** Throws HIVE_DAMAGED. */
export function refuseDamage(damage: Damage): never {
  const { offset, record, what } = damage;
  throw new WbuildError("HIVE_DAMAGED", `the hive is damaged: ${what} (${record} at offset ${hex(offset)})`, {
    facts: { offset, record, what },
  });
}

/** Attack: a file that is nothing but bad references, whose damages take more memory than the file. */
const maxTold = 10_000;

/** A teller for views that look at the same place again and again: each damage once, and at last that there is more. */
export function once(tell: Tell): Tell {
  const told = new Set<string>();
  return (damage) => {
    if (told.size > maxTold) return;
    const name = `${damage.offset} ${damage.what}`;
    if (told.has(name)) return;
    told.add(name);
    tell(told.size > maxTold ? { ...damage, what: `there is more damage than these ${maxTold} places` } : damage);
  };
}

export function hex(offset: number): string {
  return `0x${offset.toString(16)}`;
}
