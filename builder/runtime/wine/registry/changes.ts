/** What a step did to the registry: Wine's files before and after → the image's deltas and the account's profile hives. */
import { diffHives, isEmptyDelta } from "../../../../layerfs/hive/diff.ts";
import type { Hive, HiveKey } from "../../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../../layerfs/hive/merge.ts";
import { writeHive } from "../../../../layerfs/hive/regf/write.ts";
import { copyKey, hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { upcase } from "../../../../layerfs/hive/upcase.ts";
import { readWineText } from "../../../../layerfs/hive/wine-text.ts";
import type { DeltaName } from "../../../../layerfs/windows/deltas.ts";
import { deltaOverImage } from "./image-delta.ts";
import { classesPath, type ImageRegistry } from "./image-hives.ts";
import { machineNoise, userNoise, withoutKeys } from "./noise.ts";
import { differingSections } from "./section-diff.ts";
import { machineKeys } from "./session-trees.ts";

/** The texts of Wine's three files. */
export interface RegistryTexts {
  readonly system: Buffer;
  readonly user: Buffer;
  readonly userdef: Buffer;
}

/** 1970 as FILETIME. */
const unixEpoch = 116_444_736_000_000_000n;

interface Bound {
  readonly latest?: bigint;
}

export interface RegistryChanges {
  /** Differencing hives that change something, as regf. */
  readonly deltas: ReadonlyMap<DeltaName, Uint8Array>;
  /** Hives of the account's profile that changed, whole; paths below C:. */
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
}

/** What a step changed, by Wine's files. Undefined where they say the same but for noise. */
export interface RegistryDifference {
  readonly machine: HiveKey | undefined;
  readonly user: HiveKey | undefined;
  readonly userdef: HiveKey | undefined;
}

/** Small, whatever the size of the texts, of which nothing is kept. */
export function registryDifference({
  before,
  after,
}: Readonly<Record<"before" | "after", RegistryTexts>>): RegistryDifference {
  return {
    machine: changeOf(before.system, after.system, machineNoise),
    user: changeOf(before.user, after.user, userNoise),
    userdef: changeOf(before.userdef, after.userdef, userNoise),
  };
}

/**
 * Changes below a top key that no hive holds are told through `warn`, once each: Windows would not keep them either.
 * `epochSeconds` (SOURCE_DATE_EPOCH) bounds the times of keys.
 */
export function registryChanges(
  { machine, user, userdef }: RegistryDifference,
  image: () => ImageRegistry,
  warn: (text: string) => void,
  epochSeconds?: number,
): RegistryChanges {
  const bound = epochSeconds === undefined ? {} : { latest: BigInt(epochSeconds) * 10_000_000n + unixEpoch };
  const deltas = new Map<DeltaName, Uint8Array>();
  const keep = (name: DeltaName, change: HiveKey | undefined) => {
    if (!change) return;
    const delta = deltaOverImage(change, image().machine.get(name));
    if (!isEmptyDelta(delta)) deltas.set(name, writeHive(delta, { fileName: `${name}_Delta`, ...bound }));
  };
  if (machine) {
    const hives = new Map(machineKeys.map(([key, hive]) => [upcase(key), hive]));
    for (const top of machine.subkeys()) {
      const hive = hives.get(upcase(top.name));
      if (hive) keep(hive, top);
      else warn(`HKLM\\${top.name} was changed, which no hive of an image holds: the change is lost`);
    }
  }
  keep("DefaultUser", userdef);
  return { deltas, files: profileFiles(user, image, bound) };
}

/** The differencing tree between two texts; undefined when they say the same but for noise. */
function changeOf(before: Buffer, after: Buffer, noise: readonly string[]): HiveKey | undefined {
  const texts = differingSections(before, after);
  if (!texts) return undefined;
  const delta = diffHives(readWineText(texts.before), readWineText(texts.after));
  const change = withoutKeys(delta.root, noise);
  return isEmptyDelta({ ...delta, root: change }) ? undefined : change;
}

/** Of the account's own hives only whole files are kept: NTUSER.DAT, and UsrClass.dat for Software\Classes. */
function profileFiles(change: HiveKey | undefined, image: () => ImageRegistry, bound: Bound): RegistryChanges["files"] {
  if (!change) return [];
  const { folder, user, classes } = image().profile;
  const files: { path: string; bytes: Uint8Array }[] = [];
  const { own, ofClasses } = withoutClasses(change);
  const add = (path: string, delta: Hive, below: Hive | undefined) => {
    if (isEmptyDelta(delta)) return;
    const whole = mergeHives([below ?? hiveOf(new KeyTree("ROOT")), delta]);
    files.push({
      path: `${folder}/${path}`,
      bytes: writeHive(whole, { minor: 5, differencing: false, fileName: path, ...bound }),
    });
  };
  add("NTUSER.DAT", deltaOverImage(own, user), user);
  if (ofClasses) add(classesPath, deltaOverImage(ofClasses, classes), classes);
  return files;
}

function withoutClasses(change: HiveKey): { own: HiveKey; ofClasses: HiveKey | undefined } {
  const software = change.subkey("Software");
  const ofClasses = software?.subkey("Classes");
  if (!software || !ofClasses) return { own: change, ofClasses: undefined };
  const own = copyKey(change);
  const rest = copyKey(software);
  rest.deleteSubkey("Classes");
  if (rest.values().length === 0 && rest.subkeys().length === 0) own.deleteSubkey("Software");
  else own.setSubkey(rest);
  return { own, ofClasses };
}
