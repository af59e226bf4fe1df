/**
 * A base hive and the differencing hives above it, seen as one plain hive. Nothing is copied: a merged key looks into
 * its nodes when it is asked, and where only the base has something to say it is the base's own key that comes out.
 */

import { WbuildError } from "../../native/error.ts";
import type { Hive, HiveKey, HiveValue } from "./key.ts";
import { compareNames, upcase } from "./upcase.ts";

/** A key as one hive of the stack has it. */
interface Node {
  readonly key: HiveKey;
  /** Not of a differencing hive: neither it nor anything below says something of layers. */
  readonly isPlain: boolean;
}

/**
 * The merged view of hives, the base first (docs/formats/hive.md): a plain hive, in which every key is "merge" and no
 * value a tombstone. Names are spelled as the highest hive that has them spells them. The inherit-class bit looks for a
 * class within what the key's own data is made of, so not below a key that supersedes. A descriptor that a higher node
 * leaves out (Wine's text has none) comes from below. A base without anything above comes back as it is.
 */
export function mergeHives(stack: readonly Hive[]): Hive {
  const [base] = stack;
  if (base && stack.length === 1 && !base.differencing) return base;
  const nodes = stack.map(({ root, differencing }) => ({ key: root, isPlain: !differencing })).reverse();
  const minor = base === undefined || base.differencing ? 5 : base.minor;
  const lastWritten = stack.reduce((newest, hive) => later(newest, hive.lastWritten), 0n);
  return { root: new MergedKey(nodes), minor, differencing: false, lastWritten };
}

/** Throws HIVE_LAYERED: a differencing hive alone is no registry. */
export function refuseLayered(hive: Hive): void {
  if (hive.differencing)
    throw new WbuildError("HIVE_LAYERED", "a differencing hive says only what differs from the hives below it", {
      hint: "merge it over its base first",
    });
}

/** The highest first, down to what a tombstone or a superseding tree hides: where subkeys are looked for. */
function reaching(nodes: readonly Node[]): readonly Node[] {
  for (let at = 0; at < nodes.length; at++) {
    const layer = nodes[at]?.key.layer;
    if (layer === "tombstone") return nodes.slice(0, at);
    if (layer === "supersede-tree") return nodes.slice(0, at + 1);
  }
  return nodes;
}

/** Of those, the ones that the key's own data is made of. */
function ownOf(nodes: readonly Node[]): readonly Node[] {
  const last = nodes.findIndex(({ key }) => key.layer === "supersede-local");
  return last < 0 ? nodes : nodes.slice(0, last + 1);
}

/** What the nodes of one name make; undefined when there is no such key. */
function resolve(nodes: readonly Node[]): HiveKey | undefined {
  const [top] = nodes;
  if (top === undefined || top.key.layer === "tombstone") return undefined;
  return top.isPlain && nodes.length === 1 ? top.key : new MergedKey(nodes);
}

class MergedKey implements HiveKey {
  readonly name: string;
  readonly flags: number;
  readonly userFlags: number;
  readonly predefinedHandle: number | undefined;
  readonly layer = "merge";
  readonly inheritClass = false;
  readonly #reaching: readonly Node[];
  readonly #own: readonly Node[];
  #values: readonly HiveValue[] | undefined;
  #subkeys: readonly HiveKey[] | undefined;

  constructor(nodes: readonly Node[]) {
    this.#reaching = reaching(nodes);
    this.#own = ownOf(this.#reaching);
    const top = this.#own[0]?.key;
    this.name = top?.name ?? "";
    this.flags = top?.flags ?? 0;
    this.userFlags = top?.userFlags ?? 0;
    this.predefinedHandle = top?.predefinedHandle;
  }

  get lastWrite(): bigint {
    return this.#own.reduce((newest, { key }) => later(newest, key.lastWrite), 0n);
  }

  get className(): Uint8Array | undefined {
    return this.#own.find(({ key }) => !key.inheritClass)?.key.className;
  }

  get security(): Uint8Array | undefined {
    return this.#own.find(({ key }) => key.security !== undefined)?.key.security;
  }

  values(): readonly HiveValue[] {
    this.#values ??= mergeValues(this.#own);
    return this.#values;
  }

  value(name: string): HiveValue | undefined {
    for (const { key } of this.#own) {
      const found = key.value(name);
      if (found) return found.tombstone ? undefined : found;
    }
    return undefined;
  }

  subkeys(): readonly HiveKey[] {
    this.#subkeys ??= mergeSubkeys(this.#reaching);
    return this.#subkeys;
  }

  subkey(name: string): HiveKey | undefined {
    const nodes: Node[] = [];
    for (const { key, isPlain } of this.#reaching) {
      const found = key.subkey(name);
      if (found) nodes.push({ key: found, isPlain });
    }
    return resolve(nodes);
  }
}

function mergeValues(nodes: readonly Node[]): readonly HiveValue[] {
  const saying = nodes.map(({ key }) => key.values()).filter((values) => values.length > 0);
  const [only] = saying;
  if (only === undefined) return [];
  if (saying.length === 1) return only.some(({ tombstone }) => tombstone) ? only.filter((v) => !v.tombstone) : only;
  const seen = new Map<string, HiveValue>();
  for (const values of saying)
    for (const value of values) {
      const name = upcase(value.name);
      if (!seen.has(name)) seen.set(name, value);
    }
  return [...seen.values()].filter(({ tombstone }) => !tombstone);
}

/** A name that one hive alone has is a Node, else the highest comes first. */
type Row = Node | readonly Node[];

function mergeSubkeys(nodes: readonly Node[]): readonly HiveKey[] {
  let rows: readonly Row[] = [];
  for (let at = nodes.length - 1; at >= 0; at--) {
    const { key, isPlain } = nodes[at] as Node;
    const keys = key.subkeys();
    if (keys.length > 0) rows = layOver(rows, keys, isPlain);
  }
  const merged: HiveKey[] = [];
  for (const row of rows) {
    const key = "key" in row ? (row.isPlain ? row.key : resolve([row])) : resolve(row);
    if (key) merged.push(key);
  }
  return merged;
}

/** Both sides ascend by name; so does the result. */
function layOver(rows: readonly Row[], keys: readonly HiveKey[], isPlain: boolean): readonly Row[] {
  const over = keys.map((key): Node => ({ key, isPlain }));
  if (rows.length === 0) return over;
  const laid: Row[] = [];
  let at = 0;
  for (const node of over) {
    let order = 1;
    for (; at < rows.length; at++) {
      const row = rows[at] as Row;
      order = compareNames(nameOf(row), node.key.name);
      if (order >= 0) break;
      laid.push(row);
    }
    const same = order === 0 ? rows[at++] : undefined;
    laid.push(same === undefined ? node : "key" in same ? [node, same] : [node, ...same]);
  }
  for (; at < rows.length; at++) laid.push(rows[at] as Row);
  return laid;
}

function nameOf(row: Row): string {
  return "key" in row ? row.key.name : (row[0]?.key.name ?? "");
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
