/**
 * Two plain hives → the differencing hive between them: the smallest one that, merged over the first, gives the second.
 * What counts as a change is decided in same.ts; which layer semantics says it, here.
 */

import { inheritedSecurity } from "./inherited-security.ts";
import type { Hive, HiveKey, LayerSemantics } from "./key.ts";
import { symlinkFlag } from "./key.ts";
import { refuseLayered } from "./merge.ts";
import { type OwnChanges, ownChanges, subkeyPairs } from "./same.ts";
import { hiveOf, KeyTree } from "./tree.ts";

/**
 * The delta of docs/formats/hive.md: mergeHives([before, delta]) is `after` in keys and the case of their names, values,
 * types, bytes, classes, descriptors and links. Last-write times, user flags and flags other than the link's are carried
 * (a key that was there keeps its flags) and never make a change.
 *
 * A descriptor that `after` lacks, as Wine's text does, is that of `before`; a new key without one gets what its parent
 * hands down, or none when the parent has none. Data and descriptors are those of the given hives, not copied.
 * The root is always there, plain "merge", with class and descriptor as they are afterwards.
 * Throws HIVE_LAYERED for a differencing hive on either side.
 */
export function diffHives(before: Hive, after: Hive): Hive {
  refuseLayered(before);
  refuseLayered(after);
  const own = ownChanges(before.root, after.root, true);
  const root = nodeOver(before.root, after.root, own, changedBelow(before.root, after.root));
  root.name = "ROOT";
  root.className = after.root.className;
  root.inheritClass = false;
  return hiveOf(root, { differencing: true });
}

/**
 * Whether a delta changes nothing. Without `before` only what stands below the root and its values count: a root always
 * has a descriptor and perhaps a class, and only `before` tells whether these are new.
 */
export function isEmptyDelta(delta: Hive, before?: Hive): boolean {
  const { root } = delta;
  if (root.layer !== "merge" || root.values().length > 0 || root.subkeys().length > 0) return false;
  if (before === undefined) return true;
  const facets = ownChanges(before.root, root, true)?.facets ?? [];
  return facets.every((facet) => facet === "class" && root.inheritClass);
}

/** The node of a key that is there before and after. */
function nodeOver(before: HiveKey, after: HiveKey, own: OwnChanges | undefined, below: readonly HiveKey[]): KeyTree {
  const node = new KeyTree(after.name);
  // Keys of Wine's text that have neither values nor class come without a time.
  node.lastWrite = own !== undefined && after.lastWrite !== 0n ? after.lastWrite : before.lastWrite;
  node.flags = before.flags;
  node.userFlags = before.userFlags;
  node.predefinedHandle = before.predefinedHandle;
  node.security = after.security ?? before.security;
  node.inheritClass = own === undefined || !own.facets.includes("class");
  if (!node.inheritClass) node.className = after.className;
  for (const value of own?.values ?? [])
    if (value.after) node.setValue(value.after);
    else if (value.before) node.setValue({ name: value.before.name, type: 0, data: noBytes, tombstone: true });
  for (const key of below) node.setSubkey(key);
  return node;
}

const noBytes = new Uint8Array(0);

/** The same; undefined when nothing in it or below it differs. Nodes are made only for what differs: most keys do not. */
function changed(before: HiveKey, after: HiveKey): KeyTree | undefined {
  const own = ownChanges(before, after, false);
  if (own?.facets.includes("link")) {
    const node = made(after, "supersede-tree", before, before.security);
    node.flags = (before.flags & ~symlinkFlag) | (after.flags & symlinkFlag);
    node.userFlags = before.userFlags;
    return node;
  }
  const below = changedBelow(before, after);
  return own === undefined && below.length === 0 ? undefined : nodeOver(before, after, own, below);
}

/** Nodes for what differs below a key. */
function changedBelow(before: HiveKey, after: HiveKey): readonly HiveKey[] {
  let nodes: KeyTree[] | undefined;
  for (const { before: old, after: now } of subkeyPairs(before, after)) {
    let node: KeyTree | undefined;
    if (old !== undefined && now !== undefined) node = changed(old, now);
    else if (old !== undefined) node = deleted(old);
    else if (now !== undefined) node = made(now, "merge", undefined, after.security ?? before.security);
    if (node === undefined) continue;
    nodes ??= [];
    nodes.push(node);
  }
  return nodes ?? [];
}

function deleted(before: HiveKey): KeyTree {
  const node = new KeyTree(before.name);
  node.layer = "tombstone";
  node.security = before.security;
  return node;
}

/**
 * The whole key, with everything below, under one semantics. `before` is what it takes the place of, `parent` the
 * descriptor of the key above it.
 */
function made(
  after: HiveKey,
  layer: LayerSemantics,
  before: HiveKey | undefined,
  parent: Uint8Array | undefined,
): KeyTree {
  const node = new KeyTree(after.name);
  node.layer = layer;
  node.lastWrite = after.lastWrite;
  node.flags = after.flags;
  node.userFlags = after.userFlags;
  node.predefinedHandle = after.predefinedHandle;
  node.className = after.className;
  node.security = after.security ?? before?.security ?? inheritedSecurity(parent);
  for (const value of after.values()) node.setValue(value);
  for (const key of after.subkeys()) node.setSubkey(made(key, layer, before?.subkey(key.name), node.security));
  return node;
}
