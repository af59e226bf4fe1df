/** What changes from one hive to another, told key by key and value by value: for people, for JSON, and for counting. */

import type { Hive, HiveKey, HiveValue } from "./key.ts";
import { mergeHives } from "./merge.ts";
import { type KeyFacet, ownChanges, subkeyPairs } from "./same.ts";

export type HiveChange = KeyChange | ValueOfKeyChange;

interface KeyChange {
  readonly kind: "added" | "changed" | "deleted";
  /** Names from below the root. */
  readonly path: readonly string[];
  readonly value?: undefined;
  /** Of a changed key: what of the key itself differs. */
  readonly facets?: readonly KeyFacet[];
}

interface ValueOfKeyChange {
  readonly kind: "added" | "changed" | "deleted";
  /** Of the key that has the value. */
  readonly path: readonly string[];
  /** As it is afterwards; a deleted one as it was. */
  readonly value: HiveValue;
  /** Of a changed value: as it was. */
  readonly was?: HiveValue;
}

/**
 * The changes from `before` to `after`, which is a plain hive or a differencing one that lies over `before`. A key comes
 * before its values, values before subkeys. Of an added key everything is told, of a deleted one nothing below it.
 * In a differencing hive only the keys that it has nodes for are looked at.
 */
export function* changesOf(before: Hive, after: Hive): Generator<HiveChange> {
  const all = after.differencing ? mergeHives([before, after]) : after;
  yield* within(before.root, all.root, [], after.differencing ? after.root : undefined);
}

/** `guide` is the delta's node of this key: where it has no node below, nothing differs below. */
function* within(
  before: HiveKey | undefined,
  after: HiveKey,
  path: readonly string[],
  guide: HiveKey | undefined,
): Generator<HiveChange> {
  if (before === undefined) {
    yield { kind: "added", path };
    for (const value of after.values()) yield { kind: "added", path, value };
  } else {
    const own = ownChanges(before, after, path.length === 0);
    if (own && own.facets.length > 0) yield { kind: "changed", path, facets: own.facets };
    for (const { before: was, after: value } of own?.values ?? []) {
      if (value && was) yield { kind: "changed", path, value, was };
      else if (value) yield { kind: "added", path, value };
      else if (was) yield { kind: "deleted", path, value: was };
    }
  }
  // Below a key that supersedes its tree everything may differ, whatever the nodes there say.
  const below = guide?.layer === "supersede-tree" ? undefined : guide;
  const pairs =
    below === undefined
      ? subkeyPairs(before, after)
      : below.subkeys().map(({ name }) => ({ before: before?.subkey(name), after: after.subkey(name) }));
  for (const pair of pairs) {
    if (pair.after !== undefined) {
      const { name } = pair.after;
      yield* within(pair.before, pair.after, [...path, name], below?.subkey(name));
    } else if (pair.before !== undefined) yield { kind: "deleted", path: [...path, pair.before.name] };
  }
}

export interface ChangeCounts {
  /** changed: those whose own spelling, class, descriptor or kind differs. deleted: without the keys below them. */
  readonly keys: { readonly added: number; readonly changed: number; readonly deleted: number };
  /** Without a base `added` has the changed ones too. */
  readonly values: { readonly added: number; readonly changed: number; readonly deleted: number };
}

/**
 * How many changes there are. With `before` exactly those of changesOf. Without it, what a differencing hive says by itself:
 * "merge" without inherited class and "supersede-tree" are new keys, "supersede-local" is a changed one.
 */
export function countChanges(delta: Hive, before?: Hive): ChangeCounts {
  const keys = { added: 0, changed: 0, deleted: 0 };
  const values = { added: 0, changed: 0, deleted: 0 };
  if (before !== undefined)
    for (const { kind, value } of changesOf(before, delta)) (value === undefined ? keys : values)[kind]++;
  else countNodes(delta.root, true);
  return { keys, values };

  function countNodes(key: HiveKey, isRoot: boolean): void {
    if (key.layer === "tombstone") keys.deleted++;
    else if (key.layer === "supersede-local") keys.changed++;
    else if (!isRoot && (key.layer === "supersede-tree" || !key.inheritClass)) keys.added++;
    for (const { tombstone } of key.values()) values[tombstone ? "deleted" : "added"]++;
    for (const below of key.subkeys()) countNodes(below, false);
  }
}
