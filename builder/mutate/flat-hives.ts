/**
 * The registry of Windows layers that become one: over a base that stays, one delta for each hive; where the base itself is
 * among them, its hives with all deltas in them. Hives that nobody changed keep their bytes.
 */
import { diffHives, isEmptyDelta } from "../../layerfs/hive/diff.ts";
import type { Hive } from "../../layerfs/hive/key.ts";
import { mergeHives } from "../../layerfs/hive/merge.ts";
import { readHive } from "../../layerfs/hive/regf/read.ts";
import { writeHive } from "../../layerfs/hive/regf/write.ts";
import { hiveOf, KeyTree } from "../../layerfs/hive/tree.ts";
import type { Change, Entry } from "../../layerfs/layer/entry.ts";
import type { NameRule } from "../../layerfs/tree/merge.ts";
import { compareNames } from "../../layerfs/tree/names.ts";
import { driveFolder, windowsNames } from "../../layerfs/tree/windows-path.ts";
import { type DeltaName, deltaNames, deltaPath, emptyDelta, hivesFolder } from "../../layerfs/windows/deltas.ts";
import { freshMetadata } from "../../layerfs/windows/metadata.ts";
import { foldPath } from "../../layerfs/windows/names.ts";
import type { Heads } from "./heads.ts";
import type { MergePlan } from "./merge-plan.ts";

/** As windowsNames; streams (`a:s`) too, which bases have, and which a tree does not show: their bytes come along. */
export const allNames: NameRule = { key: windowsNames.key, hides: () => false };

const baseFiles: Readonly<Record<DeltaName, string>> = {
  System: "SYSTEM",
  Software: "SOFTWARE",
  Sam: "SAM",
  Security: "SECURITY",
  DefaultUser: "DEFAULT",
};
const basePath = (name: DeltaName) => `Files/Windows/System32/config/${baseFiles[name]}`;
const logEndings = [".LOG", ".LOG1", ".LOG2"];
const wanted = new Set(
  deltaNames.flatMap((name) =>
    [deltaPath(name), basePath(name), ...logEndings.map((end) => basePath(name) + end)].map(foldPath),
  ),
);

/** A file of a layer that says something of the registry: hives of a base, their logs, deltas. */
export function isHive(path: string): boolean {
  return wanted.has(foldPath(path));
}

/**
 * The plan with the registry in it. Over a kept base: Hives with five deltas, before everything else; else the base's hives
 * as they are after all deltas, without logs, which would belong to other bytes. Throws HIVE_*.
 */
export function withRegistry(plan: MergePlan, layers: readonly Heads[], keep: number): MergePlan {
  return keep === 0 ? intoBase(plan, layers) : asDeltas(plan, layers, keep);
}

function asDeltas(plan: MergePlan, layers: readonly Heads[], keep: number): MergePlan {
  const isHives = (path: string) => path === hivesFolder || path.startsWith(`${hivesFolder}/`);
  const first = [...plan.first].filter((change) => !isHives(pathOf(change)));
  // Both top folders before what is in them: importers take the layer's shape from its first entries.
  const top = first.findIndex((change) => change.kind === "set" && change.entry.path === driveFolder);
  const files = (top < 0 ? lastSet(layers, driveFolder) : first[top]) ?? folder(driveFolder);
  const head: Change[] = [folder(hivesFolder), files];
  for (const name of deltaNames) head.push(file(deltaPath(name), deltaOf(layers, keep, name)));
  const rest = first.filter((_, at) => at !== top);
  return { ...without(plan, isHives), first: [...head, ...rest] };
}

function deltaOf(layers: readonly Heads[], keep: number, name: DeltaName): Uint8Array {
  const saying = layers.slice(keep).flatMap((layer) => deltaBytes(layer, name) ?? []);
  const [only] = saying;
  if (only === undefined) return emptyDelta();
  if (saying.length === 1) return only;
  const below = registryStack(layers.slice(0, keep), name);
  return writeHive(diffHives(mergeHives(below), mergeHives(registryStack(layers, name))), { differencing: true });
}

