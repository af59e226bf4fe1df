/**
 * The registry of Windows images, layer by layer: the base's hives under all deltas (windows-layer.md), and profiles, which
 * are whole files. Reads hives; writes none.
 */
import { changesOf, type HiveChange } from "../../../layerfs/hive/changes.ts";
import type { Hive } from "../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../layerfs/hive/merge.ts";
import type { Damage } from "../../../layerfs/hive/regf/damage.ts";
import { readHive } from "../../../layerfs/hive/regf/read.ts";
import { hiveOf, KeyTree } from "../../../layerfs/hive/tree.ts";
import type { Change, Entry } from "../../../layerfs/layer/entry.ts";
import type { Tree } from "../../../layerfs/tree/tree.ts";
import { type DeltaName, deltaNames, deltaPath } from "../../../layerfs/windows/deltas.ts";
import { foldPath } from "../../../layerfs/windows/names.ts";
import { isWbuildError, WbuildError } from "../../../native/error.ts";
import { differenceOf, type RegistryDifference } from "./registry-text.ts";

/** A layer and the tree of all layers up to it. */
export interface RegistryLayer {
  readonly tree: Tree;
  readonly changes: readonly Change[];
}

/** Where a hive is seen in the registry, and its file in a base layer. */
const machine: Readonly<Record<DeltaName, readonly [root: string, file: string]>> = {
  System: ["HKLM\\SYSTEM", "SYSTEM"],
  Software: ["HKLM\\SOFTWARE", "SOFTWARE"],
  Sam: ["HKLM\\SAM", "SAM"],
  Security: ["HKLM\\SECURITY", "SECURITY"],
  DefaultUser: ["HKU\\.DEFAULT", "DEFAULT"],
};
const configFolder = "Files/Windows/System32/config";
const profileFile = /^Files\/Users\/([^/]+)\/(?:NTUSER\.DAT|(AppData\/Local\/Microsoft\/Windows\/UsrClass\.dat))$/i;
/** Bytes. The largest hive of any base is below 100 MB. */
const largestHive = 512 * 1024 * 1024;

/** Told of hives that are damaged, when reading comes upon it. */
export type Warn = (text: string) => void;

/** What the last layer changes in the registry of those before it. Nothing of a base layer: its registry is all new. */
export async function diffRegistryLayer(layers: readonly RegistryLayer[], warn: Warn): Promise<RegistryDifference[]> {
  const [top, below] = [layers.at(-1), layers.slice(0, -1)];
  const under = below.at(-1);
  if (top === undefined || under === undefined) return [];
  const found: RegistryDifference[] = [];
  for (const name of deltaNames) {
    const delta = await deltaOf(top, name, warn);
    if (delta === undefined) continue;
    found.push(...told(machine[name][0], await merged(below, name, warn), delta));
  }
  for (const path of profilesOf(top.changes)) found.push(...(await diffProfile(under.tree, top.tree, path, warn)));
  return found;
}

/** How the registry of one image differs from another's. */
export async function diffRegistries(
  before: readonly RegistryLayer[],
  after: readonly RegistryLayer[],
  warn: Warn,
): Promise<RegistryDifference[]> {
  const [left, right] = [before.at(-1), after.at(-1)];
  if (left === undefined || right === undefined) return [];
  const found: RegistryDifference[] = [];
  for (const name of deltaNames)
    found.push(...told(machine[name][0], await merged(before, name, warn), await merged(after, name, warn)));
  const profiles = new Map<string, string>();
  for (const { changes } of [...before, ...after])
    for (const path of profilesOf(changes)) profiles.set(foldPath(path), path);
  for (const path of profiles.values()) found.push(...(await diffProfile(left.tree, right.tree, path, warn)));
  return found;
}

/** HKLM\SOFTWARE as the whole stack has it. `warn` hears of damage that was passed over. Throws HIVE_*. */
export async function softwareOf(layers: readonly RegistryLayer[], warn: Warn): Promise<Hive> {
  return merged(layers, "Software", warn);
}

