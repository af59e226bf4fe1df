/**
 * Whether a Windows image's registry fits another base. A delta holds whole values and only the keys that changed, made from
 * the hives of the old base: where the new base says something else there, laying it over would undo what the base brings.
 */
import { changesOf } from "../../layerfs/hive/changes.ts";
import type { Hive, HiveKey } from "../../layerfs/hive/key.ts";
import { mergeHives } from "../../layerfs/hive/merge.ts";
import { sameBytes } from "../../layerfs/hive/same.ts";
import type { Layer } from "../../layerfs/store/descriptor.ts";
import type { Store } from "../../layerfs/store/store.ts";
import { type DeltaName, deltaNames } from "../../layerfs/windows/deltas.ts";
import { WbuildError } from "../../native/error.ts";
import type { Image } from "../../registry/oci/image.ts";
import { verifyImage } from "../image/inspect/verify.ts";
import { layersOf } from "../image/stored/base-image.ts";
import type { LocalImage } from "../image/stored/local.ts";
import { deltaBytes, isHive, registryStack } from "./flat-hives.ts";
import { blobOf, type Heads, readHeads } from "./heads.ts";

/** Conflicts that are told one by one. */
const told = 20;

export interface RebasedImages {
  readonly image: Image;
  readonly old: Image;
  readonly result: Image;
  /** Of Windows images: the image's own registry changes count, whatever the new base says there. */
  readonly force: boolean;
}

/** Throws IMG_REBASE with the keys, or with the rules that importers would refuse the result by; IMG_INCOMPLETE. */
export async function checkWindowsRebase(
  store: Store,
  { image, old, result, force }: RebasedImages,
  signal: AbortSignal,
): Promise<void> {
  const [before, after] = [old.config["os.version"], result.config["os.version"]];
  const keep = old.manifest.layers.length;
  const below = result.manifest.layers.length - (image.manifest.layers.length - keep);
  if (!force) {
    const heads = new HeadsReader(store, signal);
    const own = await heads.of(layersOf(image.manifest, image.config));
    const next = await heads.of(layersOf(result.manifest, result.config).slice(0, below));
    const conflicts = deltaNames.flatMap((name) => [...conflictsOf(name, own, keep, next)]);
    if (conflicts.length > 0) throw conflicting(conflicts, before, after);
  }
  await checkImporters(store, image, result, below - keep, signal);
}

class HeadsReader {
  readonly #known = new Map<string, Promise<Heads>>();
  readonly #store: Store;
  readonly #signal: AbortSignal;

  constructor(store: Store, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
  }

  async of(layers: readonly Layer[]): Promise<Heads[]> {
    const all: Heads[] = [];
    for (const layer of layers) {
      const reading =
        this.#known.get(layer.diffId) ?? readHeads(this.#store, blobOf(this.#store, layer, this.#signal), isHive);
      this.#known.set(layer.diffId, reading);
      all.push(await reading);
    }
    return all;
  }
}

/** Where the image's own changes touch what the new base has otherwise than the old one. */
function* conflictsOf(name: DeltaName, own: readonly Heads[], keep: number, next: readonly Heads[]): Generator<string> {
  if (own.slice(keep).every((layer) => deltaBytes(layer, name) === undefined)) return;
  const was = mergeHives(registryStack(own.slice(0, keep), name));
  const now = mergeHives(registryStack(own, name));
  const base = mergeHives(registryStack(next, name));
  for (const change of changesOf(was, now)) {
    const at = [name, ...change.path].join("\\");
    const there = keyAt(base, change.path);
    const before = keyAt(was, change.path);
    if (change.value === undefined) {
      if (change.kind === "changed" && there === undefined) yield `${at}: the new base has no such key`;
      continue;
    }
    if (there === undefined && before !== undefined) {
      yield `${at}: the new base has no such key`;
      continue;
    }
    const value = change.value.name;
    const [theirs, ours, mine] = [there?.value(value), before?.value(value), keyAt(now, change.path)?.value(value)];
    const isMine = theirs?.type === mine?.type && sameBytes(theirs?.data, mine?.data);
    const isAsBefore = theirs?.type === ours?.type && sameBytes(theirs?.data, ours?.data);
    if (!isMine && !isAsBefore) yield `${at}, value ${JSON.stringify(value)}: the new base changed it too`;
  }
}

function keyAt(hive: Hive, path: readonly string[]): HiveKey | undefined {
  let key: HiveKey | undefined = hive.root;
  for (const name of path) key = key?.subkey(name);
  return key;
}

/** The rules of `inspect --verify`. What was wrong with the image before is not the rebase's fault. */
async function checkImporters(store: Store, image: Image, result: Image, moved: number, signal: AbortSignal) {
  const errors = async (one: Image) =>
    (await verifyImage(store, asLocal(one), signal)).findings.filter(({ severity }) => severity === "error");
  const after = await errors(result);
  if (after.length === 0) return;
  const keyOf = (rule: string, layer: number | undefined, path: string | undefined) => `${rule} ${layer} ${path}`;
  const known = new Set(
    (await errors(image)).map(({ rule, layer, path }) => keyOf(rule, layer && layer + moved, path)),
  );
  const fresh = after.filter(({ rule, layer, path }) => !known.has(keyOf(rule, layer, path)));
  const [first] = fresh;
  if (first === undefined) return;
  const where = [first.layer && `layer ${first.layer}`, first.path].filter(Boolean).join(", ");
  throw new WbuildError("IMG_REBASE", `Windows would not take the result: ${first.what}${where && ` (${where})`}`, {
    facts: {
      rule: first.rule,
      findings: fresh.slice(0, told).map(({ rule, path, what }) => `${rule} ${path ?? ""} ${what}`),
    },
    hint: "build the image on the new base",
  });
}

function asLocal(image: Image): LocalImage {
  const { descriptor, manifest } = image;
  const ref = { name: "", descriptor, keeps: [], createdMs: 0, updatedMs: 0 };
  const id = manifest.config.digest;
  return { ...image, name: undefined, id, whole: descriptor, keeps: [], images: [descriptor], ref };
}

function conflicting(conflicts: readonly string[], before: string | undefined, after: string | undefined): WbuildError {
  const [first] = conflicts;
  const more = conflicts.length > 1 ? `, and ${conflicts.length - 1} more` : "";
  const version = before === after ? "" : ` (${before ?? "?"} to ${after ?? "?"})`;
  return new WbuildError("IMG_REBASE", `the image's registry does not fit the new base${version}: ${first}${more}`, {
    facts: { keys: conflicts.slice(0, told) },
    hint: "build it on the new base, or let the image's own values count with --force",
  });
}
