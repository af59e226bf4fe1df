/**
 * The merged view once more, from the rules in docs/formats/hive.md alone: every path of every hive is written down, and for
 * each the nodes that count are picked. Slow on purpose, and without a line of the product's merger.
 */
import type { Hive, HiveKey, HiveValue } from "../../../layerfs/hive/key.ts";
import { symlinkFlag } from "../../../layerfs/hive/key.ts";
import { upcase } from "../../../layerfs/hive/upcase.ts";
import { hex, type Told } from "./trees.ts";

const between = "\\";
type Listed = ReadonlyMap<string, HiveKey>;

export interface NaiveKey extends Told {
  readonly lastWrite: bigint;
  readonly subkeys: readonly NaiveKey[];
}

export function naiveMerge(stack: readonly Hive[]): NaiveKey {
  const topFirst = stack.map(({ root }) => list(root, "", new Map<string, HiveKey>())).reverse();
  const paths = new Set(topFirst.flatMap((listed) => [...listed.keys()]));
  return build("", topFirst, paths) as NaiveKey;
}

function list(key: HiveKey, path: string, into: Map<string, HiveKey>): Listed {
  into.set(path, key);
  for (const below of key.subkeys()) list(below, `${path}${between}${upcase(below.name)}`, into);
  return into;
}

/** Whether an ancestor of the path hides it in this hive: a tombstone or a 3 higher up, or a tombstone of the hive itself. */
function isCutOff(path: string, hive: number, topFirst: readonly Listed[]): boolean {
  const parts = path.split(between);
  for (let length = 1; length < parts.length; length++) {
    const ancestor = parts.slice(0, length).join(between);
    for (let above = 0; above <= hive; above++) {
      const layer = topFirst[above]?.get(ancestor)?.layer;
      if (layer === "tombstone" || (layer === "supersede-tree" && above < hive)) return true;
    }
  }
  return false;
}

function build(path: string, topFirst: readonly Listed[], paths: ReadonlySet<string>): NaiveKey | undefined {
  const nodes: HiveKey[] = [];
  for (const [hive, listed] of topFirst.entries()) {
    const node = listed.get(path);
    if (node && !isCutOff(path, hive, topFirst)) nodes.push(node);
  }
  const own: HiveKey[] = [];
  for (const node of nodes) {
    if (node.layer === "tombstone") break;
    own.push(node);
    if (node.layer === "supersede-local" || node.layer === "supersede-tree") break;
  }
  const [top] = own;
  if (!top) return undefined;
  const values = new Map<string, HiveValue>();
  for (const node of [...own].reverse()) for (const value of node.values()) values.set(upcase(value.name), value);
  const children = [...paths].filter(
    (each) => each !== "" && each.slice(0, each.lastIndexOf(between)) === path && each !== path,
  );
  return {
    name: path === "" ? "" : top.name,
    isLink: (top.flags & symlinkFlag) !== 0,
    className: hex(own.find(({ inheritClass }) => !inheritClass)?.className),
    security: hex(top.security),
    lastWrite: own.map(({ lastWrite }) => lastWrite).sort((a, b) => Number(b - a))[0] ?? 0n,
    values: [...values]
      .filter(([, { tombstone }]) => !tombstone)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, value]) => [value.name, value.type, hex(value.data)] as const),
    subkeys: children
      .sort()
      .map((each) => build(each, topFirst, paths))
      .filter((each) => each !== undefined),
  };
}
