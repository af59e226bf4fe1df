/**
 * Keys that Wine itself writes while any program runs: device trees, its own settings, what only lives as long as the
 * machine. They are taken out of what a step changed. Measured with idle steps; see the test.
 */
import type { HiveKey } from "../../../../layerfs/hive/key.ts";
import { copyKey, type KeyTree } from "../../../../layerfs/hive/tree.ts";

/** The type library of Wine's script host, which each of its starts registers anew, with its path in the host's Wine. */
const scriptHost = [
  "Interface\\{2CC5A9D1-B1E5-11D3-A286-00104BD35090}",
  "Interface\\{53BAD8C1-E718-11CF-893D-00A0C9054228}",
]
  .concat("Interface\\{91AFBD1B-5FEB-43F5-B028-E2CA960617EC}", "Typelib\\{60254CA0-953B-11CF-8C96-00AA00B8708C}")
  .flatMap((key) => ["Classes", "Classes\\Wow6432Node", "Wow6432Node\\Classes"].map((at) => `Software\\${at}\\${key}`));

export const machineNoise: readonly string[] = [
  ...scriptHost,
  // Sound devices, as Wine finds them at each first use.
  "Software\\Microsoft\\Windows\\CurrentVersion\\MMDevices",
  "Software\\Wine",
  "Software\\Wow6432Node\\Wine",
  "Software\\Microsoft\\Windows NT\\CurrentVersion\\NetworkCards",
  "System\\CurrentControlSet",
  "System\\ControlSet001\\Enum",
  "System\\ControlSet001\\Control\\DeviceClasses",
  "System\\ControlSet001\\Control\\Video",
  "System\\ControlSet001\\Control\\Class\\{4D36E968-E325-11CE-BFC1-08002BE10318}",
  "System\\ControlSet001\\Control\\Class\\{4D36E96E-E325-11CE-BFC1-08002BE10318}",
  "System\\MountedDevices",
  "Hardware",
];

export const userNoise: readonly string[] = [
  "Software\\Wine",
  "Volatile Environment",
  "Environment\\Volatile",
  // What filters and codecs of Wine's there are, by the device enumerator.
  "Software\\Microsoft\\ActiveMovie\\devenum",
];

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
    const rest = below.some((path) => path.length === 0) ? undefined : prune(child, below);
    // A new key that has nothing left was made on the way to the noise.
    if (!rest || (rest !== child && saysNothing(rest))) copy.deleteSubkey(name);
    else copy.setSubkey(rest);
  }
  return copy ?? key;
}

function saysNothing(key: HiveKey): boolean {
  const isPlain = key.layer === "merge" && key.className === undefined;
  return isPlain && key.values().length === 0 && key.subkeys().length === 0;
}
