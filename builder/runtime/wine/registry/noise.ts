/**
 * Keys that Wine itself writes while any program runs: device trees, its own settings, what only lives as long as the
 * machine. They are taken out of both sides of a step's comparison. Measured with idle steps; see the test.
 */
import type { HiveKey } from "../../../../layerfs/hive/key.ts";
import { KeyTree } from "../../../../layerfs/hive/tree.ts";

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

/** Takes these keys, with all below them, out of a tree in memory. */
export function removeKeys(root: KeyTree, paths: readonly string[]): void {
  for (const path of paths) {
    const parts = path.split("\\");
    const last = parts.pop() ?? "";
    const above = parts.reduce<HiveKey | undefined>((key, part) => key?.subkey(part), root);
    if (above instanceof KeyTree) above.deleteSubkey(last);
  }
}
