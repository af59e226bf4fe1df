/**
 * Values that a step's registry has over what image and Wine say, because Wine acts on them. They are there before the step
 * and after it, so that they are no change; what a step itself writes into one of them is one.
 */
import type { HiveKey, HiveValue } from "../../../../layerfs/hive/key.ts";
import { copyKey, KeyTree } from "../../../../layerfs/hive/tree.ts";
import { versionValues } from "../personality/version.ts";

export interface SessionOptions {
  /**
   * Names of Wine's own programs (`cmd.exe`): where the image has one of that name in System32, Wine's runs all the same,
   * as it does by itself with DLLs.
   */
  readonly programs?: readonly string[];
  /** What the version functions of Windows say: `10.0.20348.2700`; usual: what the image's registry or Wine's says. */
  readonly osVersion?: string | undefined;
}

export interface Setting {
  /** Path of a key, with backslashes. */
  readonly key: string;
  readonly value: HiveValue;
}

const text = (name: string, data: string): HiveValue => ({ name, type: 1, data: Buffer.from(`${data}\0`, "utf16le") });
const number = (name: string, data: number): HiveValue => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(data);
  return { name, type: 4, data: bytes };
};

/** For HKEY_LOCAL_MACHINE and HKEY_CURRENT_USER. */
export function sessionSettings({ programs = [], osVersion = "" }: SessionOptions): {
  readonly machine: readonly Setting[];
  readonly user: readonly Setting[];
} {
  const windows = "Software\\Microsoft\\Windows NT\\CurrentVersion";
  return {
    machine: [
      ...versionValues(osVersion),
      // Wine's debugger writes a hundred lines about host and processes into the output of a program that crashes, where
      // Windows writes none. This program of Wine's does nothing.
      { key: `${windows}\\AeDebug`, value: text("Debugger", "C:\\Windows\\System32\\rundll32.exe") },
      { key: `${windows}\\AeDebug`, value: text("Auto", "1") },
    ],
    user: [
      // No sound: its Linux libraries would write complaints into the output and their files into the profile.
      { key: "Software\\Wine\\Drivers", value: text("Audio", "") },
      // Windows that nobody sees: installers make some also when they are told to be quiet, and end when they get none.
      { key: "Software\\Wine\\Drivers", value: text("Graphics", "null") },
      // A plain name counts for the system folder only, an application's own file stays its own.
      ...programs.map((name) => ({ key: "Software\\Wine\\DllOverrides", value: text(name, "builtin") })),
    ],
  };
}

/** A tree with the settings; what is on no way to one of them is shared. */
export function withSettings(root: HiveKey, settings: readonly Setting[]): KeyTree {
  const copies = new Set<HiveKey>();
  const own = (key: HiveKey): KeyTree => {
    if (copies.has(key)) return key as KeyTree;
    const copy = copyKey(key);
    copies.add(copy);
    return copy;
  };
  const top = own(root);
  for (const { key: path, value } of settings) {
    let key = top;
    for (const name of path.split("\\")) key = key.setSubkey(own(key.subkey(name) ?? new KeyTree(name)));
    key.setValue(value);
  }
  return top;
}

/**
 * A service of the image's that starts with the machine, as one that is started on demand: nobody asked this step for it.
 * Wine 8 starts whatever says so, DelayedAutoStart or not. So of all changes of a service one is not seen: to let such a
 * one start on demand.
 */
export function parked(service: HiveKey): HiveKey {
  const start = service.value("Start");
  if (start?.type !== 4 || start.data.length !== 4 || (start.data[0] ?? 0) > 2) return service;
  return copyKey(service).setValue(number(start.name, 3));
}
