/**
 * The registry that the programs of a step see: the image's hives over Wine's own keys. Wine needs its keys to work; they
 * are there for the step and never part of the image.
 */
import { type Hive, type HiveKey, type HiveValue, symlinkFlag } from "../../../../layerfs/hive/key.ts";
import { mergeHives } from "../../../../layerfs/hive/merge.ts";
import { copyKey, hiveOf, KeyTree } from "../../../../layerfs/hive/tree.ts";
import type { DeltaName } from "../../../../layerfs/windows/deltas.ts";
import type { ImageRegistry } from "./image-hives.ts";

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

/**
 * `wine` are Wine's own trees, `programs` the names of its own programs (`cmd.exe`): where the image has one of that name
 * in System32, Wine's runs all the same, as it does by itself with DLLs.
 */
export function sessionTrees(wine: SessionTrees, image: ImageRegistry, programs: readonly string[] = []): SessionTrees {
  const machine = new KeyTree("");
  for (const key of wine.machine.root.subkeys()) machine.setSubkey(key);
  for (const [name, hive] of machineKeys) {
    if (name === "System") continue;
    const key = laid(wine.machine.root.subkey(name), image.machine.get(hive)?.root);
    if (key) machine.setSubkey(copyKey(key, name));
  }
  machine.setSubkey(systemKey(wine.machine.root.subkey("System"), image.machine.get("System")?.root));
  return {
    machine: hiveOf(machine),
    user: hiveOf(withOverrides(userKey(wine.user.root, image), programs)),
    userdef: hiveOf(laid(wine.userdef.root, image.machine.get("DefaultUser")?.root) ?? new KeyTree("")),
  };
}

/** The control set that `Select\Current` names: ControlSet001 in a container. */
export function currentControlSet(system: HiveKey | undefined): string {
  const value = system?.subkey("Select")?.value("Current");
  const number = value?.type === 4 && value.data.length === 4 ? Buffer.from(value.data).readUInt32LE() : 1;
  return `ControlSet${String(number >= 1 && number <= 999 ? number : 1).padStart(3, "0")}`;
}

/** Wine keeps CurrentControlSet as a key; Windows has a link there, and the image its ControlSet001. */
function systemKey(wine: HiveKey | undefined, image: HiveKey | undefined): KeyTree {
  const current = currentControlSet(image);
  const system = copyKey(laid(wine, image) ?? new KeyTree("System"), "System");
  const own = wine?.subkey("CurrentControlSet");
  const theirs = image?.subkey(current);
  const set = copyKey(laid(own, theirs) ?? new KeyTree(current), current);
  const services = servicesKey(own?.subkey("Services"), theirs?.subkey("Services"));
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

/** SERVICE_BOOT_START, SERVICE_SYSTEM_START and SERVICE_AUTO_START become SERVICE_DEMAND_START. */
function parked(service: HiveKey): HiveKey {
  const start = service.value("Start");
  if (start?.type !== 4 || start.data.length !== 4 || (start.data[0] ?? 0) > 2) return service;
  const demand: HiveValue = { ...start, data: Uint8Array.of(3, 0, 0, 0) };
  return copyKey(service, service.name).setValue(demand);
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

/** HKCU\Software\Wine\DllOverrides: a plain name counts for the system folder only, an application's own file stays its own. */
function withOverrides(user: HiveKey, programs: readonly string[]): HiveKey {
  if (programs.length === 0) return user;
  const root = copyKey(user, "");
  const software = copyKey(root.subkey("Software") ?? new KeyTree("Software"), "Software");
  const wine = copyKey(software.subkey("Wine") ?? new KeyTree("Wine"), "Wine");
  const overrides = copyKey(wine.subkey("DllOverrides") ?? new KeyTree("DllOverrides"), "DllOverrides");
  const data = Buffer.from("builtin\0", "utf16le");
  for (const name of programs) overrides.setValue({ name, type: 1, data });
  wine.setSubkey(overrides);
  software.setSubkey(wine);
  root.setSubkey(software);
  return root;
}

/** The upper key over the lower one: values and keys of both, the upper's where both have one. */
function laid(lower: HiveKey | undefined, upper: HiveKey | undefined): HiveKey | undefined {
  if (!lower || !upper) return upper ?? lower;
  return mergeHives([hiveOf(lower), hiveOf(upper)]).root;
}
