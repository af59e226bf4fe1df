/**
 * Keys that Wine itself writes while any program runs: device trees, its own settings, what only lives as long as the
 * machine. They are taken out of what a step changed. Measured with idle steps; see the test.
 */
import type { HiveKey } from "../../../../layerfs/hive/key.ts";
import { copyKey, type KeyTree } from "../../../../layerfs/hive/tree.ts";

export const machineNoise: readonly string[] = [
  "Software\\Wine",
  "Software\\Wow6432Node\\Wine",
  "Software\\Microsoft\\Windows NT\\CurrentVersion\\NetworkCards",
  "System\\CurrentControlSet",
  "System\\ControlSet001\\Enum",
  "System\\ControlSet001\\Control\\DeviceClasses",
  "System\\ControlSet001\\Control\\Video",
  "System\\ControlSet001\\Control\\Class\\{4D36E968-E325-11CE-BFC1-08002BE10318}",
  "System\\ControlSet001\\Control\\Class\\{4D36E96E-E325-11CE-BFC1-08002BE10318}",
  "System\\ControlSet001\\Hardware Profiles\\Current",
  "System\\MountedDevices",
  "Hardware",
];

export const userNoise: readonly string[] = ["Software\\Wine", "Volatile Environment", "Environment\\Volatile"];

/** The tree without these keys and all below them; what is on no way to one of them is shared. */
export function withoutKeys(root: HiveKey, paths: readonly string[]): HiveKey {
  return prune(
    root,
    paths.map((path) => path.split("\\")),
  );
}

function prune(key: HiveKey, paths: readonly (readonly string[])[]): HiveKey {
  let copy: KeyTree | undefined;
  for (const name of new Set(paths.map(([first = ""]) => first))) {
    const child = key.subkey(name);
    if (!child) continue;
    const below = paths.filter(([first]) => first === name).map((path) => path.slice(1));
    copy ??= copyKey(key);
    if (below.some((path) => path.length === 0)) copy.deleteSubkey(name);
    else copy.setSubkey(prune(child, below));
  }
  return copy ?? key;
}
