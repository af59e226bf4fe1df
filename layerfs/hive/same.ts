/** When two keys or values are the same: what makes a change, and what is only carried (times, marks of Windows). */

import { type HiveKey, type HiveValue, symlinkFlag } from "./key.ts";
import { compareNames, sameName, upcase } from "./upcase.ts";

/** Byte for byte; nothing and no bytes are one. */
export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === b) return true;
  const length = a?.length ?? 0;
  if (length !== (b?.length ?? 0)) return false;
  if (length === 0 || a === undefined || b === undefined) return true;
  if (length > 64) return Buffer.compare(a, b) === 0;
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** Spelling, type and bytes. */
function sameValue(a: HiveValue, b: HiveValue): boolean {
  return a.name === b.name && a.type === b.type && sameBytes(a.data, b.data);
}

function isLink(key: HiveKey): boolean {
  return (key.flags & symlinkFlag) !== 0;
}

/** What may differ in a key itself: the case of its name, class, descriptor, and whether it is a symbolic link. */
export type KeyFacet = "name" | "class" | "security" | "link";

/** One value that differs: `after` is missing when it was deleted, `before` when it was added. */
export interface ValueChange {
  readonly before: HiveValue | undefined;
  readonly after: HiveValue | undefined;
}

export interface OwnChanges {
  readonly facets: readonly KeyFacet[];
  /** In the order of `after`, then what was deleted. */
  readonly values: readonly ValueChange[];
}

/** A key that can tell without reading closely that another has the same values, class and flags. */
export interface Comparable {
  /** False when it would have to look. */
  saysTheSame(other: HiveKey): boolean;
}

const none: readonly never[] = [];

/**
 * How `after` differs from `before`, subkeys aside; undefined when it does not. Of a root neither name nor link count. A
 * descriptor that `after` does not have (Wine's text) is no difference.
 */
export function ownChanges(
  before: HiveKey & Partial<Comparable>,
  after: HiveKey,
  isRoot: boolean,
): OwnChanges | undefined {
  if (before === after) return undefined;
  const facets: KeyFacet[] = [];
  if (!isRoot && before.name !== after.name) facets.push("name");
  if (after.security !== undefined && !sameBytes(before.security, after.security)) facets.push("security");
  const isSame = before.saysTheSame?.(after) === true;
  if (!isSame && !sameBytes(before.className, after.className)) facets.push("class");
  if (!isSame && !isRoot && isLink(before) !== isLink(after)) facets.push("link");
  const values = isSame ? none : valueChanges(before, after);
  return facets.length === 0 && values.length === 0 ? undefined : { facets, values };
}

function valueChanges(before: HiveKey, after: HiveKey): readonly ValueChange[] {
  const olds = before.values();
  const news = after.values();
  if (olds === news || sameInOrder(olds, news)) return none;
  const changes: ValueChange[] = [];
  const left = olds.length > fewValues ? new TableOfValues(olds) : new FewValues(olds);
  for (const value of news) {
    const old = left.take(value.name);
    if (old === undefined || !sameValue(old, value)) changes.push({ before: old, after: value });
  }
  for (const old of left.rest()) changes.push({ before: old, after: undefined });
  return changes;
}

/** Up to so many values are found faster by looking at each than in a table that is made for it. */
const fewValues = 16;

class FewValues {
  readonly #values: (HiveValue | undefined)[];

  constructor(values: readonly HiveValue[]) {
    this.#values = [...values];
  }

  /** The value of that name, which is not there any more afterwards. */
  take(name: string): HiveValue | undefined {
    let at = this.#values.findIndex((value) => value?.name === name);
    if (at < 0) at = this.#values.findIndex((value) => value !== undefined && sameName(value.name, name));
    if (at < 0) return undefined;
    const found = this.#values[at];
    this.#values[at] = undefined;
    return found;
  }

  rest(): Iterable<HiveValue> {
    return this.#values.filter((value) => value !== undefined);
  }
}

class TableOfValues {
  readonly #values: Map<string, HiveValue>;

  constructor(values: readonly HiveValue[]) {
    this.#values = new Map(values.map((value) => [upcase(value.name), value]));
  }

  take(name: string): HiveValue | undefined {
    const key = upcase(name);
    const found = this.#values.get(key);
    this.#values.delete(key);
    return found;
  }

  rest(): Iterable<HiveValue> {
    return this.#values.values();
  }
}

/** The usual case, without a table: nothing changed, and both come in the same order. */
function sameInOrder(olds: readonly HiveValue[], news: readonly HiveValue[]): boolean {
  if (olds.length !== news.length) return false;
  for (let at = 0; at < olds.length; at++) {
    const a = olds[at] as HiveValue;
    const b = news[at] as HiveValue;
    if (a !== b && !sameValue(a, b)) return false;
  }
  return true;
}

export interface KeyPair {
  readonly before: HiveKey | undefined;
  readonly after: HiveKey | undefined;
}

/** Subkeys of both sides by name, ascending; a key that is the very same object on both sides is left out. */
export function* subkeyPairs(before: HiveKey | undefined, after: HiveKey | undefined): Generator<KeyPair> {
  const olds = before?.subkeys() ?? none;
  const news = after?.subkeys() ?? none;
  let x = 0;
  let y = 0;
  while (x < olds.length || y < news.length) {
    const old = olds[x];
    const now = news[y];
    const order = orderOf(old, now);
    if (order <= 0) x++;
    if (order >= 0) y++;
    if (old !== now) yield { before: order <= 0 ? old : undefined, after: order >= 0 ? now : undefined };
  }
}

function orderOf(old: HiveKey | undefined, now: HiveKey | undefined): number {
  if (old === undefined) return 1;
  if (now === undefined) return -1;
  return old.name === now.name ? 0 : compareNames(old.name, now.name);
}
