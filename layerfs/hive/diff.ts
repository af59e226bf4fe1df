/**
 * Two plain hives → the differencing hive between them: the smallest one that, merged over the first, gives the second.
 * What counts as a change is decided in same.ts; which layer semantics says it, here.
 */

import { WbuildError } from "../../native/error.ts";
import { inheritedSecurity } from "./inherited-security.ts";
import type { Hive, HiveKey, LayerSemantics } from "./key.ts";
import { symlinkFlag } from "./key.ts";
import { facetsOf, isLink, subkeyPairs, valueChanges } from "./same.ts";
import { hiveOf, KeyTree } from "./tree.ts";

/**
 * The delta of windows-layers.md 4.5: mergeHives([before, delta]) is `after` in keys and the case of their names, values,
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
  const root = nodeOver(before.root, after.root);
  root.name = "ROOT";
  root.className = after.root.className;
  if (before.root !== after.root) {
    addOwnChanges(root, before.root, after.root, true);
    addSubkeys(root, before.root, after.root);
  }
  return hiveOf(root, { differencing: true });
}

/**
 * Whether a delta changes nothing. Without `before` only what stands below the root and its values count: a root always
 * has a descriptor and perhaps a class, and only `before` tells whether these are new.
 */
export function isEmptyDelta(delta: Hive, before?: Hive): boolean {
  const { root } = delta;
  if (root.layer !== "merge" || root.values().length > 0 || root.subkeys().length > 0) return false;
  return (
    before === undefined || facetsOf(before.root, root, true).every((facet) => facet === "class" && root.inheritClass)
  );
}

/** Throws HIVE_LAYERED: a differencing hive alone is no registry. */
export function refuseLayered(hive: Hive): void {
  if (hive.differencing)
    throw new WbuildError("HIVE_LAYERED", "a differencing hive says only what differs from the hives below it", {
      hint: "merge it over its base first",
    });
}

/** A node that changes nothing but leads to what does. */
function nodeOver(before: HiveKey, after: HiveKey): KeyTree {
  const node = new KeyTree(after.name);
  node.lastWrite = before.lastWrite;
  node.flags = before.flags;
  node.userFlags = before.userFlags;
  node.security = after.security ?? before.security;
  return node;
}

/** The node for a key that is there before and after; undefined when nothing in it or below it differs. */
function changed(before: HiveKey, after: HiveKey, parent: HiveKey): KeyTree | undefined {
  if (isLink(before) !== isLink(after)) {
    const node = made(after, "supersede-tree", before, parent.security);
    node.flags = (before.flags & ~symlinkFlag) | (after.flags & symlinkFlag);
    node.userFlags = before.userFlags;
    return node;
  }
  const node = nodeOver(before, after);
  node.inheritClass = true;
  const isChanged = addOwnChanges(node, before, after, false);
  return addSubkeys(node, before, after) || isChanged ? node : undefined;
}

/** What differs in the key itself goes into its node; false when nothing does. */
function addOwnChanges(node: KeyTree, before: HiveKey, after: HiveKey, isRoot: boolean): boolean {
  const facets = facetsOf(before, after, isRoot);
  const values = valueChanges(before, after);
  if (facets.length === 0 && values.length === 0) return false;
  // Keys of Wine's text that have neither values nor class come without a time.
  if (after.lastWrite !== 0n) node.lastWrite = after.lastWrite;
  if (facets.includes("class")) {
    node.className = after.className;
    node.inheritClass = false;
  }
  for (const value of values) {
    if (value.after) node.setValue(value.after);
    else if (value.before)
      node.setValue({ name: value.before.name, type: 0, data: new Uint8Array(0), tombstone: true });
  }
  return true;
}

/** False when nothing below differs. */
function addSubkeys(node: KeyTree, before: HiveKey, after: HiveKey): boolean {
  let isChanged = false;
  for (const pair of subkeyPairs(before, after)) {
    const key =
      pair.after === undefined
        ? pair.before && deleted(pair.before)
        : pair.before === undefined
          ? made(pair.after, "merge", undefined, node.security)
          : changed(pair.before, pair.after, node);
    if (key) {
      node.setSubkey(key);
      isChanged = true;
    }
  }
  return isChanged;
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
  node.className = after.className;
  node.security = after.security ?? before?.security ?? inheritedSecurity(parent);
  for (const value of after.values()) node.setValue(value);
  for (const key of after.subkeys()) node.setSubkey(made(key, layer, before?.subkey(key.name), node.security));
  return node;
}