function intoBase(plan: MergePlan, layers: readonly Heads[]): MergePlan {
  const isHives = (path: string) => path === hivesFolder || path.startsWith(`${hivesFolder}/`);
  const renewed = new Map<string, Uint8Array>();
  const stale = new Set<string>();
  for (const name of deltaNames) {
    if (layers.every((layer) => deltaBytes(layer, name) === undefined)) continue;
    const path = foldPath(basePath(name));
    const hive = mergeHives(registryStack(layers, name));
    renewed.set(path, writeHive(hive, { differencing: false, fileName: baseFiles[name] }));
    for (const end of logEndings) stale.add(foldPath(basePath(name) + end));
  }
  const made: Entry[] = [];
  for (const { entry } of plan.files) {
    const bytes = renewed.get(foldPath(entry.path));
    if (bytes === undefined) continue;
    const { inode: _, digest: __, ...rest } = entry;
    made.push({ ...rest, size: bytes.length, content: { kind: "bytes", bytes } });
  }
  made.sort((a, b) => compareNames(foldPath(a.path), foldPath(b.path)));
  const first = [...plan.first].filter((change) => !isHives(pathOf(change)));
  const isOurs = (path: string) => isHives(path) || renewed.has(foldPath(path)) || stale.has(foldPath(path));
  return { ...without(plan, isOurs), first: [...first, ...made.map((entry): Change => ({ kind: "set", entry }))] };
}

/** The plan's files and their other names, but for files that somebody else writes. */
function without(plan: MergePlan, isOurs: (path: string) => boolean): Omit<MergePlan, "first"> {
  return {
    files: [...plan.files].filter(({ entry }) => !isOurs(entry.path)),
    fileAt(member) {
      const entry = plan.fileAt(member);
      return entry === undefined || isOurs(entry.path) ? undefined : entry;
    },
    reads: (layer) => plan.reads(layer),
    links: plan.links,
  };
}

/** The base's hive and the deltas over it, lowest first, for mergeHives. Throws HIVE_*. */
export function registryStack(layers: readonly Heads[], name: DeltaName): Hive[] {
  const [base, ...above] = layers;
  const bytes = base && keptAt(base, basePath(name));
  const logs = logEndings.flatMap((end) => {
    const log = base && keptAt(base, basePath(name) + end);
    return log === undefined || log.length === 0 ? [] : [log];
  });
  const lowest = bytes === undefined || bytes.length === 0 ? hiveOf(new KeyTree("ROOT")) : readHive(bytes, { logs });
  const deltas = above.flatMap((layer) => {
    const delta = keptAt(layer, deltaPath(name));
    return delta === undefined ? [] : [readHive(delta)];
  });
  return [lowest, ...deltas];
}

/** The layer's own delta of a hive; undefined when it has none or one that changes nothing. Throws HIVE_*. */
export function deltaBytes(layer: Heads, name: DeltaName): Uint8Array | undefined {
  const bytes = keptAt(layer, deltaPath(name));
  return bytes === undefined || isEmptyDelta(readHive(bytes)) ? undefined : bytes;
}

function keptAt({ kept }: Heads, path: string): Uint8Array | undefined {
  const folded = foldPath(path);
  for (const [at, bytes] of kept) if (foldPath(at) === folded) return bytes;
  return undefined;
}

function lastSet(layers: readonly Heads[], path: string): Change | undefined {
  return layers
    .flatMap(({ changes }) => [...changes].filter((change) => change.kind === "set" && change.entry.path === path))
    .at(-1);
}

function pathOf(change: Change): string {
  return change.kind === "set" ? change.entry.path : change.path;
}

const plain = { uid: 0, gid: 0, mtimeNs: 0n } as const;

function folder(path: string): Change {
  return { kind: "set", entry: freshMetadata({ ...plain, path, type: "directory", mode: 0o755, size: 0 }) };
}

function file(path: string, bytes: Uint8Array): Change {
  const content = { kind: "bytes", bytes } as const;
  return {
    kind: "set",
    entry: freshMetadata({ ...plain, path, type: "file", mode: 0o644, size: bytes.length, content }),
  };
}
