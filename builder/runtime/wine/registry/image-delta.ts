/**
 * What a step did to its session's registry, as a delta over the image's own hive. The session also has Wine's keys:
 * to delete one of those says nothing to the image, and a key above a change may be new to it.
 */
import { inheritedSecurity } from "../../../../layerfs/hive/inherited-security.ts";
import type { Hive, HiveKey } from "../../../../layerfs/hive/key.ts";
import { hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";

/**
 * `change` is a differencing hive against the session; `image` the hive of the image, undefined where it has none. The
 * result is one against the image: copied-up keys carry its descriptor and time, new ones what their parent hands down.
 */
export function deltaOverImage(change: HiveKey, image: Hive | undefined): Hive {
  const root = new KeyTree("ROOT");
  const base = image?.root;
  root.lastWrite = base?.lastWrite ?? 0n;
  root.security = base?.security;
  root.className = base?.className;
  take(root, change, base, root.security);
  return hiveOf(root, { differencing: true });
}

function take(into: KeyTree, change: HiveKey, below: HiveKey | undefined, security: Uint8Array | undefined): void {
  for (const value of change.values()) {
    if (value.tombstone === undefined || below?.value(value.name) !== undefined) into.setValue(value);
  }
  for (const child of change.subkeys()) {
    const node = nodeFor(child, below?.subkey(child.name), security);
    if (node) into.setSubkey(node);
  }
}

function nodeFor(change: HiveKey, below: HiveKey | undefined, above: Uint8Array | undefined): KeyTree | undefined {
  if (change.layer === "tombstone") {
    if (!below) return undefined;
    const gone = new KeyTree(below.name);
    gone.layer = "tombstone";
    gone.security = below.security;
    return gone;
  }
  const node = new KeyTree(below?.name ?? change.name);
  node.flags = change.flags;
  node.userFlags = change.userFlags;
  node.security = change.security ?? below?.security ?? inheritedSecurity(above) ?? above;
  // Replaced as a whole in the session: so it is for the image, where the image has something to replace.
  const replaces = change.layer === "supersede-tree" && below !== undefined;
  if (replaces) node.layer = "supersede-tree";
  // A key may look new only because nothing else of it differs: the image knows better.
  const isCopiedUp = below !== undefined && !replaces && change.className === undefined;
  node.inheritClass = isCopiedUp;
  node.className = change.className;
  node.lastWrite = isCopiedUp && change.values().length === 0 ? below.lastWrite : change.lastWrite;
  take(node, change, replaces ? undefined : below, node.security);
  if (replaces) supersedeBelow(node);
  const isEmpty = node.values().length === 0 && node.subkeys().length === 0;
  if (isEmpty && (isCopiedUp || (below === undefined && change.inheritClass))) return undefined;
  return node;
}

/** Everything under a key that replaces a tree must say so, too. */
function supersedeBelow(key: KeyTree): void {
  for (const child of key.subkeys()) {
    if (!(child instanceof KeyTree)) continue;
    child.layer = "supersede-tree";
    child.inheritClass = false;
    supersedeBelow(child);
  }
}