/** The base's hive under the layers' deltas. */
async function merged(layers: readonly RegistryLayer[], name: DeltaName, warn: Warn): Promise<Hive> {
  const [base] = layers;
  const lowest = base && (await hiveAt(base.tree, `${configFolder}/${machine[name][1]}`, warn));
  const stack = [lowest ?? emptyHive()];
  for (const layer of layers) {
    const delta = await deltaOf(layer, name, warn);
    if (delta !== undefined) stack.push(delta);
  }
  return mergeHives(stack);
}

async function deltaOf({ tree, changes }: RegistryLayer, name: DeltaName, warn: Warn): Promise<Hive | undefined> {
  const path = deltaPath(name);
  const folded = foldPath(path);
  const own = changes.find((change) => change.kind === "set" && foldPath(change.entry.path) === folded);
  return own?.kind === "set" ? hiveAt(tree, own.entry.path, warn) : undefined;
}

function emptyHive(): Hive {
  return hiveOf(new KeyTree("ROOT"));
}

/** Paths of profile hives that a layer sets or deletes. */
function profilesOf(changes: readonly Change[]): string[] {
  return changes
    .map((change) => (change.kind === "set" ? change.entry.path : change.path))
    .filter((path) => profileFile.test(path));
}

/** What is no hive is a file like any other, and the list of files has it. */
async function diffProfile(before: Tree, after: Tree, path: string, warn: Warn): Promise<RegistryDifference[]> {
  const [, user = "", classes] = profileFile.exec(path) ?? [];
  try {
    const [was, now] = [await hiveAt(before, path, warn), await hiveAt(after, path, warn)];
    return told(`HKU\\${user}${classes ? "_Classes" : ""}`, was ?? emptyHive(), now ?? emptyHive());
  } catch (error) {
    if (isWbuildError(error) && error.code.startsWith("HIVE_")) return [];
    throw error;
  }
}

function told(root: string, before: Hive, after: Hive): RegistryDifference[] {
  return [...changesOf(before, after)]
    .filter((change) => !isRootSecurity(change))
    .map((change) => differenceOf(root, change));
}

/** Every delta's root has a descriptor, an empty delta's that which Windows' offline library gives it: nobody changed one. */
function isRootSecurity({ path, kind, value, ...rest }: HiveChange): boolean {
  if (path.length > 0 || kind !== "changed" || value !== undefined) return false;
  return "facets" in rest && rest.facets?.every((facet) => facet === "security") === true;
}

/** A hive with its logs applied; undefined when the file is not there. Throws HIVE_*. */
async function hiveAt(tree: Tree, path: string, warn: Warn): Promise<Hive | undefined> {
  const entry = await tree.stat(path);
  if (entry?.type !== "file") return undefined;
  const logs: Uint8Array[] = [];
  for (const ending of [".LOG", ".LOG1", ".LOG2"]) {
    const log = await tree.stat(path + ending);
    if (log?.type === "file" && log.size > 0) logs.push(await bytesOf(tree, log));
  }
  let damaged = false;
  // Attack: a delta whose damage hides a key from us, and from nobody who reads it in another way.
  const onDamage = ({ what, offset }: Damage) => {
    if (!damaged) warn(`${path} is damaged and read as far as it can be: ${what} (at offset ${offset})`);
    damaged = true;
  };
  return readHive(await bytesOf(tree, entry), { logs, onDamage });
}

async function bytesOf(tree: Tree, entry: Entry): Promise<Uint8Array> {
  if (entry.size > largestHive)
    throw new WbuildError("HIVE_LIMIT", `${entry.path} is larger than any hive`, { facts: { path: entry.path } });
  const parts: Uint8Array[] = [];
  for await (const part of tree.read(entry)) parts.push(part);
  return Buffer.concat(parts);
}
