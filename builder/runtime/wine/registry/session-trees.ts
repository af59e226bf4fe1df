/**
 * The registry that the programs of a step see: the image's hives over Wine's own keys. Wine needs its keys to work; they
 * are there for the step and never part of the image.
 */
import { type Hive, type HiveKey, symlinkFlag } from "../../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../../layerfs/hive/merge.ts";
import { copyKey, hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import type { DeltaName } from "../../../../layerfs/windows/deltas.ts";
import type { ImageRegistry } from "./image-hives.ts";
import { parked, type SessionOptions, sessionSettings, withSettings } from "./session-settings.ts";

/** The three files of Wine's server, as trees. */
export interface SessionTrees {
  /** HKEY_LOCAL_MACHINE. */
  readonly machine: Hive;
  /** HKEY_CURRENT_USER. */
  readonly user: Hive;
  /** HKEY_USERS\.DEFAULT. */
  readonly userdef: Hive;
}

/** Top keys of HKEY_LOCAL_MACHINE that are hives of their own. */
export const machineKeys: readonly (readonly [key: string, hive: DeltaName])[] = [
  ["Software", "Software"],
  ["System", "System"],
  ["Sam", "Sam"],
  ["Security", "Security"],
];

/** `wine` are Wine's own trees. */
export function sessionTrees(wine: SessionTrees, image: ImageRegistry, options: SessionOptions = {}): SessionTrees {
  const machine = new KeyTree("");
  for (const key of wine.machine.root.subkeys()) machine.setSubkey(key);
  for (const [name, hive] of machineKeys) {
    if (name === "System") continue;
    const key = overWine(wine.machine.root.subkey(name), image, hive);
    if (key) machine.setSubkey(copyKey(key, name));
  }
  machine.setSubkey(systemKey(wine.machine.root.subkey("System"), image));
  const settings = sessionSettings(options);
  return {
    machine: hiveOf(withSettings(machine, settings.machine)),
    user: hiveOf(withSettings(userKey(wine.user.root, image), settings.user)),
    userdef: hiveOf(overWine(wine.userdef.root, image, "DefaultUser") ?? new KeyTree("")),
  };
}

/** The control set that `Select\Current` names: ControlSet001 in a container. */
export function currentControlSet(system: HiveKey | undefined): string {
  const value = system?.subkey("Select")?.value("Current");
  const number = value?.type === 4 && value.data.length === 4 ? Buffer.from(value.data).readUInt32LE() : 1;
  return `ControlSet${String(number >= 1 && number <= 999 ? number : 1).padStart(3, "0")}`;
}

/** Wine's: up to Wine 8 a key CurrentControlSet, later, as Windows has it, a link to ControlSet001. `system` is Wine's. */
export function wineControlSet(system: HiveKey | undefined): HiveKey | undefined {
  const key = system?.subkey("CurrentControlSet");
  return key && (key.flags & symlinkFlag) === 0 ? key : system?.subkey(currentControlSet(system));
}

/** With Wine's control set below that of the image, which is ControlSet001 in a container. */
function systemKey(wine: HiveKey | undefined, image: ImageRegistry): KeyTree {
  const theirs = image.machine.get("System")?.root;
  const current = currentControlSet(theirs);
  const own = wineControlSet(wine);
  const below = wine && copyKey(wine);
  for (const name of ["CurrentControlSet", own?.name ?? current]) below?.deleteSubkey(name);
  if (own) below?.setSubkey(copyKey(own, current));
  const system = copyKey(overWine(below, image, "System") ?? new KeyTree("System"), "System");
  const set = copyKey(system.subkey(current) ?? new KeyTree(current));
  const services = servicesKey(own?.subkey("Services"), theirs?.subkey(current)?.subkey("Services"));
  if (services) set.setSubkey(services);
  system.setSubkey(set);
  const link = new KeyTree("CurrentControlSet");
  link.flags = symlinkFlag;
  const target = Buffer.from(`\\Registry\\Machine\\System\\${current}`, "utf16le");
  link.setValue({ name: "SymbolicLinkValue", type: 6, data: target });
  system.setSubkey(link);
  return system;
}

/**
 * Services that Wine has itself are Wine's: the image's would name programs that cannot run. Of the others none is started
 * with the machine: nobody asked this step for them.
 */
function servicesKey(wine: HiveKey | undefined, image: HiveKey | undefined): KeyTree | undefined {
  if (!wine && !image) return undefined;
  const services = new KeyTree("Services");
  for (const service of image?.subkeys() ?? []) services.setSubkey(parked(service));
  for (const service of wine?.subkeys() ?? []) services.setSubkey(service);
  return services;
}

/** HKCU: the profile's hive, with UsrClass.dat as Software\Classes. */
function userKey(wine: HiveKey, image: ImageRegistry): HiveKey {
  const { user, classes } = image.profile;
  const merged = laid(wine, user?.root) ?? new KeyTree("");
  if (!classes) return merged;
  const root = copyKey(merged, "");
  const software = copyKey(root.subkey("Software") ?? new KeyTree("Software"), "Software");
  const own = laid(software.subkey("Classes"), classes.root);
  if (own) software.setSubkey(copyKey(own, "Classes"));
  root.setSubkey(software);
  return root;
}

/** A hive of the image over Wine's keys, with its deltas once more on top: what they deleted is not to come back from Wine. */
function overWine(wine: HiveKey | undefined, image: ImageRegistry, name: DeltaName): HiveKey | undefined {
  const hive = image.machine.get(name);
  if (!wine || !hive) return hive?.root ?? wine;
  return mergeHives([hiveOf(wine), hive, ...(image.deltas.get(name) ?? [])]).root;
}

/** The upper key over the lower one: values and keys of both, the upper's where both have one. */
function laid(lower: HiveKey | undefined, upper: HiveKey | undefined): HiveKey | undefined {
  if (!lower || !upper) return upper ?? lower;
  return mergeHives([hiveOf(lower), hiveOf(upper)]).root;
}
